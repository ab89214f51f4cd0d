"""What holds for every diagnostic and cognitive table: thin data, order of rows, and whose music it is."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.cognitive.behavioral_segments import behavioral_segments
from gold.cognitive.listening_anomalies import listening_anomalies
from gold.cognitive.mood_state_clusters import mood_state_clusters
from gold.cognitive.sequential_patterns import sequential_patterns
from gold.diagnostic.feature_correlations import feature_correlations
from gold.diagnostic.mood_shift_patterns import mood_shift_patterns
from gold.diagnostic.mood_time_correlations import mood_time_correlations
from gold.diagnostic.part_of_day_drivers import part_of_day_drivers
from gold.diagnostic.weekend_vs_weekday import weekend_vs_weekday
from lakehouse.contract import Table
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.catalogue_tracks import catalogue_tracks
from silver.listening_with_features import listening_with_features
from tests.gold.listeners import listener
from tests.support.frames import frame_of, made_of_plays, play

TABLES = [
    mood_time_correlations,
    feature_correlations,
    weekend_vs_weekday,
    mood_shift_patterns,
    part_of_day_drivers,
    mood_state_clusters,
    listening_anomalies,
    sequential_patterns,
    behavioral_segments,
]
# A slice's name says how it differs from the listener's own mean: opposite listeners may share it.
TEXTS = {
    mood_state_clusters.name: ["cluster_description"],
    listening_anomalies.name: ["interpretation"],
    sequential_patterns.name: ["behavioral_insight"],
    behavioral_segments.name: ["listening_archetype", "archetype_description", "wellbeing_recommendation"],
}
ONE_PLAY = [play("2026-01-31 23:59:00")]
THIN_HISTORIES = {
    "empty": [],
    "one play": ONE_PLAY,
    "no features": [play(f"2026-01-31 1{i}:00:00", feature_source="none") for i in range(5)],
    "one hour": [play(f"2026-01-31 10:0{i}:00", session_id=1) for i in range(9)],
}
ROWS_FROM_ONE_PLAY = {
    mood_time_correlations.name: 1,
    weekend_vs_weekday.name: 1,
    part_of_day_drivers.name: 1,
    feature_correlations.name: 66,
}

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def built(table: Table, plays: DataFrame) -> DataFrame:
    """The table as the writer takes it, with no catalogue."""
    catalogue = frame_of(plays.sparkSession, catalogue_tracks, [])
    return conform(table, made_of_plays(table, plays, catalogue_tracks=catalogue))


def sorted_rows(table: Table, frame: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.orderBy(*table.key).collect()]


@every_table
def test_caveats_say_that_tests_rest_on_measured_plays(table: Table) -> None:
    assert {"measured_only", "tests_measured_only"} & set(table.caveats)


@every_table
@pytest.mark.parametrize("history", THIN_HISTORIES)
def test_thin_histories_keep_the_contract(spark: SparkSession, table: Table, history: str) -> None:
    plays = frame_of(spark, listening_with_features, THIN_HISTORIES[history])
    count = enforce(table, built(table, plays)).rows
    if history == "empty":
        assert count == 0
    if history == "one play":
        assert count == ROWS_FROM_ONE_PLAY.get(table.name, 0)


@every_table
def test_rows_depend_neither_on_the_run_nor_on_order_and_partitions(spark: SparkSession, table: Table) -> None:
    plays = listener(bright=True)
    first = built(table, frame_of(spark, listening_with_features, plays))
    enforce(table, first)
    rows = sorted_rows(table, first)
    assert rows
    assert sorted_rows(table, first) == rows
    shuffled = frame_of(spark, listening_with_features, plays[::-1]).repartition(3, "track_id")
    for row, again in zip(rows, sorted_rows(table, built(table, shuffled)), strict=True):
        assert again == {name: _about(value) for name, value in row.items()}


@pytest.mark.parametrize("table", [table for table in TABLES if table.name in TEXTS], ids=lambda table: table.name)
def test_opposite_listeners_read_different_texts(spark: SparkSession, table: Table) -> None:
    bright, dark = (
        built(table, frame_of(spark, listening_with_features, plays)).collect()
        for plays in (listener(bright=True), listener(bright=False))
    )
    assert bright and dark
    for text in TEXTS[table.name]:
        assert not {row[text] for row in bright} & {row[text] for row in dark}, text


def test_opposite_listeners_have_different_rankings(spark: SparkSession) -> None:
    bright, dark = (
        built(sequential_patterns, frame_of(spark, listening_with_features, plays)).orderBy("occurrence_count").tail(1)
        for plays in (listener(bright=True), listener(bright=False))
    )
    assert bright[0]["mood_category"] != dark[0]["mood_category"]


def _about(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
