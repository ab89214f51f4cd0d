"""At which hours does the mood of the music stay, and at which does it jump from one play to the next?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.diagnostic.mood_shift_patterns import mood_shift_patterns
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import Tables, frame_of, only, play, rows


def shifts(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    frame: DataFrame = mood_shift_patterns(frame_of(spark, listening_with_features, list(plays)))
    return frame


def in_session(*moods: tuple[float, float], hour: int = 10) -> list[dict[str, Any]]:
    return [
        play(f"2026-01-31 {hour}:{minute:02d}:00", session_id=hour, valence=valence, energy=energy)
        for minute, (valence, energy) in enumerate(moods)
    ]


@pytest.mark.parametrize(
    ("later", "magnitude"),
    [
        ((0.9, 0.5), "Stable"),  # 0.9 - 0.7 is 0.20000000000000007
        ((0.901, 0.5), "Minor_Shift"),
        ((0.2, 0.5), "Minor_Shift"),
        ((0.199, 0.5), "Major_Shift"),
        ((0.7, 1.0), "Minor_Shift"),
        ((0.8, 0.99), "Minor_Shift"),
        ((0.6, 0.55), "Stable"),
    ],
)
def test_the_larger_change_decides(spark: SparkSession, later: tuple[float, float], magnitude: str) -> None:
    assert only(shifts(spark, *in_session((0.7, 0.5), later)))["shift_magnitude"] == magnitude


def test_changes_are_later_minus_earlier_and_averaged(spark: SparkSession) -> None:
    row = only(shifts(spark, *in_session((0.5, 0.5), (0.6, 0.4), (0.5, 0.5), (0.65, 0.5))))
    assert (row["shift_count"], row["avg_valence_change"], row["avg_energy_change"]) == (3, pytest.approx(0.05), 0.0)


def test_probability_is_within_the_hour_and_lift_against_all_hours(spark: SparkSession) -> None:
    ten = in_session((0.5, 0.5), (0.5, 0.5), (0.9, 0.5))
    eleven = in_session((0.5, 0.5), (0.5, 0.5), (0.5, 0.5), hour=11)
    assert rows(shifts(spark, *ten, *eleven), "hour_of_day", "shift_magnitude", "shift_probability", "lift") == [
        (10, "Minor_Shift", 0.5, 2.0),
        (10, "Stable", 0.5, pytest.approx(2 / 3)),
        (11, "Stable", 1.0, pytest.approx(4 / 3)),
    ]


def test_changes_that_cancel_add_up_to_the_same_in_any_order(spark: SparkSession) -> None:
    plays = in_session(*((valence, 0.5) for valence in (0.32, 0.51, 0.37, 0.6, 0.55, 0.32)))
    frame = frame_of(spark, listening_with_features, plays).orderBy("play_id").repartition(3)
    one, other = (
        rows(made, "shift_magnitude", "avg_valence_change")
        for made in (shifts(spark, *plays), mood_shift_patterns(frame))
    )
    assert one == other


def test_single_plays_do_not_shift(spark: SparkSession) -> None:
    assert shifts(spark, *in_session((0.5, 0.5)), *in_session((0.9, 0.5), hour=11)).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)].dropna(subset=["valence", "energy"])
    plays = measured.sort_values(["played_at", "play_id"])
    changes = plays.groupby("session_id")[["valence", "energy"]].diff().dropna().round(9)
    largest = changes.abs().max(axis=1)
    magnitude = pd.cut(largest, [-1, 0.2, 0.5, 1], labels=["Stable", "Minor_Shift", "Major_Shift"]).astype(str)
    pairs = changes.assign(hour_of_day=plays["hour_of_day"], shift_magnitude=magnitude)
    key = ["hour_of_day", "shift_magnitude"]
    expected = pairs.groupby(key).agg(
        shift_count=("valence", "size"), avg_valence_change=("valence", "mean"), avg_energy_change=("energy", "mean")
    )
    expected["shift_probability"] = pairs.groupby("hour_of_day")["shift_magnitude"].value_counts(normalize=True)
    overall = magnitude.value_counts(normalize=True)
    expected = expected.reset_index()
    expected["lift"] = expected["shift_probability"] / expected["shift_magnitude"].map(overall)
    assert_same_rows(real_table("mood_shift_patterns"), expected, key)
