"""Runs and `lakehouse register`, as commands, keep a running Trino up to date."""

import shutil
from pathlib import Path
from subprocess import CompletedProcess

from gold.descriptive.feature_source_coverage import feature_source_coverage
from lakehouse.settings import Settings
from pipeline.registry import all_tables
from tests.stack.conftest import Query
from tests.support.command_line import lakehouse
from tests.support.ports import free_port

NAME = feature_source_coverage.name


def command(trino: Settings, folder: Path, *arguments: str) -> CompletedProcess[str]:
    return lakehouse(
        folder, *arguments, LAKE_URI=trino.lake_uri, TRINO_PORT=str(trino.trino_port), SUPERSET_PORT=str(free_port())
    )


def test_a_run_registers_what_it_made_and_shows_its_rows(trino: Settings, query: Query, tmp_path: Path) -> None:
    before = query(f"SELECT * FROM delta.default.{NAME}")
    query(f"DROP TABLE delta.default.{NAME}", "pipeline")
    shutil.rmtree(trino.lake_path / feature_source_coverage.location)
    done = command(trino, tmp_path, "run", "--select", NAME)
    assert done.returncode == 0, done.stderr
    assert f"Trino: 1 tables registered, {len(all_tables()) - 1} kept, 0 dropped." in done.stdout
    assert sorted(query(f"SELECT * FROM delta.default.{NAME}")) == sorted(before)


def test_register_restores_what_trino_forgot_and_says_so(trino: Settings, query: Query, tmp_path: Path) -> None:
    query(f"DROP TABLE delta.default.{NAME}", "pipeline")
    done = command(trino, tmp_path, "register")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"Trino: 1 tables registered, {len(all_tables()) - 1} kept, 0 dropped.\n"
    assert query(f"SELECT count(*) > 0 FROM delta.default.{NAME}") == [(True,)]
