"""What `init` does in the containers: creates what is missing, corrects owners, overwrites nothing."""

import os
from pathlib import Path

import pytest

from lakehouse.stack import volumes
from lakehouse.stack.secret_files import SECRETS
from lakehouse.stack.volumes import SINGLE_SECRETS, prepare

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="owners are changed by root alone")


@pytest.fixture
def made(tmp_path: Path) -> Path:
    for name in ("lake", "metastore", "secrets", "postgres-secret", "redis-secret", "spotify"):
        (tmp_path / name).mkdir()
    return tmp_path


def prepared(folder: Path, user: int) -> list[str]:
    return prepare(
        folder / "lake", folder / "secrets", owned=(folder / "metastore", folder / "spotify"),
        single_secrets={name: folder / path.name for name, path in SINGLE_SECRETS.items()}, user=user,
    )  # fmt: skip


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_secrets_are_made_once_and_each_server_gets_its_own(made: Path) -> None:
    assert prepared(made, os.getuid()) == list(SECRETS)
    before = content(made)
    for server in ("postgres", "redis"):
        assert before[f"{server}-secret/{server}_password"] == before[f"secrets/{server}_password"]
        assert [path.name for path in (made / f"{server}-secret").iterdir()] == [f"{server}_password"]
    assert prepared(made, os.getuid()) == []
    assert content(made) == before


def test_the_mount_point_of_trino_s_metastore_is_in_the_lake(made: Path) -> None:
    prepared(made, os.getuid())
    assert (made / "lake" / "metastore").is_dir()


@needs_root
def test_everything_belongs_to_the_user_also_what_a_backup_of_root_left(made: Path) -> None:
    (made / "secrets" / "superset_secret_key").write_text("of a backup\n")
    (made / "lake" / "gold").mkdir(mode=0o700)
    prepared(made, 1234)
    owners = {path.stat().st_uid for name in ("lake", "metastore", "secrets") for path in [*(made / name).rglob("*")]}
    assert owners == {1234}
    assert (made / "secrets").stat().st_mode & 0o777 == 0o700
    assert (made / "secrets" / "superset_secret_key").read_text() == "of a backup\n"


@pytest.mark.parametrize(("name", "value"), [("DEMO", "maybe"), ("LISTENER_TIME_ZONE", "Berlin")])
def test_an_unusable_setting_is_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, value)
    assert volumes.main() == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{name}='{value}'" in said
