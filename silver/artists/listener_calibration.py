"""Calibrate a catalogue-trained estimate to one listener: a straight line and conformal bounds, by artist folds.

The catalogue's mean is not the listener's: their music is brighter or calmer. A line through (estimate, truth) of the
listener's own measured tracks corrects that. The line for an artist's tracks, and the residuals behind their bounds,
come from tracks of *other* artists, those in the other folds; only the lines behind those residuals were also fitted to
the artist's tracks.

Bounds are split-conformal (Lei et al. 2018, https://doi.org/10.1080/01621459.2017.1307116): the estimate plus
and minus the ceil((n+1) coverage)-th smallest absolute residual. They hold for tracks like the measured ones.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from silver.artists.artist_names import artist_key
from silver.artists.recording_groups import FloatArray, IntArray, hash_folds


@dataclass(frozen=True)
class ListenerCalibration:
    """Line and half-width per artist fold of the listener.

    Attributes:
        slope: (folds,).
        intercept: (folds,), in units of the feature.
        half_width: (folds,), in units of the feature; NaN where there is nothing to calibrate on.
        basis: 'listener', or 'catalogue' where the listener has too few measured tracks.
        tracks: number of measured tracks it was fitted on.
    """

    slope: FloatArray
    intercept: FloatArray
    half_width: FloatArray
    basis: str
    tracks: int

    def apply(self, estimate: FloatArray, artist_fold: IntArray) -> pd.DataFrame:
        """Estimates of the listener's tracks with bounds, kept within 0 .. 1.

        Args:
            estimate: (n,) from the catalogue; NaN stays NaN.
            artist_fold: (n,) result of `listener_artist_folds`.

        Returns:
            Columns predicted, lower_90, upper_90, on a range index.
        """
        line = self.intercept[artist_fold] + self.slope[artist_fold] * estimate
        predicted = np.clip(line, 0.0, 1.0)
        width = self.half_width[artist_fold]
        return pd.DataFrame(
            {
                "predicted": predicted,
                "lower_90": np.clip(predicted - width, 0.0, 1.0),
                "upper_90": np.clip(predicted + width, 0.0, 1.0),
            }
        )


def listener_artist_folds(artist_names: "pd.Series[str]", n_folds: int, seed: int) -> IntArray:
    """Fold of each artist in the listener's calibration, by the hash of the normalised name."""
    return hash_folds(artist_names.map(artist_key, na_action="ignore"), n_folds, f"listener {seed}")


def mean_of_other_artists(truth: FloatArray, artist_fold: IntArray, n_folds: int) -> FloatArray:
    """The listener's mean over the other folds' tracks, (n,): the baseline an estimate has to beat."""
    means = np.full(n_folds, np.nan)
    for k in range(n_folds):
        others = truth[(artist_fold != k) & np.isfinite(truth)]
        means[k] = others.mean() if len(others) else np.nan
    return means[artist_fold]


def fit_calibration(
    estimate: FloatArray,
    truth: FloatArray,
    artist_fold: IntArray,
    n_folds: int,
    coverage: float,
    min_tracks: int,
    catalogue_half_width: float,
) -> ListenerCalibration:
    """Calibrate on the listener's measured tracks, each counted once however often it was played.

    Args:
        estimate: (n,) estimates by a model that saw neither the track nor a copy of it; NaN is left out.
        truth: (n,) measured values; NaN is left out.
        artist_fold: (n,) see `listener_artist_folds`.
        n_folds: number of artist folds.
        coverage: nominal coverage of the bounds, e.g. 0.9.
        min_tracks: with fewer usable tracks there is no line, and the catalogue's half-width is used.
        catalogue_half_width: the bounds' half-width on the catalogue, for that case.
    """
    usable = np.isfinite(estimate) & np.isfinite(truth)
    x, y, fold = estimate[usable], truth[usable], artist_fold[usable]
    slope, intercept = np.ones(n_folds), np.zeros(n_folds)
    if len(x) < min_tracks or len(np.unique(fold)) < 2:
        widths = np.full(n_folds, catalogue_half_width)
        return ListenerCalibration(slope, intercept, widths, "catalogue", len(x))
    for k in range(n_folds):
        slope[k], intercept[k] = _line(x[fold != k], y[fold != k])
    residual = np.abs(y - np.clip(intercept[fold] + slope[fold] * x, 0.0, 1.0))
    half_width = np.array([conformal_half_width(residual[fold != k], coverage) for k in range(n_folds)])
    return ListenerCalibration(slope, intercept, half_width, "listener", len(x))


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Least squares slope and intercept; a constant x gives slope 0 and the mean of y."""
    spread = np.sum((x - x.mean()) ** 2)
    slope = float(np.sum((x - x.mean()) * (y - y.mean())) / spread) if spread > 0 else 0.0
    return slope, float(y.mean() - slope * x.mean())


def conformal_half_width(residuals: FloatArray, coverage: float) -> float:
    """The ceil((n+1) coverage)-th smallest absolute residual; NaN where n is too small for that coverage."""
    known = np.sort(np.abs(residuals[np.isfinite(residuals)]))
    rank = int(np.ceil((len(known) + 1) * coverage))
    return float(known[rank - 1]) if 0 < rank <= len(known) else float("nan")
