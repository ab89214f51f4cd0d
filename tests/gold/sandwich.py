"""Two-way clustered inference written out in matrices, to check what statsmodels made of the same plays."""

import numpy as np
import pandas as pd
from scipy import stats

RECORDING, DATE = "recording_key", "date"


def clustered(plays: pd.DataFrame, values: str, regressor: pd.Series | None = None) -> tuple[float, float, int]:
    """Last coefficient of the values over the regressor (of the mean without one), its error and degrees of freedom.

    A regressor of booleans splits the plays in two sides, of which the smaller counts.
    """
    known = plays[values].notna() if regressor is None else plays[values].notna() & regressor.notna()
    plays = plays[known]
    design, target = np.ones((len(plays), 1)), plays[values].to_numpy(dtype=float)
    if regressor is not None:
        design = np.column_stack([design, regressor[known].to_numpy(dtype=float)])
    coefficients = np.linalg.solve(design.T @ design, design.T @ target)
    scores = design * (target - design @ coefficients)[:, None]
    split = regressor is not None and regressor.dtype == bool
    sides = [plays[regressor[known] == side] for side in (True, False)] if split and regressor is not None else [plays]
    recordings, dates = (min(side[name].nunique() for side in sides) for name in (RECORDING, DATE))
    if recordings < 2:
        return coefficients[-1], np.nan, 1
    by_recording, by_date, by_both = (
        _variance(design, scores, plays, by) for by in ([RECORDING], [DATE], [RECORDING, DATE])
    )
    if dates >= 2:
        two_way = by_recording + by_date - by_both
        return coefficients[-1], np.sqrt(max(two_way, by_recording, by_date)), min(recordings, dates) - 1
    return coefficients[-1], np.sqrt(by_recording), recordings - 1


def _variance(design: np.ndarray, scores: np.ndarray, plays: pd.DataFrame, by: list[str]) -> float:
    count, width = design.shape
    sums = pd.DataFrame(scores, index=plays.index).groupby([plays[name] for name in by]).sum().to_numpy()
    if len(sums) < 2:
        return 0.0
    bread = np.linalg.inv(design.T @ design)
    correction = len(sums) / (len(sums) - 1) * (count - 1) / (count - width)
    return float((bread @ sums.T @ sums @ bread)[-1, -1] * correction)


def interval(
    plays: pd.DataFrame, values: str, inside: pd.Series | None = None, level: float = 0.95
) -> tuple[float, float]:
    """The interval of the mean, or of the difference between the plays inside and the others."""
    estimate, error, freedom = clustered(plays, values, inside)
    half = stats.t.ppf(0.5 + level / 2, freedom) * error
    return estimate - half, estimate + half


def p_value(plays: pd.DataFrame, values: str, regressor: pd.Series) -> float:
    """The p-value of the last coefficient."""
    estimate, error, freedom = clustered(plays, values, regressor)
    return float(2 * stats.t.sf(abs(estimate) / error, freedom))
