"""At which hours is the listener's music darker than usual, so that a change of music may be welcome?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import Row, SparkSession

from gold.prescriptive.mood_intervention_triggers import mood_intervention_triggers
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.prescriptive.hours import music_at
from tests.gold.sandwich import interval
from tests.support.frames import Tables, frame_of, made_of_plays


def by_hour(spark: SparkSession, *plays: dict[str, Any]) -> dict[int, Row]:
    frame = made_of_plays(mood_intervention_triggers, frame_of(spark, listening_with_features, list(plays)))
    return {row["hour_of_day"]: row for row in frame.collect()}


def test_an_hour_darker_than_usual_and_dark_comes_first(spark: SparkSession) -> None:
    row = by_hour(spark, *music_at(9, 0.7), *music_at(10, 0.7), *music_at(22, 0.3))[22]
    assert (row["intervention_needed"], row["mood_support_playlist"]) == ("High Priority", "Mood Lift")
    assert (row["low_mood_count"], row["total_plays"], row["sample_size"]) == (24, 24, 24)
    assert row["suggested_intervention"].startswith("Of 24 measured plays 24 (100 %) are of dark music; valence 0.30 (")
    assert row["suggested_intervention"].endswith("usual 0.57): darker than usual; for brighter music try Mood Lift.")


def test_an_hour_darker_than_usual_but_not_dark_comes_second(spark: SparkSession) -> None:
    assert by_hour(spark, *music_at(9, 0.9), *music_at(22, 0.6))[22]["intervention_needed"] == "Medium Priority"


def test_music_that_is_dark_at_all_hours_is_no_different_from_usual(spark: SparkSession) -> None:
    row = by_hour(spark, *music_at(9, 0.2), *music_at(22, 0.2))[22]
    assert row["intervention_needed"] == "Medium Priority"
    assert "dark, but no different from usual" in row["suggested_intervention"]


@pytest.mark.parametrize(("energy", "playlist"), [(0.8, "Energy"), (0.5, "Discovery"), (0.2, "Relaxation")])
def test_an_hour_like_any_other_needs_no_change(spark: SparkSession, energy: float, playlist: str) -> None:
    row = by_hour(spark, *music_at(9, 0.7, energy=energy), *music_at(22, 0.7, energy=energy))[22]
    assert (row["intervention_needed"], row["mood_support_playlist"]) == ("Low Priority", playlist)
    assert (
        f"no different from usual, nothing to change; for more music try {playlist}." in row["suggested_intervention"]
    )


def test_a_brighter_hour_says_so(spark: SparkSession) -> None:
    row = by_hour(spark, *music_at(9, 0.9), *music_at(22, 0.6))[9]
    assert row["intervention_needed"] == "Low Priority"
    assert "brighter than usual" in row["suggested_intervention"]


def test_one_song_on_repeat_is_no_evidence(spark: SparkSession) -> None:
    repeated = [row | {"recording_key": "one"} for row in music_at(22, 0.3)]
    row = by_hour(spark, *music_at(9, 0.7), *repeated)[22]
    assert "no different from usual" in row["suggested_intervention"]


def test_estimates_count_in_averages_only(spark: SparkSession) -> None:
    guessed = music_at(22, 0.1, count=12, feature_source="imputed_artist", label="guessed")
    row = by_hour(spark, *music_at(22, 0.7), *guessed)[22]
    assert (row["low_mood_count"], row["sample_size"], row["total_plays"]) == (0, 24, 36)
    assert row["avg_valence"] == pytest.approx((24 * 0.7 + 12 * 0.1) / 36)


def test_hours_with_fewer_than_20_measured_plays_are_left_out(spark: SparkSession) -> None:
    assert set(by_hour(spark, *music_at(9, 0.5, count=20), *music_at(22, 0.5, count=19))) == {9}


@pytest.mark.real_data
def test_the_real_listener_hour_by_hour(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)]
    by_hour = {row["hour_of_day"]: row for row in real_table("mood_intervention_triggers").collect()}
    counts = measured["hour_of_day"].value_counts()
    assert set(by_hour) == set(counts[counts >= 20].index)
    usual = measured["valence"].mean()
    for hour, row in by_hour.items():
        plays = measured[measured["hour_of_day"] == hour]
        low, high = interval(plays, "valence")
        assert (row["valence_ci_low"], row["valence_ci_high"]) == pytest.approx((low, high))
        assert row["low_mood_count"] == (plays["valence"] < 0.4).sum()
        assert ("no different from usual" in row["suggested_intervention"]) == (low <= usual <= high)
        assert (row["intervention_needed"] == "Low Priority") == (high >= usual and plays["valence"].mean() >= 0.4)
