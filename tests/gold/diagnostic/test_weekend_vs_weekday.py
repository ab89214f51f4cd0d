"""Does the listener play other music at weekends than on weekdays, or more of it?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.diagnostic.weekend_vs_weekday import weekend_vs_weekday
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.sandwich import interval, p_value
from tests.support.frames import Tables, frame_of, made_of_plays, only, play, rows

FRIDAY, SATURDAY, SUNDAY, MONDAY = "2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"


def periods(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    return made_of_plays(weekend_vs_weekday, frame_of(spark, listening_with_features, list(plays)))


def test_the_weekend_is_saturday_and_sunday_from_midnight_to_midnight(spark: SparkSession) -> None:
    plays = [f"{FRIDAY} 23:59:59", f"{SATURDAY} 00:00:00", f"{SUNDAY} 23:59:59", f"{MONDAY} 00:00:00"]
    assert rows(periods(spark, *map(play, plays)), "period", "total_plays") == [("Weekday", 2), ("Weekend", 2)]


def test_plays_per_day_counts_dates_without_plays(spark: SparkSession) -> None:
    frame = periods(spark, play(f"{MONDAY} 10:00:00"), play(f"{MONDAY} 11:00:00"), play("2026-02-14 10:00:00"))
    assert rows(frame, "period", "plays_per_day") == [("Weekday", 0.2), ("Weekend", pytest.approx(1 / 3))]


def test_a_period_without_plays_has_no_row_and_the_other_no_difference(spark: SparkSession) -> None:
    row = only(periods(spark, play(f"{MONDAY} 10:00:00")))
    assert (row["period"], row["valence_difference"], row["valence_p_value"]) == ("Weekday", None, None)


def test_the_difference_is_weekend_minus_weekday_on_both_rows(spark: SparkSession) -> None:
    frame = periods(spark, play(f"{SATURDAY} 10:00:00", valence=0.75), play(f"{MONDAY} 10:00:00", valence=0.25))
    assert rows(frame, "valence_difference") == [(0.5,), (0.5,)]


def several(count: int, date: str, **values: Any) -> list[dict[str, Any]]:
    """Plays whose valence differs a little around the given one, one recording each."""
    middle = values.pop("valence", 0.5)
    return [
        play(f"{date} 10:{i:02d}:00", track_id=f"{date} {i} {values}", valence=middle + i / 100, **values)
        for i in range(count)
    ]


def test_only_measured_plays_are_tested(spark: SparkSession) -> None:
    measured = [*several(9, SATURDAY), *several(9, MONDAY)]
    estimated = several(9, SATURDAY, valence=0.9, feature_source="imputed_artist")
    without, with_estimates = (
        rows(periods(spark, *plays), "period", "sample_size", "valence_p_value", "valence_difference_ci_high")
        for plays in (measured, measured + estimated)
    )
    assert without == with_estimates
    assert without[0][2] == pytest.approx(1.0)


def test_a_clear_difference_has_a_small_p_value(spark: SparkSession) -> None:
    weekends = [date for date in ("2026-01-31", "2026-02-07", "2026-02-14", "2026-02-21")]
    weekdays = [f"2026-02-0{day}" for day in (2, 3, 4, 5)]
    bright = [row for date in weekends for row in several(3, date, valence=0.8)]
    dark = [row for date in weekdays for row in several(3, date, valence=0.3)]
    assert {p < 0.001 for (p,) in rows(periods(spark, *bright, *dark), "valence_p_value")} == {True}


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    plays = real_silver.assign(period=np.where(real_silver["day_of_week"].isin([0, 6]), "Weekend", "Weekday"))
    measured = plays[plays["feature_source"].isin(MEASURED_SOURCES)]
    features = ["valence", "energy", "danceability", "tempo", "acousticness"]
    expected = plays.groupby("period")[features].mean().add_prefix("avg_")
    dates = pd.date_range(plays["date"].min(), plays["date"].max())
    expected["total_plays"] = plays.groupby("period").size()
    expected["plays_per_day"] = expected["total_plays"] / [(dates.weekday < 5).sum(), (dates.weekday >= 5).sum()]
    expected["featured_play_count"] = plays[plays["feature_source"] != "none"].groupby("period").size()
    expected["sample_size"] = measured.groupby("period").size()
    expected["measured_valence"] = measured.groupby("period")["valence"].mean()
    expected[["valence_stddev", "energy_stddev"]] = measured.groupby("period")[["valence", "energy"]].std()
    expected["valence_difference"] = expected["avg_valence"].diff().loc["Weekend"]
    weekend = measured["period"] == "Weekend"
    expected["valence_p_value"] = p_value(measured, "valence", weekend)
    expected[["valence_difference_ci_low", "valence_difference_ci_high"]] = interval(measured, "valence", weekend)
    assert_same_rows(real_table("weekend_vs_weekday"), expected.reset_index(), ["period"])
