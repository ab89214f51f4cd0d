"""What does the music of each hour go with, and is it any different from the listener's usual?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import Row, SparkSession

from gold.predictive.mood_predictions import mood_predictions
from gold.prescriptive.optimal_listening_times import optimal_listening_times
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.prescriptive.hours import music_at
from tests.gold.sandwich import interval
from tests.support.frames import Tables, frame_of, made_of_plays


def by_hour(
    spark: SparkSession, *plays: dict[str, Any], predicted: list[dict[str, Any]] | None = None
) -> dict[int, Row]:
    predictions = frame_of(spark, mood_predictions, predicted or [])
    frame = made_of_plays(
        optimal_listening_times,
        frame_of(spark, listening_with_features, list(plays)),
        mood_predictions=predictions,
    )
    return {row["hour_of_day"]: row for row in frame.collect()}


def test_an_hour_like_any_other_is_no_different_from_usual(spark: SparkSession) -> None:
    row = by_hour(spark, *music_at(9, 0.7, energy=0.8), *music_at(22, 0.7, energy=0.8))[22]
    assert row["mood_state"] == "Bright & energetic, as usual"
    assert row["recommended_activity"].startswith("Music for moving: exercise, chores or a walk; its energy 0.80 (")
    assert row["recommended_activity"].endswith("is no different from usual.")
    assert row["wellbeing_tip"].startswith("Music between 22:00 and 22:59 has valence 0.70 (")
    assert row["wellbeing_tip"].endswith(
        "over 24 measured plays: no different from usual: choose the music by what you do, not by the clock."
    )


def test_hours_that_differ_say_how(spark: SparkSession) -> None:
    found = by_hour(spark, *music_at(9, 0.8, energy=0.2), *music_at(22, 0.3, energy=0.2))
    assert found[9]["mood_state"] == "Bright & calm, brighter than usual"
    assert "a good hour to keep for music that lifts." in found[9]["wellbeing_tip"]
    assert found[22]["mood_state"] == "Dark & calm, darker than usual"
    assert "start from the playlist Mood Lift." in found[22]["wellbeing_tip"]
    assert found[22]["recommended_activity"].startswith("Music for winding down or reading; ")


def test_energy_is_compared_too(spark: SparkSession) -> None:
    lively = music_at(9, 0.5, count=20, energy=0.8) + music_at(9, 0.5, count=20, energy=0.9, label="more")
    calm = music_at(22, 0.5, count=20, energy=0.1) + music_at(22, 0.5, count=20, energy=0.2, label="more")
    found = by_hour(spark, *lively, *calm)
    assert found[9]["mood_state"] == "Mixed & energetic, livelier than usual"
    assert found[22]["mood_state"] == "Mixed & calm, calmer than usual"


def test_predictions_are_averaged_by_hour(spark: SparkSession) -> None:
    predicted = [
        {"play_id": str(i), "hour_of_day": hour, "predicted_valence": valence}
        for i, (hour, valence) in enumerate([(9, 0.2), (9, 0.4), (10, 0.9)])
    ]
    found = by_hour(spark, *music_at(9, 0.5), *music_at(22, 0.5), predicted=predicted)
    assert found[9]["predicted_valence"] == pytest.approx(0.3)
    assert found[22]["predicted_valence"] is None


def test_hours_with_fewer_than_20_measured_plays_are_left_out(spark: SparkSession) -> None:
    assert set(by_hour(spark, *music_at(9, 0.5, count=20), *music_at(22, 0.5, count=19))) == {9}


@pytest.mark.real_data
def test_the_real_listener_hour_by_hour(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)]
    by_hour = real_table("optimal_listening_times").collect()
    counts = measured["hour_of_day"].value_counts()
    assert {row["hour_of_day"] for row in by_hour} == set(counts[counts >= 20].index)
    for row in by_hour:
        plays = measured[measured["hour_of_day"] == row["hour_of_day"]]
        low, high = interval(plays, "valence")
        assert (row["valence_ci_low"], row["valence_ci_high"]) == pytest.approx((low, high))
        is_usual = low <= measured["valence"].mean() <= high
        assert ("no different from usual" in row["wellbeing_tip"]) == is_usual
        low, high = interval(plays, "energy")
        is_usual = low <= measured["energy"].mean() <= high
        assert ("no different from usual" in row["recommended_activity"]) == is_usual
