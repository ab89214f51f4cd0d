"""What holds for every table that advises or looks ahead: thin data, order of rows, and whose music it is."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.predictive.mood_outlook import mood_outlook
from gold.predictive.mood_predictions import mood_predictions
from gold.predictive.recommendation_backtest import recommendation_backtest
from gold.prescriptive.listed_songs import listed_songs
from gold.prescriptive.mood_improvement_recommendations import mood_improvement_recommendations
from gold.prescriptive.mood_intervention_triggers import mood_intervention_triggers
from gold.prescriptive.optimal_listening_times import optimal_listening_times
from gold.prescriptive.personalized_playlist_suggestions import personalized_playlist_suggestions
from lakehouse.contract import Table
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from tests.gold.listeners import listener
from tests.gold.prescriptive.music import inputs, lifting, offer, plays_of
from tests.support.frames import frame_of, made_of_plays, play

BY_HOUR = [mood_intervention_triggers, optimal_listening_times]
FROM_SONGS = [
    listed_songs,
    mood_improvement_recommendations,
    personalized_playlist_suggestions,
    recommendation_backtest,
]
TABLES = [*BY_HOUR, *FROM_SONGS, mood_outlook]
TEXTS = {
    mood_intervention_triggers.name: "suggested_intervention",
    optimal_listening_times.name: "wellbeing_tip",
    mood_improvement_recommendations.name: "recommendation_reason",
    personalized_playlist_suggestions.name: "playlist_purpose",
}
OFFERS = [offer("Artist", f"Song {i}", valence=0.9) for i in range(3)]
THIN_HISTORIES = {
    "empty": ([], OFFERS),
    "one play": ([play("2026-01-31 23:59:00")], OFFERS),
    "no features": ([play(f"2026-01-31 1{i}:00:00", feature_source="none") for i in range(5)], OFFERS),
    "few plays": (plays_of("Artist", "Song", 19), OFFERS),
    "no catalogue and nothing brighter": (plays_of("Artist", "Song", 19), []),
    "nothing at all": ([], []),
}
LISTENER = {True: listener(bright=True), False: listener(bright=False)}
PREDICTED = [{"play_id": "one", "hour_of_day": 7, "predicted_valence": 0.4}]
# Of listeners and catalogues the ones that the table has most to say of.
SAMPLES: dict[str, Callable[[bool], tuple[list[dict[str, Any]], list[dict[str, Any]]]]] = {
    table.name: lambda bright: (LISTENER[bright], []) for table in (*BY_HOUR, mood_outlook)
} | {table.name: lifting for table in FROM_SONGS}

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def built(table: Table, frames: Sequence[DataFrame]) -> DataFrame:
    """The table as the writer takes it."""
    plays, catalogue = frames
    predictions, songs = frame_of(plays.sparkSession, mood_predictions, PREDICTED), listed_songs(*frames)
    others = {"catalogue_tracks": catalogue, "mood_predictions": predictions, "listed_songs": songs}
    return conform(table, made_of_plays(table, plays, **others))


def sorted_rows(table: Table, frame: DataFrame) -> list[dict[str, Any]]:
    return [row.asDict() for row in frame.orderBy(*table.key).collect()]


@every_table
@pytest.mark.parametrize("history", THIN_HISTORIES)
def test_thin_histories_keep_the_contract(spark: SparkSession, table: Table, history: str) -> None:
    plays, offers = THIN_HISTORIES[history]
    count = enforce(table, built(table, inputs(spark, plays, offers))).rows
    assert count == (7 if table is mood_outlook and plays else 0)


@every_table
def test_rows_depend_neither_on_the_run_nor_on_order_and_partitions(spark: SparkSession, table: Table) -> None:
    plays, offers = SAMPLES[table.name](True)
    first = built(table, inputs(spark, plays, offers))
    enforce(table, first)
    rows = sorted_rows(table, first)
    assert rows
    shuffled = inputs(spark, plays[::-1], offers[::-1])
    again = built(table, [frame.repartition(3, "track_id") for frame in shuffled])
    for row, repeated in zip(rows, sorted_rows(table, again), strict=True):
        assert repeated == {
            name: pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
            for name, value in row.items()
        }


@pytest.mark.parametrize("table", [table for table in TABLES if table.name in TEXTS], ids=lambda table: table.name)
def test_opposite_listeners_read_different_texts(spark: SparkSession, table: Table) -> None:
    bright, dark = (
        {row[TEXTS[table.name]] for row in built(table, inputs(spark, *SAMPLES[table.name](is_bright))).collect()}
        for is_bright in (True, False)
    )
    assert bright and dark
    assert not bright & dark


@pytest.mark.parametrize("table", [table for table in TABLES if table.name in TEXTS], ids=lambda table: table.name)
def test_texts_are_about_the_music_and_diagnose_nothing(spark: SparkSession, table: Table) -> None:
    texts = {row[TEXTS[table.name]] for row in built(table, inputs(spark, *SAMPLES[table.name](False))).collect()}
    assert texts
    for text in texts:
        assert "music" in text
        assert not any(
            word in text.lower() for word in ("depress", "anxi", "therap", "disorder", "you are", "you feel")
        )


def test_opposite_listeners_are_recommended_different_songs(spark: SparkSession) -> None:
    bright, dark = (
        [
            (row["artist_name"], row["track_name"])
            for row in built(mood_improvement_recommendations, inputs(spark, *lifting(is_bright)))
            .orderBy("score")
            .tail(5)
        ]
        for is_bright in (True, False)
    )
    assert bright != dark
