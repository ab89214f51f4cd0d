"""What keeps Superset from being made ready is said in one line, in a bounded time, and changes nothing."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack import superset_server
from lakehouse.stack.local_stack import stack_down, stack_status
from lakehouse.stack.secret_files import create_secrets
from lakehouse.stack.superset_server import CONFIGURATION, PROGRAMS, bootstrap, start_superset, superset_process
from tests.stack.services import Api, SupersetServer, require_superset
from tests.support.ports import free_port

QUIET = Console(quiet=True)
KINDS = ("dashboard", "chart", "dataset", "database")
Edit = Callable[[dict[str, Any]], None]


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a Superset with secrets whose Trino, Postgres and Redis are not there."""
    require_superset()
    monkeypatch.setenv("SUPERSET_WAIT_SECONDS", "1")
    create_secrets(tmp_path / "secrets")
    return Settings(
        stack_dir=tmp_path / "stack", secrets_dir=tmp_path / "secrets", lake_uri=f"file:{tmp_path}/lake",
        trino_port=free_port(), superset_port=free_port(), _env_file=None,
    )  # fmt: skip


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the assets that may be broken; the next bootstrap takes it."""
    shutil.copytree(CONFIGURATION / "assets", tmp_path / "assets")
    monkeypatch.setenv("SUPERSET_ASSETS", str(tmp_path / "assets"))
    return tmp_path / "assets"


def edit(path: Path, change: Edit) -> str:
    """Change an asset's file; gives its uuid."""
    asset = yaml.safe_load(path.read_text())
    change(asset)
    path.write_text(yaml.safe_dump(asset, sort_keys=False))
    return str(asset["uuid"])


def counts(api: Api) -> dict[str, int]:
    return {kind: api.get(f"/api/v1/{kind}/").json()["count"] for kind in KINDS}


def run(program: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A program of Superset's environment, with this environment alone."""
    command = [str(PROGRAMS / program), *arguments]
    known = {"PATH": os.environ["PATH"], "SUPERSET_CONFIG_PATH": str(CONFIGURATION / "superset_config.py")}
    return subprocess.run(
        command, env=known | environment, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("program", [["python", "bootstrap.py"], ["gunicorn", "-c", "gunicorn.conf.py"]])
def test_a_missing_secret_ends_it_with_one_line(tmp_path: Path, program: list[str]) -> None:
    require_superset()
    done = run(program[0], *program[1:-1], str(CONFIGURATION / program[-1]), SECRETS_DIR=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("superset: the secret superset_secret_key is missing: set SECRETS_DIR to the folder")
    assert len(done.stderr.splitlines()) == 1


def test_a_secret_may_be_a_variable_or_a_file(tmp_path: Path) -> None:
    require_superset()
    (tmp_path / "key").write_text("from a file\n")
    shown = "import superset_config as c; print(c.SECRET_KEY, c.GUEST_TOKEN_JWT_SECRET, c.SQLALCHEMY_DATABASE_URI)"
    code = f"import sys; sys.path.insert(0, {str(CONFIGURATION)!r}); {shown}"
    done = run(
        "python", "-c", code, SUPERSET_SECRET_KEY_FILE=str(tmp_path / "key"), SUPERSET_GUEST_TOKEN_SECRET="direct",
        SUPERSET_ASYNC_QUERIES_SECRET="direct", POSTGRES_PASSWORD="a/b", SUPERSET_DATABASE_URI="postgresql://me@host/db",
    )  # fmt: skip
    assert done.stdout == "from a file direct postgresql://me:a%2Fb@host/db\n", done.stderr


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "Trino"),
        ({"redis_url": "redis://127.0.0.1:1"}, "Redis"),
        ({"superset_database_uri": "postgresql+psycopg2://superset@127.0.0.1:1/superset"}, "Postgres"),
    ],
)
def test_what_does_not_answer_is_named_after_a_bounded_wait(
    nowhere: Settings, changes: dict[str, str], name: str
) -> None:
    began = time.monotonic()
    with pytest.raises(LakehouseError, match=rf"{name} does not answer at 127\.0\.0\.1:\d+ within 1 s: .*refused"):
        bootstrap(Settings(**nowhere.model_dump(exclude_none=True) | changes, _env_file=None))
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("charts/daily_overview/plays.yaml", "a: [", r"charts/daily_overview/plays.yaml is not YAML: .*line 1"),
        ("charts/daily_overview/plays.yaml", "slice_name: x", r"charts/daily_overview/plays.yaml: uuid: missing"),
        (
            "charts/daily_overview/plays.yaml",
            "{uuid: 238c178e-e635-5e7e-8e75-f6b6dfa14a6c, dataset_uuid: nowhere}",
            r"charts/daily_overview/plays.yaml: dataset_uuid: nowhere is in none of the datasets",
        ),
        (
            "dashboards/copy.yaml",
            "{uuid: 9706293d-7b8f-574b-bf1b-f1ee8edcf9e7}",
            r"daily_overview.yaml: uuid: .*copy.yaml has",
        ),
    ],
)
def test_a_broken_file_is_named_before_anything_starts(
    nowhere: Settings, bundle: Path, file: str, text: str, message: str
) -> None:
    (bundle / file).write_text(text)
    with pytest.raises(LakehouseError, match=message):
        bootstrap(nowhere)


