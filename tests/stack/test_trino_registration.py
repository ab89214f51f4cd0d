"""Registration keeps Trino equal to the lake, whatever happened to either."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from lakehouse.contract import Table
from lakehouse.contract.ops import REJECTED_ROWS
from lakehouse.errors import LakehouseError
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from lakehouse.stack.trino_registration import register, require_answer
from pipeline.registry import all_tables
from tests.stack.conftest import Query
from tests.support.frames import frame_of
from tests.support.ports import free_port

PROVENANCE = Provenance(run_id="test")
# A table that only these tests have.
EXTRA = replace(REJECTED_ROWS, name="extra_rows")
NAME = "ops.extra_rows"


def reject(reason: str) -> dict[str, object]:
    return {"run_id": "r", "source_file": "f", "row_number": 1, "reason": reason, "raw": "x"}


@pytest.fixture
def lake(trino: Settings, spark: SparkSession) -> Iterator[Lake]:
    """The served lake with one more table; afterwards it is as before."""
    lake = Lake(trino.lake_uri, spark)
    lake.overwrite(EXTRA, frame_of(spark, EXTRA, [reject("first")]), PROVENANCE)
    yield lake
    shutil.rmtree(folder_of(trino, EXTRA), ignore_errors=True)
    register(trino, all_tables().values())


def folder_of(settings: Settings, table: Table) -> Path:
    return settings.lake_path / table.location


def with_extra(extra: Table = EXTRA) -> list[Table]:
    return [*all_tables().values(), extra]


def reasons(query: Query) -> list[str]:
    return [reason for (reason,) in query("SELECT reason FROM delta.ops.extra_rows ORDER BY reason")]


def test_a_new_table_is_registered_once(trino: Settings, lake: Lake, query: Query) -> None:
    first, second = register(trino, with_extra()), register(trino, with_extra())
    assert first.registered == [NAME]
    assert (second.registered, second.dropped, second.broken) == ([], [], {})
    assert set(second.kept) == {*first.kept, NAME}
    assert reasons(query) == ["first"]


def test_a_rewritten_table_shows_its_new_rows_at_once(
    trino: Settings, lake: Lake, spark: SparkSession, query: Query
) -> None:
    register(trino, with_extra())
    assert reasons(query) == ["first"]
    lake.overwrite(EXTRA, frame_of(spark, EXTRA, [reject("zweite ü")]), PROVENANCE)
    assert reasons(query) == ["zweite ü"]


def test_a_table_deleted_and_made_anew_shows_its_new_rows(
    trino: Settings, lake: Lake, spark: SparkSession, query: Query
) -> None:
    register(trino, with_extra())
    assert reasons(query) == ["first"]
    shutil.rmtree(folder_of(trino, EXTRA))
    lake.overwrite(EXTRA, frame_of(spark, EXTRA, [reject("anew")]), PROVENANCE)
    register(trino, with_extra())
    assert reasons(query) == ["anew"]


def test_a_moved_table_is_found_at_its_new_place(trino: Settings, lake: Lake, query: Query) -> None:
    register(trino, with_extra())
    moved = replace(EXTRA, group="moved")
    folder_of(trino, moved).parent.mkdir()
    folder_of(trino, EXTRA).rename(folder_of(trino, moved))
    try:
        assert register(trino, with_extra(moved)).registered == [NAME]
        assert reasons(query) == ["first"]
    finally:
        shutil.rmtree(folder_of(trino, moved).parent)


def test_dropping_a_table_in_trino_touches_no_data(trino: Settings, lake: Lake, query: Query) -> None:
    register(trino, with_extra())
    query("DROP TABLE delta.ops.extra_rows", "pipeline")
    assert register(trino, with_extra()).registered == [NAME]
    assert reasons(query) == ["first"]


def test_what_is_gone_is_dropped(trino: Settings, lake: Lake, query: Query) -> None:
    register(trino, with_extra())
    shutil.rmtree(folder_of(trino, EXTRA))
    assert register(trino, with_extra()).dropped == [NAME]
    assert ("extra_rows",) not in query("SHOW TABLES FROM delta.ops")


def test_a_lost_metastore_is_restored(trino: Settings, query: Query) -> None:
    before = query("SELECT table_schema, table_name FROM delta.information_schema.tables ORDER BY 1, 2")
    shutil.rmtree(trino.lake_path / "metastore")
    result = register(trino, all_tables().values())
    assert len(result.registered) == len(all_tables())
    assert query("SELECT table_schema, table_name FROM delta.information_schema.tables ORDER BY 1, 2") == before


@pytest.mark.parametrize("registered_before", [True, False])
def test_a_broken_log_is_reported_and_the_other_tables_go_on(
    trino: Settings, lake: Lake, query: Query, registered_before: bool
) -> None:
    if registered_before:
        register(trino, with_extra())
    for commit in (folder_of(trino, EXTRA) / "_delta_log").glob("*.json"):
        commit.write_text("{ this is no commit")
    result = register(trino, with_extra())
    assert list(result.broken) == [NAME]
    assert result.summary.splitlines()[1].startswith(f"{NAME} cannot be read: ")
    assert len(result.kept) == len(all_tables())
    assert query("SELECT count(*) > 0 FROM delta.default.temporal_trends") == [(True,)]
    assert query("SELECT count(*) > 0 FROM delta.information_schema.columns") == [(True,)]


@pytest.mark.parametrize("layout", ["nothing", "foreign tables"])
def test_a_lake_without_tables_of_ours_is_refused(trino: Settings, tmp_path: Path, query: Query, layout: str) -> None:
    if layout == "foreign tables":
        write_deltalake(tmp_path / "temporal_trends", pa.table({"foreign": [1]}))
    empty = trino.model_copy(update={"lake_uri": f"file:{tmp_path}"})
    with pytest.raises(LakehouseError, match=r"no table of this version is in the lake .*: run `lakehouse run`"):
        register(empty, all_tables().values())
    assert query("SELECT count(*) > 0 FROM delta.default.temporal_trends") == [(True,)]


@pytest.fixture
def other_lake(trino: Settings, spark: SparkSession, tmp_path: Path) -> Settings:
    """A lake that the running Trino does not serve, with one table that the served lake has, too."""
    other = trino.model_copy(update={"lake_uri": f"file:{tmp_path}"})
    Lake(other.lake_uri, spark).overwrite(REJECTED_ROWS, frame_of(spark, REJECTED_ROWS, [reject("other")]), PROVENANCE)
    return other


def registered(query: Query) -> list[tuple[str, ...]]:
    return query("SELECT table_schema, table_name FROM delta.information_schema.tables ORDER BY 1, 2")


def test_another_lakes_trino_is_named_and_keeps_its_tables(other_lake: Settings, query: Query) -> None:
    before = registered(query)
    with pytest.raises(
        LakehouseError, match=r"Trino at .* serves another lake than file:.*, so its tables stay as they are: stop"
    ):
        register(other_lake, all_tables().values())
    assert registered(query) == before


def test_another_lakes_trino_without_registrations_gets_none(
    trino: Settings, other_lake: Settings, query: Query
) -> None:
    shutil.rmtree(trino.lake_path / "metastore")
    try:
        with pytest.raises(LakehouseError, match="serves another lake than"):
            register(other_lake, all_tables().values())
        assert [row for row in registered(query) if row[0] != "information_schema"] == []
    finally:
        register(trino, all_tables().values())


def test_another_lakes_trino_that_has_none_of_the_tables_keeps_its_own(
    trino: Settings, spark: SparkSession, tmp_path: Path, query: Query
) -> None:
    before = registered(query)
    other = trino.model_copy(update={"lake_uri": f"file:{tmp_path}"})
    Lake(other.lake_uri, spark).overwrite(EXTRA, frame_of(spark, EXTRA, [reject("other")]), PROVENANCE)
    with pytest.raises(LakehouseError, match=r"reads no table of file:.*; does it serve another lake\?"):
        register(other, [EXTRA])
    assert registered(query) == before


def test_an_unreachable_trino_is_said_in_one_line(trino: Settings) -> None:
    nowhere = trino.model_copy(update={"trino_port": free_port()})
    with pytest.raises(LakehouseError, match=r"Trino does not answer at http://127.0.0.1:.*: run `lakehouse stack up`"):
        register(nowhere, all_tables().values())


def test_another_program_at_the_port_is_said_in_one_line(tmp_path: Path) -> None:
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = Settings(lake_uri=f"file:{tmp_path}", trino_port=server.server_port, _env_file=None)
        with pytest.raises(LakehouseError, match=r"^Trino at .* refused, error 501: is another program there\?$"):
            require_answer(settings)
        server.shutdown()
