"""Secrets are created once, readable only by their owner. Needs no Spark."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.stack.secret_files import SECRETS, create_secrets, read_secret
from tests.support.command_line import lakehouse


def test_each_is_long_random_and_different(tmp_path: Path) -> None:
    create_secrets(tmp_path / "a")
    create_secrets(tmp_path / "b")
    values = [read_secret(tmp_path / folder, name) for folder in "ab" for name in SECRETS]
    assert len(set(values)) == len(values)
    assert min(map(len, values)) >= 24


def test_only_their_owner_may_read_them(tmp_path: Path) -> None:
    create_secrets(tmp_path / "secrets")
    modes = {stat.S_IMODE((tmp_path / "secrets" / name).stat().st_mode) for name in SECRETS}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700


def test_existing_secrets_are_kept_and_missing_ones_created(tmp_path: Path) -> None:
    assert create_secrets(tmp_path) == list(SECRETS)
    kept = read_secret(tmp_path, "postgres_password")
    (tmp_path / "superset_secret_key").unlink()
    assert create_secrets(tmp_path) == ["superset_secret_key"]
    assert read_secret(tmp_path, "postgres_password") == kept
    assert create_secrets(tmp_path) == []


def test_only_the_named_ones_are_created(tmp_path: Path) -> None:
    create_secrets(tmp_path, ["postgres_password"])
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == ["postgres_password"]


def test_two_at_once_agree(tmp_path: Path) -> None:
    code = (
        f"import pathlib; from lakehouse.stack.secret_files import *; create_secrets(pathlib.Path({str(tmp_path)!r}))"
    )
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(4)]
    assert any(process.wait(30) == 0 for process in started)
    before = {name: read_secret(tmp_path, name) for name in SECRETS}
    create_secrets(tmp_path)
    assert {name: read_secret(tmp_path, name) for name in SECRETS} == before


def test_an_empty_one_is_refused_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "superset_secret_key").touch()
    with pytest.raises(LakehouseError, match="superset_secret_key is empty: restore it from a backup"):
        create_secrets(tmp_path)
    assert (tmp_path / "superset_secret_key").read_text() == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LakehouseError, match=r"file/secrets cannot be written \(Not a directory\): check SECRETS_DIR"):
        create_secrets(tmp_path / "file" / "secrets")


def test_credentials_show_the_login_once_it_is_created(tmp_path: Path) -> None:
    missing = lakehouse(tmp_path, "credentials")
    assert missing.returncode == 1
    assert "superset_admin_password is missing: `lakehouse credentials --create`" in missing.stderr
    created = lakehouse(tmp_path, "credentials", "--create")
    password = read_secret(tmp_path / "data/secrets", "superset_admin_password")
    assert password not in created.stdout + created.stderr
    shown = lakehouse(tmp_path, "credentials", SUPERSET_PORT="9999")
    assert "http://127.0.0.1:9999" in shown.stdout
    assert f"password  {password}" in shown.stdout
    assert os.fspath(Path("data/secrets/superset_admin_password")) in shown.stdout
