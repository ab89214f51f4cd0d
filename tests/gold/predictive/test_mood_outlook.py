"""What music can be expected on the next seven days, and is that expectation any better than a simpler one?"""

from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.predictive.mood_outlook import mood_outlook
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.support.frames import Tables, dates, frame_of, play

LAST_DAY = datetime(2026, 3, 8, 23, 50)


def days_of_music(days: int, plays_a_day: int = 3, **values: Any) -> list[dict[str, Any]]:
    """Plays on so many consecutive dates up to the last day, just before midnight."""
    return [
        play(str(LAST_DAY - timedelta(days=day, minutes=i)), track_id=f"{day}-{i}", **values)
        for day in range(days)
        for i in range(plays_a_day)
    ]


def outlook(spark: SparkSession, plays: list[dict[str, Any]]) -> pd.DataFrame:
    frame: DataFrame = mood_outlook(frame_of(spark, listening_with_features, plays))
    return frame.toPandas().sort_values("date", ignore_index=True)


def test_the_seven_dates_after_the_last_play(spark: SparkSession) -> None:
    found = outlook(spark, days_of_music(2))
    assert list(found["date"]) == dates("2026-03-09", 7)
    assert list(found["horizon_days"]) == list(range(1, 8))


def test_steady_music_goes_on(spark: SparkSession) -> None:
    found = outlook(spark, days_of_music(60, valence=0.7, energy=0.2))
    assert found["expected_valence"].tolist() == pytest.approx([0.7] * 7)
    assert found["valence_lower_90"].tolist() == pytest.approx([0.7] * 7)
    assert found["expected_energy"].tolist() == pytest.approx([0.2] * 7)
    assert found["expected_plays"].tolist() == pytest.approx([3.0] * 7)
    assert set(found["method"]) == {
        "exponentially weighted mean, alpha 0.05, of 60 days with at least 3 measured plays"
    }


def test_dates_without_plays_are_days_of_no_plays(spark: SparkSession) -> None:
    every_other = [row for row in days_of_music(60, plays_a_day=4) if row["date"].toordinal() % 2]
    assert outlook(spark, every_other)["expected_plays"].iloc[0] == pytest.approx(2, abs=0.2)


def test_the_unfinished_last_date_does_not_lower_the_number_of_plays(spark: SparkSession) -> None:
    early = [row for row in days_of_music(60, plays_a_day=4) if row["date"] != LAST_DAY.date()]
    found = outlook(spark, [*early, play(str(LAST_DAY), track_id="one")])
    for name in ("expected_plays", "plays_lower_90", "plays_upper_90"):
        assert found[name].tolist() == pytest.approx([4.0] * 7)


@pytest.mark.parametrize("values", [{"feature_source": "imputed_artist"}, {"plays_a_day": 2}])
def test_days_without_3_measured_plays_tell_nothing_of_the_mood(spark: SparkSession, values: dict[str, Any]) -> None:
    found = outlook(spark, days_of_music(60, **values))
    nothing = ["expected_valence", "expected_energy", "valence_lower_90", "skill_vs_mean", "energy_skill_vs_mean"]
    assert found[nothing].isna().all(axis=None)
    assert found["expected_plays"].notna().all()
    assert found["method"].iloc[0].startswith("none for valence and energy: 0 days with at least 3 measured plays")


def test_too_few_days_are_null_not_nan(spark: SparkSession) -> None:
    rows = mood_outlook(frame_of(spark, listening_with_features, days_of_music(5))).collect()
    assert {(row["expected_valence"], row["expected_plays"], row["skill_vs_mean"]) for row in rows} == {(None,) * 3}


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["valence", "energy", "plays"])
def test_the_real_listeners_outlook_and_its_skill(real_table: Tables, real_silver: pd.DataFrame, name: str) -> None:
    found = real_table("mood_outlook").toPandas().sort_values("date", ignore_index=True)
    last = real_silver["date"].max()
    assert list(found["date"]) == [last + timedelta(days=i) for i in range(1, 8)]
    by_day = _plays_by_day(real_silver) if name == "plays" else _means_by_day(real_silver, name)
    prefix = "" if name == "valence" else f"{name}_"
    for row in found.to_dict("records"):
        skill_naive, skill_mean, errors = _backtest(by_day, row["horizon_days"])
        expected = row[f"expected_{name}"]
        assert expected == pytest.approx(_weighted(list(by_day.values())))
        skills = [row[f"{prefix}skill_vs_{other}"] for other in ("seasonal_naive", "mean")]
        assert skills == pytest.approx([skill_naive, skill_mean], abs=1e-9)
        ordered, last_place = np.sort(errors), len(errors) - 1
        lower = max(0.0, expected + ordered[int(np.floor(0.05 * last_place))])
        upper = min(np.inf if name == "plays" else 1.0, expected + ordered[int(np.ceil(0.95 * last_place))])
        assert [row[f"{name}_{bound}_90"] for bound in ("lower", "upper")] == pytest.approx([lower, upper])


def _means_by_day(plays: pd.DataFrame, name: str) -> dict[date, float]:
    by_date = plays[plays["feature_source"].isin(MEASURED_SOURCES)].groupby("date")[name].agg(["mean", "size"])
    known = by_date.loc[by_date["size"] >= 3, "mean"]
    return dict(zip(known.index, known, strict=True))


def _plays_by_day(plays: pd.DataFrame) -> dict[date, float]:
    """Every date before that of the last play."""
    counts = plays["date"].value_counts()
    days = (plays["date"].max() - plays["date"].min()).days
    dates_before = [plays["date"].min() + timedelta(days=i) for i in range(days)]
    return {day: float(counts.get(day, 0)) for day in dates_before}


def _weighted(values: list[float]) -> float:
    weights = 0.95 ** np.arange(len(values))[::-1]
    return float(weights @ np.array(values) / weights.sum())


def _backtest(known: dict[date, float], horizon: int) -> tuple[float, float, list[float]]:
    """Every forecast made one by one from what was known at its origin."""
    errors, of_naive, of_mean = [], [], []
    for target, value in known.items():
        seen = {day: past for day, past in known.items() if day <= target - timedelta(days=horizon)}
        weekdays = [day for day in known if day <= target - timedelta(days=7) and day.weekday() == target.weekday()]
        if len(seen) < 14 or not weekdays:
            continue
        past = list(seen.values())
        errors.append(value - _weighted(past))
        of_naive.append(value - known[max(weekdays)])
        of_mean.append(value - np.mean(past))
    size = np.abs(errors).mean()
    return 1 - size / np.abs(of_naive).mean(), 1 - size / np.abs(of_mean).mean(), errors
