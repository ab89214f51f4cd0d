"""The plays that intervals and tests look at."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from silver.sampled_plays import sampled_plays
from tests.support.frames import Tables, frame_of, play, rows

PLAYS = [play(f"2026-01-31 10:{i:02d}:00", valence=i / 60) for i in range(60)]


def sampled(spark: SparkSession, plays: list[dict[str, Any]]) -> DataFrame:
    frame: DataFrame = sampled_plays(frame_of(spark, listening_with_features, plays))
    return frame


@pytest.mark.parametrize("source", MEASURED_SOURCES)
def test_all_measured_plays_are_looked_at(source: str, spark: SparkSession) -> None:
    plays = [play("2026-01-31 10:00:00", feature_source=source, valence=0.25)]
    assert rows(sampled(spark, plays), "play_id", "valence") == [(plays[0]["play_id"], 0.25)]


@pytest.mark.parametrize("source", ["imputed_artist", "synthetic", "none"])
def test_others_are_not(source: str, spark: SparkSession) -> None:
    assert sampled(spark, [play("2026-01-31 10:00:00", feature_source=source)]).count() == 0


@pytest.mark.real_data
def test_all_measured_plays_of_the_real_listener_are_few_enough(real_table: Tables) -> None:
    measured = real_table("listening_with_features").where(f"feature_source IN {MEASURED_SOURCES}")
    assert sorted(rows(real_table("sampled_plays"), "play_id")) == sorted(rows(measured, "play_id"))
