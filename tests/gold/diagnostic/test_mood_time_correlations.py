"""How does the music's mood go with the hour of the day, and how sure is that?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from gold.diagnostic.mood_time_correlations import mood_time_correlations
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.sandwich import interval
from tests.support.frames import Tables, frame_of, made_of_plays, only, play, rows


def by_hour(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    return made_of_plays(mood_time_correlations, frame_of(spark, listening_with_features, list(plays)))


def at_ten(spark: SparkSession, *plays: dict[str, Any]) -> Row:
    return only(by_hour(spark, *(play("2026-01-31 10:00:00", track_id=f"t{i}", **p) for i, p in enumerate(plays))))


def test_midnight_belongs_to_hour_zero(spark: SparkSession) -> None:
    frame = by_hour(spark, play("2026-01-31 23:59:59"), play("2026-02-01 00:00:00"))
    assert rows(frame, "hour_of_day", "sample_size") == [(0, 1), (23, 1)]


def test_averages_rest_on_featured_plays_the_rest_on_measured_ones(spark: SparkSession) -> None:
    estimated = {"valence": 0.9, "feature_source": "imputed_artist"}
    row = at_ten(spark, {"valence": 0.2}, {"valence": 0.4}, estimated, {"feature_source": "none"})
    assert (row["avg_valence"], row["featured_play_count"], row["sample_size"]) == (pytest.approx(0.5), 3, 2)
    assert row["valence_stddev"] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert row["measured_valence"] == pytest.approx(0.3)
    assert row["valence_ci_low"] < 0.3 < row["valence_ci_high"]


def test_one_play_has_an_average_but_neither_spread_nor_interval(spark: SparkSession) -> None:
    row = at_ten(spark, {"valence": 0.2})
    assert (row["avg_valence"], row["valence_stddev"], row["valence_ci_low"], row["valence_ci_high"]) == (
        pytest.approx(0.2),
        None,
        None,
        None,
    )


def test_one_recording_on_repeat_has_no_interval(spark: SparkSession) -> None:
    row = at_ten(spark, {"recording_key": "r"}, {"recording_key": "r"}, {"recording_key": "r", "valence": 0.6})
    assert row["valence_ci_low"] is None


def test_an_hour_without_features_says_null(spark: SparkSession) -> None:
    row = at_ten(spark, {"feature_source": "none"})
    assert (row["avg_valence"], row["avg_energy"], row["sample_size"], row["featured_play_count"]) == (None, None, 0, 0)


def test_an_interval_does_not_leave_the_range_of_valence(spark: SparkSession) -> None:
    row = at_ten(spark, {"valence": 0.0}, {"valence": 1.0})
    assert (row["valence_ci_low"], row["valence_ci_high"]) == (0.0, 1.0)


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)]
    hours, measured_hours = real_silver.groupby("hour_of_day"), measured.groupby("hour_of_day")
    expected = hours[["valence", "energy", "danceability", "acousticness"]].mean().add_prefix("avg_")
    expected["featured_play_count"] = hours["feature_source"].agg(lambda source: (source != "none").sum())
    expected["sample_size"] = measured_hours.size().reindex(expected.index, fill_value=0)
    expected["measured_valence"] = measured_hours["valence"].mean()
    expected[["valence_stddev", "energy_stddev"]] = measured_hours[["valence", "energy"]].std()
    bounds = pd.DataFrame({hour: interval(plays, "valence") for hour, plays in measured_hours}).T
    expected[["valence_ci_low", "valence_ci_high"]] = bounds.clip(0, 1)
    assert_same_rows(real_table("mood_time_correlations"), expected.reset_index(), ["hour_of_day"])
