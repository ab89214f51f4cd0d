"""Settings come from the environment, and unusable ones are reported in one line. Needs no Spark."""

import re
from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.settings import Settings, load_settings

EXAMPLE = (Path(__file__).parents[2] / ".env.example").read_text()


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine, and no `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_the_example_explains_every_setting_once() -> None:
    assert re.findall(r"^# ([A-Z_]+)=", EXAMPLE, re.MULTILINE) == [name.upper() for name in Settings.model_fields]
    assert re.findall(r"^# [A-Z_]+=.*\n(?!# [A-Z]\w* |\Z)", EXAMPLE, re.MULTILINE) == []


def test_the_example_names_the_defaults(tmp_path: Path) -> None:
    example = tmp_path / "example"
    example.write_text(re.sub(r"^# ([A-Z_]+=)", r"\1", EXAMPLE, flags=re.MULTILINE))
    assert Settings(_env_file=example).model_dump() == Settings(_env_file=None).model_dump()


def test_the_environment_takes_precedence_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TRINO_PORT=1111\nTRINO_MEMORY=3g\n")
    monkeypatch.setenv("TRINO_PORT", "2222")
    settings = load_settings()
    assert (settings.trino_port, settings.trino_memory) == (2222, "3g")


def test_an_empty_value_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTENER_TIME_ZONE", "")
    settings = load_settings()
    assert settings.listener_time_zone == "UTC"
    assert not settings.time_zone_is_set


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LAKE_URI", "/data/lake"),
        ("LAKE_URI", "file://host/lake"),
        ("LAKE_URI", "file:/data/50%"),
        ("LAKE_URI", "file:/music [2026]/lake"),
        ("LAKE_URI", "s3://bucket/lake"),
        ("LAKE_URI", "s3a://key:secret@bucket/lake"),
        ("LAKE_URI", "s3a://bucket/my lake"),
        ("LAKE_URI", "s3a:///lake"),
        ("AWS_ENDPOINT_URL", "store:9000"),
        ("AWS_ENDPOINT_URL", "http://key:secret@store:9000"),
        ("LISTENER_TIME_ZONE", "Berlin"),
        ("ALLOW_SYNTHETIC", "perhaps"),
        ("SPARK_DRIVER_MEMORY", "lots"),
        ("SPARK_DRIVER_MEMORY", "0g"),
        ("LOCK_WAIT_SECONDS", "-1"),
        ("TRINO_PORT", "0"),
        ("TRINO_PORT", "http"),
        ("TRINO_MEMORY", "1"),
        ("TRINO_URI", "trino:8080"),
        ("TRINO_URI", "http://trino"),
        ("TRINO_URI", "https://me:word@trino:8443"),
        ("MAVEN_REPOSITORY_URL", "central"),
        ("SUPERSET_PORT", "0"),
        ("SUPERSET_URI", "superset:8088"),
    ],
)
def test_an_unusable_value_is_named_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refused:
        load_settings()
    message = str(refused.value)
    assert message.startswith(f"unusable setting in the environment or .env: {name}=")
    assert "\n" not in message


def test_all_unusable_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINO_PORT", "0")
    monkeypatch.setenv("LISTENER_TIME_ZONE", "Berlin")
    with pytest.raises(UsageError, match=r"LISTENER_TIME_ZONE=.*; TRINO_PORT="):
        load_settings()


@pytest.mark.parametrize("value", ["file:./my lake", "file:my lake"])
def test_the_lake_is_absolute_and_keeps_spaces_and_umlauts(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAKE_URI", value.replace("my", "mein größter"))
    settings = load_settings()
    assert settings.lake_uri == f"file://{tmp_path}/mein größter lake"
    assert settings.lake_path == tmp_path / "mein größter lake"


def test_a_relative_lake_is_refused_in_a_folder_with_an_unusable_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "music [2026]").mkdir()
    monkeypatch.chdir(tmp_path / "music [2026]")
    with pytest.raises(UsageError, match=r"LAKE_URI=.*without any of .* in .*/music \[2026\]/data/lake"):
        load_settings()


def test_secrets_lie_outside_the_lake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRETS_DIR", "data/lake/secrets")
    with pytest.raises(UsageError, match="SECRETS_DIR must lie outside LAKE_URI"):
        load_settings()


def test_a_lake_in_an_object_store_keeps_working_state_on_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = load_settings()
    assert (here.is_in_object_store, here.work_path) == (False, here.lake_path)
    monkeypatch.setenv("LAKE_URI", "s3a://bucket/a/lake/")
    there = load_settings()
    assert (there.is_in_object_store, there.lake_uri) == (True, "s3a://bucket/a/lake")
    assert there.work_path == tmp_path / "data/work"
    with pytest.raises(UsageError, match="this works on a lake in a folder, LAKE_URI=s3a://bucket/a/lake is in an"):
        _ = there.lake_path


def test_a_cluster_needs_a_lake_that_its_machines_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPARK_MASTER", "spark://somewhere:7077")
    with pytest.raises(UsageError, match="SPARK_MASTER names a cluster, whose machines cannot reach the folder in"):
        load_settings()
    monkeypatch.setenv("LAKE_URI", "s3a://bucket/lake")
    assert load_settings().has_cluster


def test_superset_is_the_stacks_own_unless_it_is_named() -> None:
    assert Settings(superset_port=18088, _env_file=None).superset_address == "http://127.0.0.1:18088"
    assert Settings(superset_uri="http://superset:8088", _env_file=None).superset_address == "http://superset:8088"


def test_trino_is_the_stacks_own_unless_it_is_named() -> None:
    assert Settings(trino_port=18080, _env_file=None).trino_address == "http://127.0.0.1:18080"
    assert Settings(trino_uri="http://trino:8080", _env_file=None).trino_address == "http://trino:8080"


def test_a_password_is_never_printed() -> None:
    assert "a secret" not in repr(Settings(trino_password="a secret", _env_file=None))


def test_a_secret_may_be_a_file_of_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "settings"
    folder.mkdir(parents=True)
    (folder / "SPOTIFY_CLIENT_SECRET").write_text("hidden\n")
    (folder / "README.md").write_text("other files do not matter")
    secret = load_settings().spotify_client_secret
    assert secret is not None
    assert secret.get_secret_value() == "hidden"


def test_browsers_reach_superset_of_the_containers_by_the_published_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERSET_URI", "http://superset:8088")
    monkeypatch.setenv("SUPERSET_PORT", "9000")
    assert load_settings().superset_browser_address == "http://127.0.0.1:9000"
    monkeypatch.setenv("SUPERSET_URI", "http://listening.example:80")
    assert load_settings().superset_browser_address == "http://listening.example:80"
