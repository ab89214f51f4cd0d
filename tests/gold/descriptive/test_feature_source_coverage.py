"""For how many plays are audio features known, and where do they come from?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive.feature_source_coverage import feature_source_coverage
from lakehouse.lake.schema import conform
from silver.listening_with_features import listening_with_features
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import LISTENER, Tables, frame_of, play, rows


def coverage(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    frame: DataFrame = feature_source_coverage(frame_of(spark, listening_with_features, list(plays)))
    return frame


def test_one_play_is_all_there_is(spark: SparkSession) -> None:
    frame = coverage(spark, play("2026-01-31 10:00:00", feature_source="spotify"))
    assert rows(frame) == [(LISTENER, "spotify", 1, 100.0, 1)]


def test_sources_share_all_plays_also_those_without_features(spark: SparkSession) -> None:
    plays = [play(f"2026-01-31 1{hour}:00:00") for hour in range(3)]
    frame = coverage(spark, *plays, play("2026-01-31 23:00:00", track_id="other", feature_source="none"))
    assert rows(frame) == [(LISTENER, "kaggle", 3, 75.0, 1), (LISTENER, "none", 1, 25.0, 1)]


def test_percentages_add_up_to_100(spark: SparkSession) -> None:
    sources = ("spotify", "kaggle", "none")
    frame = coverage(spark, *(play("2026-01-31 10:00:00", feature_source=source) for source in sources))
    assert sum(percentage for (percentage,) in rows(frame, "percentage")) == pytest.approx(100, rel=1e-12)


def test_tracks_without_id_count_by_recording(spark: SparkSession) -> None:
    first, again, other = (
        play(f"2026-01-31 1{hour}:00:00", track_id=None, recording_key=recording)
        for hour, recording in enumerate(("a", "a", "b"))
    )
    assert rows(coverage(spark, first, again, other), "record_count", "track_count") == [(3, 2)]


def test_releases_of_a_recording_count_by_id(spark: SparkSession) -> None:
    single = play("2026-01-31 10:00:00", track_id="single", recording_key="song")
    album = play("2026-01-31 11:00:00", track_id="album", recording_key="song")
    assert rows(coverage(spark, single, album), "track_count") == [(2,)]


def test_no_plays_make_no_rows(spark: SparkSession) -> None:
    assert conform(feature_source_coverage, coverage(spark)).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    plays = real_silver.assign(track=real_silver["track_id"].fillna(real_silver["recording_key"]))
    expected = plays.groupby("feature_source", as_index=False).agg(
        record_count=("play_id", "size"), track_count=("track", "nunique")
    )
    expected["percentage"] = expected["record_count"] / len(plays) * 100
    assert expected["percentage"].sum() == pytest.approx(100)
    assert_same_rows(real_table("feature_source_coverage"), expected, ["feature_source"])
