"""What changed in a table after a version is found, and rows that are new are added."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakehouse.contract import Growth
from lakehouse.lake import changes
from lakehouse.lake.schema import ContractViolation
from lakehouse.lake.storage import Lake
from tests.lakehouse.lake.tiny_plays import MADE, OTHER, PLAYS, a_play, ids, plays
from tests.support.frames import frame_of, rows

GROWING = replace(PLAYS, growth=Growth("other_plays", "played_at", lambda rows, earliest: rows))


def at(hour: int) -> int:
    """An instant of the day of all plays here."""
    return round(datetime(2026, 1, 5, hour, tzinfo=UTC).timestamp() * 1_000_000)


def played(spark: SparkSession, **hours: int) -> DataFrame:
    return frame_of(
        spark, GROWING, [a_play(name, played_at=datetime(2026, 1, 5, hour)) for name, hour in hours.items()]
    )


def test_a_table_grows_by_the_rows_that_it_has_not(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(GROWING, played(spark, a=9, b=12), MADE)
    grown = changes.grow(lake, GROWING, played(spark, b=12, c=13), at(12), MADE)
    assert grown and (grown.state.version, grown.state.provenance.rows) == (1, 3)
    assert ids(lake, GROWING) == ["a", "b", "c"]


def test_what_grew_has_the_digest_of_what_is_made_anew(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(GROWING, played(spark, a=9, b=12), MADE)
    grown = changes.grow(lake, GROWING, played(spark, b=12, c=13), at(12), MADE)
    anew = lake.overwrite(OTHER, played(spark, a=9, b=12, c=13), MADE)
    assert grown and grown.state.provenance.digest == anew.state.provenance.digest


@pytest.mark.parametrize("tail", [{"c": 13}, {"b": 13, "c": 13}])
def test_a_table_does_not_grow_where_it_has_other_rows(lake: Lake, spark: SparkSession, tail: dict[str, int]) -> None:
    """One that is gone by now, or has changed."""
    lake.overwrite(GROWING, played(spark, a=9, b=12), MADE)
    assert changes.grow(lake, GROWING, played(spark, **tail), at(12), MADE) is None
    assert ids(lake, GROWING) == ["a", "b"]


def test_growing_by_nothing_keeps_the_version(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(GROWING, played(spark, a=9, b=12), MADE)
    grown = changes.grow(lake, GROWING, played(spark, b=12), at(12), replace(MADE, inputs={"other": 4}))
    assert grown and (grown.state.version, grown.state.provenance.inputs) == (0, {"other": 4})


def test_rows_that_break_the_contract_are_not_grown_by(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(GROWING, played(spark, a=9), MADE)
    with pytest.raises(ContractViolation, match=r"in_range\(valence, 0, 1\): 1 rows"):
        changes.grow(lake, GROWING, frame_of(spark, GROWING, [a_play("c", valence=2.0)]), at(12), MADE)
    assert ids(lake, GROWING) == ["a"]


def test_rows_that_were_added_after_a_version_are_told(lake: Lake, spark: SparkSession) -> None:
    version = lake.overwrite(PLAYS, plays(spark, "a"), MADE).state.version
    lake.append(PLAYS, plays(spark, "b"), MADE)
    lake.append(PLAYS, plays(spark, "c", "d"), MADE)
    added = changes.appended(lake, PLAYS, version)
    assert added is not None and [row[0] for row in rows(added, "play_id")] == ["b", "c", "d"]


def test_what_was_added_cannot_be_told_after_rows_were_replaced(lake: Lake, spark: SparkSession) -> None:
    version = lake.overwrite(PLAYS, plays(spark, "a"), MADE).state.version
    lake.overwrite(PLAYS, plays(spark, "b"), MADE)
    assert changes.appended(lake, PLAYS, version) is None


def test_the_keys_of_rows_that_came_went_or_changed_are_told(lake: Lake, spark: SparkSession) -> None:
    version = lake.overwrite(PLAYS, plays(spark, "a", "b", "c"), MADE).state.version
    lake.overwrite(PLAYS, plays(spark, "a", "d").union(plays(spark, "b", valence=0.25)), MADE)
    changed = changes.changed_keys(lake, PLAYS, version)
    assert changed is not None and rows(changed, "play_id") == [("b",), ("c",), ("d",)]


def test_changed_keys_are_told_only_while_the_files_of_the_version_are_there(lake: Lake, spark: SparkSession) -> None:
    version = lake.overwrite(PLAYS, plays(spark, "a"), MADE).state.version
    old = DeltaTable(lake.location(PLAYS)).file_uris()
    lake.overwrite(PLAYS, plays(spark, "b"), MADE)
    assert changes.changed_keys(lake, PLAYS, version) is not None
    assert changes.changed_keys(lake, PLAYS, -1) is None
    for uri in old:
        Path(uri.removeprefix("file://")).unlink()
    assert changes.changed_keys(lake, PLAYS, version) is None
