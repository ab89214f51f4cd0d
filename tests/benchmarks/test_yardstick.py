"""The yardstick computes what our tables hold: only then its time says anything."""

import math
import shutil
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from benchmarks.gold_steps import without
from benchmarks.yardstick import LEFT_OUT, TABLES, build
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.registry import pipeline_tables
from tests.support.frames import Tables

Rows = dict[tuple[Hashable, ...], dict[str, Any]]


@pytest.fixture(scope="module")
def files(demo_lake: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    lake = tmp_path_factory.mktemp("a lake")
    shutil.copytree(demo_lake.lake_path / "silver", lake / "silver")
    return build(DeltaLogs(f"file:{lake}"), tmp_path_factory.mktemp("yardstick"))


def test_all_descriptive_and_diagnostic_tables_are_measured() -> None:
    ours = {table.name for table in pipeline_tables().values() if table.group in ("descriptive", "diagnostic")}
    assert set(TABLES) == ours


@pytest.mark.parametrize("name", TABLES)
def test_duckdb_s_table_equals_ours(name: str, demo_lake: Settings, files: dict[str, Path]) -> None:
    table = pipeline_tables()[name]
    read = pq.read_table(files[name])
    listener, *key = table.key
    assert {listener, *read.column_names, *LEFT_OUT.get(name, ())} == {column.name for column in table.columns}
    stored = DeltaTable(DeltaLogs(demo_lake.lake_uri).location(table)).to_pyarrow_table()
    theirs, ours = (_by_key(rows.to_pylist(), tuple(key)) for rows in (read, stored))
    assert set(theirs) == set(ours)
    for place, row in theirs.items():
        assert {name for name, value in row.items() if not _equal(value, ours[place][name])} == set(), (place, row)


@pytest.mark.parametrize("name", sorted(set(LEFT_OUT) - {"feature_correlations"}))
def test_what_duckdb_leaves_out_is_no_work_for_ours(name: str, demo_table: Tables) -> None:
    """Of the correlations pandas computes also what DuckDB has."""
    table = pipeline_tables()[name]
    whole = table(*(demo_table(source) for source in table.inputs))
    frames = (whole, without(whole, LEFT_OUT[name]))
    read, read_without = (frame._jdf.queryExecution().optimizedPlan().collectLeaves().size() for frame in frames)
    assert read_without == read - 1


def _by_key(rows: list[dict[str, Any]], key: tuple[str, ...]) -> Rows:
    return {tuple(row[name] for name in key): row for row in rows}


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    return one == other
