"""What is expected from a daily series, and is that any better than a simpler way?"""

import numpy as np
import pandas as pd
import pytest

from gold.learning.outlook import ALPHA, outlooks


def test_a_constant_series_goes_on_and_nothing_is_better_or_worse() -> None:
    found = outlooks(pd.Series([0.4] * 60), 1.0)
    assert len(found) == 7
    assert [outlook.expected for outlook in found] == pytest.approx([0.4] * 7)
    assert [(outlook.lower, outlook.upper) for outlook in found] == [pytest.approx((0.4, 0.4))] * 7
    assert all(np.isnan(outlook.skill_vs_mean) and np.isnan(outlook.skill_vs_seasonal_naive) for outlook in found)


def test_expectation_weighs_days_with_a_value_by_their_order() -> None:
    days = pd.Series([0.2, np.nan, 0.8] + [np.nan, 0.5] * 12)
    known = days.dropna().to_numpy()
    weights = (1 - ALPHA) ** np.arange(len(known))[::-1]
    assert outlooks(days, 1.0)[0].expected == pytest.approx((weights @ known) / weights.sum())


def test_a_weekly_rhythm_is_worse_told_by_the_mean_than_by_the_last_week() -> None:
    found = outlooks(pd.Series([0.2, 0.4, 0.6, 0.8, 0.6, 0.4, 0.3] * 20), 1.0)
    assert all(np.isnan(outlook.skill_vs_seasonal_naive) for outlook in found)  # whose error is 0
    noisy = [0.2, 0.4, 0.6, 0.8, 0.6, 0.4, 0.3] * 20
    noisy = [value + 0.01 * (-1) ** (i // 7) for i, value in enumerate(noisy)]
    assert outlooks(pd.Series(noisy), 1.0)[0].skill_vs_seasonal_naive < 0


def test_a_change_of_level_is_told_better_than_by_the_mean_so_far() -> None:
    found = outlooks(pd.Series([0.2] * 60 + [0.8] * 120), 1.0)
    assert min(outlook.skill_vs_mean for outlook in found) > 0.3


def test_noise_has_next_to_no_skill_over_the_mean_and_covered_intervals() -> None:
    days = pd.Series(np.random.default_rng(3).normal(0.5, 0.1, 400))
    for outlook in outlooks(days, 1.0):
        assert abs(outlook.skill_vs_mean) < 0.05
        assert 0.1 < outlook.skill_vs_seasonal_naive < 0.4
        assert 0.85 <= days.between(outlook.lower, outlook.upper).mean() <= 0.95


@pytest.mark.parametrize(
    ("days", "has_expectation", "has_interval"), [(13, False, False), (14, True, False), (60, True, True)]
)
def test_too_few_days_tell_nothing(days: int, has_expectation: bool, has_interval: bool) -> None:
    found = outlooks(pd.Series(np.linspace(0.2, 0.6, days)), 1.0)[0]
    assert np.isfinite(found.expected) == has_expectation
    assert np.isfinite(found.lower) == np.isfinite(found.skill_vs_mean) == has_interval


def test_nothing_is_expected_from_nothing() -> None:
    assert all(np.isnan(outlook.expected) for outlook in outlooks(pd.Series([], dtype=float), 1.0))


def test_bounds_stay_possible() -> None:
    days = pd.Series([0.0, 1.0] * 50)
    assert all(outlook.lower >= 0 and outlook.upper <= 1 for outlook in outlooks(days, 1.0))


def test_a_day_is_not_forecast_from_itself() -> None:
    """Of 20 forecasts the worst makes the bound: that of the last day, which nothing before it announced."""
    days = pd.Series([0.5] * 33 + [0.9])
    found = outlooks(days, 1.0)[0]
    assert found.upper == pytest.approx(found.expected + 0.4)