def test_a_field_that_superset_does_not_take_is_named_and_nothing_changes(
    superset: SupersetServer, bundle: Path
) -> None:
    api = superset.login()
    before = counts(api)
    edit(bundle / "charts/daily_overview/plays.yaml", lambda chart: chart.update(colour="red"))
    with pytest.raises(LakehouseError, match=r"charts/daily_overview/plays.yaml: colour: Unknown field"):
        bootstrap(superset.settings)
    assert counts(api) == before


def test_an_import_that_fails_in_its_middle_leaves_nothing_behind(superset: SupersetServer, bundle: Path) -> None:
    """The database is new and comes first; its datasets have the uuids of another database's."""
    api = superset.login()
    before = counts(api)
    [database] = (bundle / "databases").glob("*.yaml")
    edit(database, lambda asset: asset.update(database_name="half", uuid="00000000-0000-4000-8000-00000000dead"))
    for dataset in (bundle / "datasets").rglob("*.yaml"):
        edit(dataset, lambda asset: asset.update(database_uuid="00000000-0000-4000-8000-00000000dead"))
    with pytest.raises(LakehouseError, match=r"the assets were not imported: .*duplicate key"):
        bootstrap(superset.settings)
    assert counts(api) == before
    assert [row["database_name"] for row in api.rows("/api/v1/database/")] != ["half"]


def test_a_taken_port_is_named(nowhere: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", nowhere.superset_port))
        taken.listen()
        with pytest.raises(LakehouseError, match=rf"port {nowhere.superset_port} is taken .*, or set SUPERSET_PORT"):
            start_superset(nowhere, QUIET)


def test_without_its_environment_it_says_how_to_get_it(
    nowhere: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(superset_server, "PROGRAMS", tmp_path)
    with pytest.raises(LakehouseError, match="Superset is not installed: run `make superset`"):
        start_superset(nowhere, QUIET)


def test_one_that_died_is_told_by_the_status_and_forgotten_by_down(
    nowhere: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    background = superset_process(nowhere)
    background.start(["sleep", "600"], os.environ, port=nowhere.superset_port, lake=str(nowhere.lake_path))
    process = background.process()
    assert process is not None
    process.kill()
    process.wait(20)
    assert not stack_status(nowhere, Console(width=300))
    assert "Superset is not running, but it was started and not stopped: it died." in capsys.readouterr().out
    stack_down(nowhere, QUIET)
    stack_status(nowhere, Console(width=300))
    assert capsys.readouterr().out == "Superset is not running.\nTrino is not running.\n"
