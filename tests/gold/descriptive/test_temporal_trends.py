"""How do listening and the mood of the music change from date to date?"""

from datetime import date
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive.temporal_trends import temporal_trends
from lakehouse.lake.schema import conform
from silver.listening_with_features import listening_with_features as PLAYS
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import LISTENER, Tables, dates, frame_of, only, play, rows

# A play each: its day and its track.
KNOWN = (("10", "heard early"), ("14", "heard early"), ("16", "only once"), ("28", "heard late"), ("31", "heard late"))


def trends(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    frame: DataFrame = temporal_trends(frame_of(spark, PLAYS, list(plays)))
    return frame


def test_one_play_makes_one_date(spark: SparkSession) -> None:
    row = only(trends(spark, play("2026-01-31 10:00:00", ms_played=90_000, valence=0.9, energy=0.8)))
    assert row.asDict() == {
        "listener": LISTENER, "date": date(2026, 1, 31), "total_plays": 1, "minutes_played": 1.5, "distinct_tracks": 1,
        "distinct_artists": 1, "new_tracks": 1, "avg_valence": 0.9, "avg_energy": 0.8, "avg_tempo": 120.0,
        "weekend_plays": 1, "avg_valence_7d": 0.9, "avg_energy_7d": 0.8, "total_plays_7d": 1.0,
    }  # fmt: skip


def test_midnight_starts_another_date(spark: SparkSession) -> None:
    frame = trends(spark, play("2026-01-31 23:59:59"), play("2026-02-01 00:00:00"))
    assert rows(frame, "date", "total_plays") == [(date(2026, 1, 31), 1), (date(2026, 2, 1), 1)]


def test_dates_without_plays_have_zero_counts_and_null_averages(spark: SparkSession) -> None:
    frame = trends(spark, play("2026-01-30 10:00:00"), play("2026-02-01 10:00:00"))
    between = rows(
        frame.where("date = '2026-01-31'"),
        "total_plays", "minutes_played", "distinct_tracks", "distinct_artists", "new_tracks", "weekend_plays",
        "avg_valence", "avg_energy", "avg_tempo",
    )  # fmt: skip
    assert between == [(0, 0.0, 0, 0, 0, 0, None, None, None)]


def test_only_the_first_play_of_a_recording_is_new(spark: SparkSession) -> None:
    song = {"recording_key": "song"}
    frame = trends(
        spark,
        play("2026-01-30 10:00:00", track_id="single", **song),
        play("2026-01-30 11:00:00", track_id="single", **song),
        play("2026-01-31 10:00:00", track_id="album", **song),
    )
    assert rows(frame, "date", "distinct_tracks", "new_tracks") == [
        (date(2026, 1, 30), 1, 1),
        (date(2026, 1, 31), 1, 0),
    ]


def test_plays_of_unknown_length_add_no_minutes(spark: SparkSession) -> None:
    known, unknown = play("2026-01-31 10:00:00", ms_played=60_000), play("2026-01-31 11:00:00", ms_played=None)
    assert rows(trends(spark, known, unknown), "total_plays", "minutes_played") == [(2, 1.0)]


def test_seven_dates_give_every_play_the_same_weight(spark: SparkSession) -> None:
    many = [play(f"2026-01-30 1{hour}:00:00", valence=0.2) for hour in range(3)]
    frame = trends(spark, *many, play("2026-01-31 10:00:00", valence=1.0))
    assert rows(frame, "date", "avg_valence_7d", "total_plays_7d") == [
        (date(2026, 1, 30), pytest.approx(0.2), 3.0),
        (date(2026, 1, 31), pytest.approx(0.4), 4.0),
    ]


def test_seven_dates_weigh_only_plays_that_have_the_feature(spark: SparkSession) -> None:
    known, unknown = play("2026-01-30 10:00:00", valence=0.8), play("2026-01-31 10:00:00", feature_source="none")
    frame = trends(spark, known, unknown)
    assert rows(frame.where("date = '2026-01-31'"), "avg_valence", "avg_valence_7d", "total_plays_7d") == [
        (None, 0.8, 2.0)
    ]


def test_a_play_is_forgotten_after_seven_dates(spark: SparkSession) -> None:
    first, last = "2026-01-01 10:00:00", "2026-01-08 10:00:00"
    frame = trends(spark, play(first, valence=0.2), play(last, feature_source="none"))
    expected = [(0.2, day, 1.0) for day in dates("2026-01-01", 7)] + [(None, date(2026, 1, 8), 1.0)]
    assert rows(frame, "avg_valence_7d", "date", "total_plays_7d") == expected


def test_no_plays_make_no_rows(spark: SparkSession) -> None:
    assert conform(temporal_trends, trends(spark)).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    plays = real_silver.assign(date=pd.to_datetime(real_silver["date"]))
    expected = plays.groupby("date").agg(
        total_plays=("play_id", "size"),
        minutes_played=("ms_played", lambda ms: ms.sum() / 60_000),
        distinct_tracks=("recording_key", "nunique"),
        distinct_artists=("artist_name", "nunique"),
        weekend_plays=("is_weekend", "sum"),
        avg_valence=("valence", "mean"),
        avg_energy=("energy", "mean"),
        avg_tempo=("tempo", "mean"),
    )
    expected["new_tracks"] = plays.groupby("recording_key")["date"].min().value_counts()
    expected = expected.reindex(pd.date_range(plays["date"].min(), plays["date"].max(), name="date"))
    counts = [name for name in expected.columns if not name.startswith("avg_")]
    expected[counts] = expected[counts].fillna(0)
    expected["total_plays_7d"] = expected["total_plays"].rolling(7, min_periods=1).sum()
    for feature in ("valence", "energy"):
        # One play at a time, over the wanted span: no sums that sliding could let drift.
        expected[f"avg_{feature}_7d"] = [
            plays.loc[plays["date"].between(day - pd.Timedelta(days=6), day), feature].mean() for day in expected.index
        ]
    expected = expected.reset_index()
    expected["date"] = expected["date"].dt.date
    assert_same_rows(real_table("temporal_trends"), expected, ["date"])
