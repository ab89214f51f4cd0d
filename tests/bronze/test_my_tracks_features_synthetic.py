"""Made-up features: none unless switched on, and the same ones every time."""

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features_synthetic import my_tracks_features_bronze_synthetic
from lakehouse.columns import AUDIO_FEATURES, UNIT_FEATURES
from lakehouse.storage import conform, enforce
from tests.frames import frame_of, rows

RANGES = {
    **dict.fromkeys(UNIT_FEATURES, (0, 1)), "key": (0, 11), "loudness": (-30, 0), "mode": (0, 1), "tempo": (60, 180),
    "time_signature": (3, 5),
}  # fmt: skip


def listened(track_id: str | None, day: int = 1) -> dict[str, Any]:
    return {"play_id": f"{track_id} {day}", "track_id": track_id, "ingested_at": datetime(2026, 1, day)}


def synthetic(spark: SparkSession, plays: list[dict[str, Any]], *, allowed: bool = True) -> DataFrame:
    history = frame_of(spark, listening_history_bronze, plays)
    found: DataFrame = my_tracks_features_bronze_synthetic(history, allow_synthetic=allowed)
    return found


@pytest.fixture(scope="module")
def many(spark: SparkSession) -> list[Row]:
    return synthetic(spark, [listened(f"track {n}") for n in range(500)]).collect()


def test_switched_off_there_are_none(spark: SparkSession) -> None:
    assert synthetic(spark, [listened("a")], allowed=False).collect() == []


def test_a_track_is_one_row_and_plays_without_id_get_none(spark: SparkSession) -> None:
    assert rows(synthetic(spark, [listened("a"), listened("a", 2), listened("b"), listened(None)]), "track_id") == [
        ("a",),
        ("b",),
    ]


def test_frame_keeps_the_contract(spark: SparkSession) -> None:
    table = my_tracks_features_bronze_synthetic
    assert enforce(table, conform(table, synthetic(spark, [listened("a"), listened("b")])))[0] == 2


@pytest.mark.parametrize("feature", AUDIO_FEATURES)
def test_values_fill_their_range(many: list[Row], feature: str) -> None:
    low, high = RANGES[feature]
    values = [row[feature] for row in many]
    assert low <= min(values) <= low + 0.1 * (high - low)
    assert high - 0.1 * (high - low) <= max(values) <= high


def test_features_are_independent_of_each_other(many: list[Row]) -> None:
    pairs = {(row["valence"], row["energy"]) for row in many}
    assert len(pairs) == len(many)
    assert len({round(valence - energy, 6) for valence, energy in pairs}) > 0.9 * len(many)


def test_the_track_id_alone_fixes_the_values(spark: SparkSession) -> None:
    alone = synthetic(spark, [listened("a")])
    later = synthetic(spark, [listened("b"), listened("a", 3), listened("a")]).where("track_id = 'a'")
    assert rows(later) == rows(alone)


def test_the_values_never_change(spark: SparkSession) -> None:
    row = synthetic(spark, [listened("a")]).collect()[0]
    assert (round(row["valence"], 6), row["key"]) == (0.476047, 2)
