"""Forecast a daily series by an exponentially weighted mean, and backtest that against two simpler forecasts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

# Half of the weight lies on the last 14 days with a value. A study on a real history found 0.03 to 0.1 equally good.
ALPHA = 0.05
DAYS_AHEAD = 7
WEEK = 7
# With fewer days there is no expectation; a forecast of the backtest needs as many before it.
ENOUGH_DAYS = 14
# With fewer backtested forecasts there is neither an interval nor a skill.
ENOUGH_FORECASTS = 20
COVERAGE = 0.9


@dataclass(frozen=True)
class Outlook:
    """The expectation for one horizon; NaN where there are too few days.

    Attributes:
        expected: exponentially weighted mean of the days so far.
        lower, upper: bounds of the 90 % interval for a single day.
        skill_vs_seasonal_naive: share of the mean absolute error of 'as on the last such weekday' that is removed.
        skill_vs_mean: the same for 'the mean so far'.
    """

    expected: float = np.nan
    lower: float = np.nan
    upper: float = np.nan
    skill_vs_seasonal_naive: float = np.nan
    skill_vs_mean: float = np.nan


def outlooks(days: pd.Series, highest: float) -> list[Outlook]:
    """Forecast the coming days from the days so far.

    The weight of a day falls by `ALPHA` with every later day that has a value. Rolling origin: every day's value is
    compared with the forecast made `horizon` days before it; the interval adds the quantiles of these errors to the
    expectation, and the skills compare the mean absolute errors on the same days.

    Args:
        days: one value per consecutive date, NaN on dates without one.
        highest: the interval is clipped to 0..highest.

    Returns:
        One outlook for each of 1 to 7 days ahead.
    """
    expected = days.ewm(alpha=ALPHA, adjust=True, ignore_na=True).mean()
    known_days = days.notna().cumsum()
    if not len(days) or known_days.iloc[-1] < ENOUGH_DAYS:
        return [Outlook()] * DAYS_AHEAD
    return [_outlook(days, expected, known_days, horizon, highest) for horizon in range(1, DAYS_AHEAD + 1)]


def _outlook(days: pd.Series, expected: pd.Series, known_days: pd.Series, horizon: int, highest: float) -> Outlook:
    latest = float(expected.iloc[-1])
    weekday = np.arange(len(days)) % WEEK
    forecasts = pd.DataFrame(
        {
            "value": days,
            "expected": expected.shift(horizon),
            "mean": days.expanding().mean().shift(horizon),
            # The same weekday one week before the target is never later than the origin.
            "naive": days.groupby(weekday).ffill().shift(WEEK),
        }
    )[known_days.shift(horizon) >= ENOUGH_DAYS].dropna()
    if len(forecasts) < ENOUGH_FORECASTS:
        return Outlook(latest)
    errors = forecasts["value"] - forecasts["expected"]
    tail = (1 - COVERAGE) / 2
    lower, upper = np.quantile(errors, tail, method="lower"), np.quantile(errors, 1 - tail, method="higher")
    return Outlook(
        latest,
        max(0.0, latest + float(lower)),
        min(highest, latest + float(upper)),
        *(_skill(errors, forecasts["value"] - forecasts[other]) for other in ("naive", "mean")),
    )


def _skill(errors: pd.Series, errors_of_other: pd.Series) -> float:
    of_other = errors_of_other.abs().mean()
    return float(1 - errors.abs().mean() / of_other) if of_other > 0 else np.nan
