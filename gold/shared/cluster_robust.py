"""Intervals and tests for plays that are not independent.

Plays of one recording share its features, and plays of one date are chosen together. So every statistic is a
coefficient of an ordinary least squares fit whose standard error is clustered by recording and by date (Cameron,
Gelbach and Miller 2011, "Robust Inference With Multiway Clustering", Journal of Business & Economic Statistics 29(2);
statsmodels `cov_type="cluster"`). Student's t has one degree of freedom less than there are recordings or dates,
whichever are fewer. With plain standard errors a song on repeat, or one long party, would count as evidence. With few
recordings or dates, their sums can cancel by chance, which makes the two-way error far too small or imaginary: the
largest of the two-way error and the two one-way errors is used.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from statsmodels.regression.linear_model import OLS

FloatArray = npt.NDArray[np.float64]

CONFIDENCE = 0.95
# Columns that each frame of plays needs besides its values.
RECORDING, DATE = "recording_key", "date"


@dataclass(frozen=True)
class Inference:
    """An interval and the p-value against zero; NaN where the plays do not allow any."""

    ci_low: float = np.nan
    ci_high: float = np.nan
    p_value: float = np.nan


def of_mean(plays: pd.DataFrame, values: str) -> Inference:
    """Inference for the mean of a column; plays where it is missing are left out."""
    known = plays.dropna(subset=values)
    return _of_last_coefficient(known, values, np.ones((len(known), 1)), [known], CONFIDENCE)


def of_means(plays: pd.DataFrame, values: Sequence[str], by: str) -> pd.DataFrame:
    """Intervals of the means of 0..1 columns per group: `by` and, for each column, <name>_ci_low and <name>_ci_high."""
    rows = []
    for group, of_group in plays.groupby(by):
        found = [of_mean(of_group, name) for name in values]
        rows.append((group, *(bound for one in found for bound in (one.ci_low, one.ci_high))))
    bounds = [f"{name}_ci_{end}" for name in values for end in ("low", "high")]
    intervals = pd.DataFrame(rows, columns=[by, *bounds])
    return intervals.assign(**intervals[bounds].clip(0, 1))


def of_difference(plays: pd.DataFrame, values: str, inside: pd.Series, confidence: float = CONFIDENCE) -> Inference:
    """Inference for the mean of a column inside minus its mean over the other plays.

    The side with fewer recordings or dates gives the degrees of freedom.

    Args:
        plays: with the column, recording_key and date.
        values: the column; plays where it is missing are left out.
        inside: True for the plays of the first group.
        confidence: of the interval.
    """
    known = plays.dropna(subset=values)
    of_first = inside[known.index].astype(bool)
    design = _with_constant(of_first)
    return _of_last_coefficient(known, values, design, [known[of_first], known[~of_first]], confidence)


def of_slope(plays: pd.DataFrame, values: str, regressor: str) -> Inference:
    """Inference for the slope of a column over another.

    With clustered errors the p-value differs slightly from that of the reverse regression.
    """
    known = plays.dropna(subset=[values, regressor])
    return _of_last_coefficient(known, values, _with_constant(known[regressor]), [known], CONFIDENCE)


def _with_constant(regressor: pd.Series) -> FloatArray:
    return np.column_stack([np.ones(len(regressor)), regressor.to_numpy(dtype=float)])


def _of_last_coefficient(
    plays: pd.DataFrame, values: str, design: FloatArray, sides: Sequence[pd.DataFrame], confidence: float
) -> Inference:
    """Fit the values on the design; each side must hold several recordings, and several dates for dates to count."""
    recordings, dates = (min(side[column].nunique() for side in sides) for column in (RECORDING, DATE))
    varies = plays[values].max() > plays[values].min()
    coefficients = design.shape[1]
    determined = len(plays) > coefficients and np.linalg.matrix_rank(design) == coefficients
    if recordings < 2 or not varies or not determined:
        return Inference()
    # Imported here: it takes seconds to load, and only tasks that run a test need it.
    from statsmodels.regression.linear_model import OLS

    model = OLS(plays[values].to_numpy(dtype=float), design)
    clusterings = [[RECORDING], [DATE], [RECORDING, DATE]] if dates >= 2 else [[RECORDING]]
    degrees_of_freedom = (min(recordings, dates) if dates >= 2 else recordings) - 1
    return _inference(model, [plays[columns] for columns in clusterings], degrees_of_freedom, confidence)


def _inference(
    model: "OLS", clusterings: Sequence[pd.DataFrame], degrees_of_freedom: int, confidence: float
) -> Inference:
    """Inference by the largest of the clusterings' errors."""
    from scipy import stats

    coefficient, error = np.nan, 0.0
    for clusters in clusterings:
        groups = np.column_stack([pd.factorize(clusters[column])[0] for column in clusters])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the root of a negative variance is NaN, which fmax skips
            fit = model.fit(cov_type="cluster", cov_kwds={"groups": groups.squeeze()}, use_t=True)
            coefficient, error = fit.params[-1], np.fmax(error, fit.bse[-1])
    if not error > 0:
        return Inference()
    low, high = stats.t.interval(confidence, degrees_of_freedom, loc=coefficient, scale=error)
    p_value = 2 * stats.t.sf(abs(coefficient) / error, degrees_of_freedom)
    return Inference(float(low), float(high), float(p_value))
