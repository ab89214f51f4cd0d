"""The override of the compose file for several workers: understood, and whole only with keys. Needs no image."""

import json
from pathlib import Path

import pytest

from tests.cluster.servers import KEYS
from tests.stack.compose.stack import REPOSITORY, Stack

pytestmark = pytest.mark.compose
FILES = ("-f", str(REPOSITORY / "docker-compose.yml"), "-f", str(REPOSITORY / "docker-compose.cluster.yml"))


@pytest.fixture
def project(tmp_path: Path) -> Stack:
    """The compose files, without containers."""
    return Stack(tmp_path, "lakehouse-cluster", dict(KEYS))


def test_it_is_understood_without_a_warning(project: Stack) -> None:
    done = project.run(*FILES, "config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(("missing", "told"), [("AWS_ACCESS_KEY_ID", "a key"), ("AWS_SECRET_ACCESS_KEY", "a secret")])
def test_without_a_key_it_says_what_to_set(
    project: Stack, monkeypatch: pytest.MonkeyPatch, missing: str, told: str
) -> None:
    monkeypatch.delenv(missing, raising=False)
    others = {name: value for name, value in KEYS.items() if name != missing}
    done = Stack(project.folder, project.project, others).run(*FILES, "config", "--quiet")
    assert done.returncode and f"{missing} is missing a value: choose {told} for the object store" in done.stderr


def test_everything_that_writes_or_reads_tables_uses_the_same_store(project: Stack) -> None:
    services = json.loads(project(*FILES, "--profile", "manual", "config", "--format", "json"))["services"]
    reached = {"init", "spotify-scheduler", "spotify-pipeline", "spark-worker", "trino", "trino-worker"}
    endpoints = {name: services[name]["environment"]["AWS_ENDPOINT_URL"] for name in reached}
    assert set(endpoints.values()) == {"http://object-store:7070"}
    for name in ("spotify-scheduler", "spotify-pipeline"):
        assert services[name]["environment"]["SPARK_MASTER"] == "spark://spark-master:7077"
        assert list(services[name]["networks"]) == ["tables"]


def test_workers_can_be_many(project: Stack) -> None:
    services = json.loads(project(*FILES, "config", "--format", "json"))["services"]
    for name in ("spark-worker", "trino-worker"):
        assert not {"container_name", "ports"} & set(services[name])
