"""Intervals and p-values for plays of the same recordings and dates."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gold.shared.cluster_robust import Inference, of_difference, of_mean, of_slope

PLAYS = 300


def plays_of(values: list[float], recordings: list[str] | None = None, dates: list[int] | None = None) -> pd.DataFrame:
    """Plays, by default each of its own recording and on its own date."""
    days = dates or range(len(values))
    return pd.DataFrame(
        {
            "valence": values,
            "recording_key": recordings or [f"r{i}" for i in range(len(values))],
            "date": [dt.date(2026, 1, 1) + dt.timedelta(days=day) for day in days],
        }
    )


def noise(seed: int) -> list[float]:
    return list(np.random.default_rng(seed).normal(0.5, 0.1, PLAYS))


def test_independent_plays_have_the_textbook_interval() -> None:
    plays = plays_of(noise(1))
    sample = plays["valence"]
    low, high = stats.t.interval(0.95, PLAYS - 1, sample.mean(), stats.sem(sample))
    found = of_mean(plays, "valence")
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-9)


def test_independent_plays_have_the_textbook_test_of_a_difference() -> None:
    plays = plays_of(noise(2))
    inside = pd.Series(np.arange(PLAYS) < PLAYS // 2)
    welch = stats.ttest_ind(plays["valence"][inside], plays["valence"][~inside], equal_var=False)
    assert of_difference(plays, "valence", inside).p_value == pytest.approx(welch.pvalue, rel=0.02)


def test_independent_plays_have_about_the_textbook_test_of_a_correlation() -> None:
    plays = plays_of(noise(3)).assign(energy=noise(4))
    textbook = stats.pearsonr(plays["valence"], plays["energy"]).pvalue
    assert of_slope(plays, "valence", "energy").p_value == pytest.approx(textbook, abs=0.05)


def test_repeating_every_play_adds_no_evidence() -> None:
    once = noise(5)
    recordings = [f"r{i}" for i in range(PLAYS)]
    single = of_mean(plays_of(once), "valence")
    days = [*range(PLAYS), *range(PLAYS, 2 * PLAYS)]
    repeated = of_mean(plays_of(once * 2, recordings * 2, days), "valence")
    assert repeated.ci_high - repeated.ci_low == pytest.approx(single.ci_high - single.ci_low, rel=0.01)


def test_plays_of_one_date_count_as_chosen_together() -> None:
    rng = np.random.default_rng(6)
    of_day = np.repeat(rng.normal(0.5, 0.1, PLAYS // 10), 10).tolist()
    days = np.repeat(np.arange(PLAYS // 10), 10).tolist()
    together, apart = of_mean(plays_of(of_day, dates=days), "valence"), of_mean(plays_of(of_day), "valence")
    assert together.ci_high - together.ci_low > 2 * (apart.ci_high - apart.ci_low)


def test_dates_whose_means_agree_by_chance_prove_nothing() -> None:
    """With two dates their sums nearly cancel, and the two-way error with them."""
    values = [0.3, 0.7, 0.4, 0.601, 0.3, 0.7, 0.4, 0.6]
    found = of_mean(plays_of(values, dates=[0, 0, 0, 0, 1, 1, 1, 1]), "valence")
    half_width = stats.t.ppf(0.975, 1) * stats.sem(values)
    assert (found.ci_high - found.ci_low) / 2 >= 0.99 * half_width


def test_false_alarms_are_as_rare_as_promised() -> None:
    alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        tracks, days = rng.integers(40, size=PLAYS), rng.integers(60, size=PLAYS)
        values = rng.normal(0.5, 0.1, 40)[tracks] + rng.normal(0, 0.1, 60)[days]
        plays = plays_of(values.tolist(), [f"r{i}" for i in tracks], days.tolist())
        alarms += of_difference(plays, "valence", pd.Series(days % 7 >= 5)).p_value < 0.05
    assert alarms / 200 < 0.1


def test_the_smaller_side_gives_the_degrees_of_freedom() -> None:
    found = of_difference(plays_of(noise(7)), "valence", pd.Series(np.arange(PLAYS) < 3))
    error = (found.ci_high - found.ci_low) / 2 / stats.t.ppf(0.975, 2)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(found.ci_low + found.ci_high) / 2 / error, 2))


@pytest.mark.parametrize(
    ("values", "recordings"),
    [
        pytest.param([], [], id="no plays"),
        pytest.param([0.4], ["r"], id="one play"),
        pytest.param([0.4, 0.5, 0.6], ["r", "r", "r"], id="one recording"),
        pytest.param([0.4, 0.4, 0.4], ["r", "s", "t"], id="no spread"),
        pytest.param([np.nan, 0.4, np.nan], ["r", "s", "t"], id="one known play"),
    ],
)
def test_too_little_says_nothing(values: list[float], recordings: list[str]) -> None:
    found = of_mean(plays_of(values, recordings), "valence")
    assert str(found) == str(Inference())


def test_one_side_only_says_nothing() -> None:
    plays = plays_of([0.1, 0.2, 0.3])
    assert np.isnan(of_difference(plays, "valence", pd.Series([True] * 3)).p_value)


def test_one_date_is_judged_by_recordings_alone() -> None:
    plays = plays_of([0.1, 0.2, 0.3, 0.5], dates=[0, 0, 0, 0])
    low, high = stats.t.interval(0.95, 3, plays["valence"].mean(), stats.sem(plays["valence"]))
    found = of_mean(plays, "valence")
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), rel=1e-9)
