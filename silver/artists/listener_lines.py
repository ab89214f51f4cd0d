"""The calibration to the listener in Spark: a line and a half-width per feature and artist fold.

The same as `listener_calibration.ListenerCalibration.apply`, for any number of tracks.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

if TYPE_CHECKING:  # it loads scipy, which only workers need
    from silver.artists.listener_calibration import ListenerCalibration

PARTS = ("slope", "intercept", "half_width")
# Most of the listener's tracks to fit on: more of them would hardly change a line and a quantile.
MAX_CALIBRATION_TRACKS = 20_000


def lines_schema(features: Sequence[str]) -> str:
    """What `lines_of` returns, as Spark DDL."""
    return ", ".join(["listener_fold int", *(f"{part}_{name} double" for name in features for part in PARTS)])


def lines_of(calibrations: Mapping[str, "ListenerCalibration"]) -> pd.DataFrame:
    """One row per artist fold of the listener: listener_fold and, per feature, slope, intercept and half-width."""
    columns = {
        f"{part}_{name}": getattr(calibration, part) for name, calibration in calibrations.items() for part in PARTS
    }
    return pd.DataFrame(columns).rename_axis("listener_fold").reset_index()


def estimate_with_bounds(name: str) -> tuple[Column, Column, Column]:
    """Estimate, lower and upper bound of a feature from raw_<name> and the columns of `lines_of`, each 0..1."""
    line = F.col(f"intercept_{name}") + F.col(f"slope_{name}") * F.col(f"raw_{name}")
    estimate, half_width = _within_0_and_1(line), F.col(f"half_width_{name}")
    return estimate, _within_0_and_1(estimate - half_width), _within_0_and_1(estimate + half_width)


def _within_0_and_1(value: Column) -> Column:
    """The value clipped to 0..1; null stays null, which least and greatest would skip."""
    return F.when(value.isNotNull(), F.greatest(F.lit(0.0), F.least(F.lit(1.0), value)))
