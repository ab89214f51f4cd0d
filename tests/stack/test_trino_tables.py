"""Trino shows every table as Spark wrote it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contract import Table
from lakehouse.lake.schema import comment_of, description_of
from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from lakehouse.stack.superset_server import PROGRAMS
from pipeline.registry import all_tables
from tests.stack.conftest import Query
from tests.stack.documents import SqlBlock, python_blocks, sql_blocks
from tests.stack.services import require_program
from tests.superset.bundle import charts
from tests.superset.own_sql import own_sql

TRINO_TYPES = {
    "bigint": "bigint",
    "int": "integer",
    "double": "double",
    "string": "varchar",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp(3) with time zone",
    "timestamp_ntz": "timestamp(6)",
}
# Instants as numbers, so that no session's time zone plays a part; Trino rounds them to the millisecond.
AS_NUMBER_IN_SPARK = {
    "timestamp": "floor((unix_micros({0}) + 500) / 1000)",
    "timestamp_ntz": "unix_micros(cast({0} as timestamp))",
}
AS_NUMBER_IN_TRINO = {
    "timestamp": "CAST(to_unixtime({0}) * 1000 AS bigint)",
    "timestamp_ntz": "CAST(to_unixtime(with_timezone({0}, 'UTC')) * 1000000 AS bigint)",
}

TRIGGERS = "mood_intervention_triggers"

each_table = pytest.mark.parametrize("table", all_tables().values(), ids=lambda table: table.name)


def columns_of(table: Table, forms: dict[str, str], quote: str) -> list[str]:
    """The table's columns as expressions, with times as numbers."""
    return [forms.get(column.type, "{0}").format(f"{quote}{column.name}{quote}") for column in table.columns]


def sorted_rows(rows: list[Any]) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in rows), key=repr)


def in_spark(spark: SparkSession, settings: Settings, table: Table) -> DataFrame:
    return Lake(settings.lake_uri, spark).read(table).selectExpr(*columns_of(table, AS_NUMBER_IN_SPARK, "`"))


@each_table
def test_columns_types_and_comments_are_the_contracts(table: Table, query: Query) -> None:
    found = query(f"SHOW COLUMNS FROM delta.{table.trino_schema}.{table.name}")
    expected = [(column.name, TRINO_TYPES[column.type], "", comment_of(column)) for column in table.columns]
    assert found == expected


@each_table
def test_the_tables_comment_is_the_contracts(table: Table, query: Query) -> None:
    [(statement,)] = query(f"SHOW CREATE TABLE delta.{table.trino_schema}.{table.name}", "pipeline")
    assert f"COMMENT '{description_of(table).replace(chr(39), chr(39) * 2)}'" in statement


@each_table
def test_the_rows_are_those_that_spark_reads(table: Table, trino: Settings, spark: SparkSession, query: Query) -> None:
    selected = ", ".join(columns_of(table, AS_NUMBER_IN_TRINO, '"'))
    found = query(f"SELECT {selected} FROM delta.{table.trino_schema}.{table.name}")
    assert sorted_rows(found) == sorted_rows(in_spark(spark, trino, table).collect())


def test_the_share_of_low_plays_is_the_same_in_text_query_and_chart(query: Query) -> None:
    [document] = [block.sql for block in sql_blocks() if block.heading == "Q21 Triggers"]
    [chart] = [chart for chart in charts().values() if str(chart) == "recommendations/triggers"]
    in_text: dict[int, str] = dict(query(f"SELECT hour_of_day, suggested_intervention FROM delta.default.{TRIGGERS}"))
    assert in_text
    for hour, _, percent, *_ in (*query(document), *query(own_sql(chart))):
        said = re.search(r"\((\d+) %\) are of dark music", in_text[hour])
        assert said is not None
        assert float(percent) == pytest.approx(int(said[1]), abs=0.56)  # rounded, one of them twice


def test_the_rows_compared_hold_what_is_hard(trino: Settings, spark: SparkSession) -> None:
    plays = Lake(trino.lake_uri, spark).read(all_tables()["listening_with_features"])
    assert plays.filter(F.col("track_name").rlike(r"[^\x00-\x7F]")).count()
    assert plays.filter("valence is null").count()
    assert plays.filter("played_at is not null and played_at_local is not null").count()


@pytest.mark.parametrize("block", sql_blocks(), ids=str)
def test_every_sql_block_of_the_documents_runs(block: SqlBlock, query: Query) -> None:
    rows = query(block.sql)
    needs_several_listeners = any(each.compares_listeners and each.name in block.sql for each in all_tables().values())
    if block.sql.startswith(("SELECT", "WITH", "SHOW", "DESCRIBE")):
        assert bool(rows) != needs_several_listeners


@pytest.mark.parametrize("code", python_blocks(), ids=["client", "sqlalchemy"])
def test_every_python_block_of_the_documents_runs(code: str, trino: Settings, tmp_path: Path) -> None:
    # Only Superset's environment has SQLAlchemy.
    python = (
        require_program(PROGRAMS / "python", "Superset", "make superset") if "sqlalchemy" in code else sys.executable
    )
    assert "8080" in code
    command = [str(python), "-c", code.replace("8080", str(trino.trino_port))]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
