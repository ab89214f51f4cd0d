"""When in the week does the listener play music, and how does it sound then?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive.listening_patterns_by_time import listening_patterns_by_time
from lakehouse.lake.schema import conform
from silver.listening_with_features import listening_with_features
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import LISTENER, Tables, frame_of, made_of_plays, only, play, rows

SATURDAY, SUNDAY = "2026-01-31", "2026-02-01"


def patterns(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    return made_of_plays(listening_patterns_by_time, frame_of(spark, listening_with_features, list(plays)))


def test_one_play_makes_one_row_with_its_own_features(spark: SparkSession) -> None:
    row = only(patterns(spark, play(f"{SATURDAY} 07:30:00", valence=0.9, energy=0.8, tempo=100.0)))
    assert row.asDict() == {
        "listener": LISTENER, "hour_of_day": 7, "day_of_week": 6, "day_name": "Saturday", "part_of_day": "morning",
        "is_weekend": True, "play_count": 1, "featured_play_count": 1, "avg_valence": 0.9, "avg_energy": 0.8,
        "avg_danceability": 0.5, "avg_acousticness": 0.2, "avg_tempo": 100.0,
    }  # fmt: skip


def test_same_hour_of_the_same_weekday_adds_up_over_weeks(spark: SparkSession) -> None:
    frame = patterns(spark, play(f"{SATURDAY} 07:00:00"), play("2026-02-07 07:59:59"))
    assert only(frame).play_count == 2


def test_midnight_starts_another_weekday_and_hour(spark: SparkSession) -> None:
    frame = patterns(spark, play(f"{SATURDAY} 23:59:59"), play(f"{SUNDAY} 00:00:00"))
    assert rows(frame, "day_of_week", "hour_of_day", "play_count") == [(0, 0, 1), (6, 23, 1)]


def test_plays_without_features_count_but_leave_averages_alone(spark: SparkSession) -> None:
    known, unknown = play(f"{SATURDAY} 07:00:00", valence=0.8), play(f"{SATURDAY} 07:10:00", feature_source="none")
    assert rows(patterns(spark, known, unknown), "play_count", "featured_play_count", "avg_valence") == [(2, 1, 0.8)]


def test_estimated_features_count_as_featured(spark: SparkSession) -> None:
    estimated = play(f"{SATURDAY} 07:00:00", feature_source="imputed_artist", valence=0.8, tempo=None)
    assert rows(patterns(spark, estimated), "featured_play_count", "avg_valence", "avg_tempo") == [(1, 0.8, None)]


def test_hour_without_featured_plays_has_null_averages(spark: SparkSession) -> None:
    frame = patterns(spark, play(f"{SATURDAY} 07:00:00", feature_source="none"))
    assert rows(frame, "play_count", "featured_play_count", "avg_valence") == [(1, 0, None)]


def test_no_plays_make_no_rows(spark: SparkSession) -> None:
    frame = patterns(spark)
    assert conform(listening_patterns_by_time, frame).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    slots = real_silver.assign(featured=real_silver["feature_source"] != "none").groupby(
        ["hour_of_day", "day_of_week", "day_name", "part_of_day", "is_weekend"], as_index=False
    )
    expected = slots.agg(
        play_count=("play_id", "size"),
        featured_play_count=("featured", "sum"),
        avg_valence=("valence", "mean"),
        avg_energy=("energy", "mean"),
        avg_danceability=("danceability", "mean"),
        avg_acousticness=("acousticness", "mean"),
        avg_tempo=("tempo", "mean"),
    )
    assert_same_rows(real_table("listening_patterns_by_time"), expected, ["day_of_week", "hour_of_day"])
