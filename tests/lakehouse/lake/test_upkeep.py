"""Upkeep of a table's files: what is joined and deleted, and what readers see all the same."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.lake.storage import Lake
from lakehouse.lake.upkeep import KEEP_HOURS
from tests.lakehouse.lake.tiny_plays import MADE, PLAYS, ids, plays


def test_compacting_joins_files_and_changes_neither_rows_nor_version(lake: Lake, spark: SparkSession) -> None:
    for number, name in enumerate("abc"):
        before = lake.append(PLAYS, plays(spark, name), MADE, rows_before=number).state
    lake.compact(PLAYS)
    assert len(DeltaTable(lake.location(PLAYS)).file_uris()) == 1
    assert (ids(lake), lake.state(PLAYS)) == (["a", "b", "c"], before)


@pytest.mark.parametrize(("hours", "is_kept"), [(KEEP_HOURS + 1, False), (KEEP_HOURS - 1, True)])
def test_compacting_deletes_what_a_killed_write_left_long_ago(
    lake: Lake, spark: SparkSession, hours: int, is_kept: bool
) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    leftover = Path(lake.location(PLAYS).removeprefix("file:")) / "part-00000-left.snappy.parquet"
    leftover.write_bytes(b"PAR1")
    written_at = (datetime.now(UTC) - timedelta(hours=hours)).timestamp()
    os.utime(leftover, (written_at, written_at))
    lake.compact(PLAYS)
    assert (leftover.exists(), ids(lake)) == (is_kept, ["a"])


def test_of_older_versions_nothing_is_left(lake: Lake, spark: SparkSession) -> None:
    folder = Path(lake.location(PLAYS).removeprefix("file:"))
    for name in ("secret", "a"):
        before = lake.overwrite(PLAYS, plays(spark, name), MADE).state
    aside = folder.with_name(f"{folder.name}.damaged-1")
    aside.mkdir()
    assert b"secret" in contents(folder)
    lake.drop_older_versions(PLAYS)
    assert b"secret" not in contents(folder)
    after = lake.state(PLAYS)
    assert after is not None
    assert (ids(lake), after.version, after.provenance.digest) == (["a"], before.version, before.provenance.digest)
    assert not aside.exists()
    assert [row["play_id"] for row in spark.read.format("delta").load(str(folder)).collect()] == ["a"]


def test_a_table_without_older_versions_takes_more_rows(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    lake.drop_older_versions(PLAYS)
    lake.append(PLAYS, plays(spark, "b"), MADE, rows_before=1)
    lake.drop_older_versions(PLAYS)
    assert ids(lake) == ["a", "b"]


def contents(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
