"""Weighted metrics with 95 % intervals over artists.

Tracks of one artist resemble each other, so intervals resample artists, not plays (cluster bootstrap, Field and Welsh
2007, https://doi.org/10.1111/j.1467-9868.2007.00593.x). All metrics are functions of sums over tracks: these are summed
per artist once, and each resample is a matrix product.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from gold.learning.model_parameters import N_MOODS, ModelParameters
from silver.artists.recording_groups import FloatArray, IntArray

HIGHER_IS_BETTER = {"mae": False, "log_loss": False, "r2": True, "accuracy": True}
# Lower limit in the log-loss: a class that occurs in spite of probability 0 must not cost infinity.
PROBABILITY_FLOOR = 1e-6
ECE_BINS = 10

Metrics = dict[str, float]


@dataclass(frozen=True)
class Evaluation:
    """Metrics of one set of predictions, with the interval of the primary metric.

    Attributes:
        metrics: value by metric name; NaN where it cannot be computed.
        ci_low: 2.5 % quantile of the primary metric over resampled artists.
        ci_high: 97.5 % quantile.
        test_size: plays (or rows) that were scored.
        test_tracks: tracks that were scored.
        note: why figures are missing; '' if none is.
    """

    metrics: Metrics
    ci_low: float
    ci_high: float
    test_size: int
    test_tracks: int
    note: str

    def beats(self, baseline_score: float, primary_metric: str) -> bool | None:
        """Whether the whole interval is better than the baseline's score; None if either is unknown."""
        if not np.isfinite([self.ci_low, self.ci_high, baseline_score]).all():
            return None
        if HIGHER_IS_BETTER[primary_metric]:
            return bool(self.ci_low > baseline_score)
        return bool(self.ci_high < baseline_score)


def evaluate_regression(
    truth: FloatArray,
    predicted: FloatArray,
    weight: FloatArray,
    artist: npt.NDArray[np.generic],
    catalogue_mean: float,
    parameters: ModelParameters,
    bounds: tuple[FloatArray, FloatArray] | None = None,
) -> Evaluation:
    """R2 against the tested rows' own mean, RMSE, MAE, skill = 1 - MSE / MSE of the catalogue's mean, coverage.

    Args:
        truth: (n,) measured values.
        predicted: (n,) predictions; rows with NaN in either are left out.
        weight: (n,) plays per track, or ones.
        artist: (n,) artist per track, for the interval.
        catalogue_mean: mean over the catalogue, the reference of the skill.
        parameters: bootstrap_samples and seed.
        bounds: (n,) lower and upper bounds.
    """
    known = np.isfinite(truth) & np.isfinite(predicted)
    if not known.any():
        return _no_evaluation(("r2", "rmse", "mae", "skill"))
    y, error, w = truth[known], (predicted - truth)[known], weight[known]
    parts = np.column_stack([np.ones_like(y), y, y**2, error**2, np.abs(error), (y - catalogue_mean) ** 2])
    sums, resampled = _sums(parts * w[:, None], artist[known], parameters)
    metrics = {name: float(value[0]) for name, value in _regression_metrics(sums[None, :]).items()}
    interval = _interval(_regression_metrics(resampled)["mae"])
    if bounds is not None:
        inside = (bounds[0][known] <= y) & (y <= bounds[1][known])
        has_bounds = np.isfinite(bounds[0][known]) & np.isfinite(bounds[1][known])
        covered = float(np.average(inside[has_bounds], weights=w[has_bounds])) if has_bounds.any() else np.nan
        metrics["coverage_90"] = covered
    note = "" if np.isfinite(metrics["r2"]) else "r2 is null: the tested values are all the same"
    return Evaluation(metrics, *interval, int(w.sum()), int(known.sum()), note)


def _regression_metrics(sums: FloatArray) -> dict[str, FloatArray]:
    """Metrics of rows of sums (weight, y, y^2, error^2, |error|, (y - catalogue mean)^2)."""
    total, y_sum, y_squares, squares, absolute, catalogue_squares = sums.T
    spread = y_squares - y_sum**2 / total
    # Rounding gives a constant y a spread of about 1e-16 instead of 0.
    constant = spread <= 1e-12 * np.maximum(y_squares, 1e-300)
    return {
        "r2": np.where(constant, np.nan, 1 - squares / np.where(constant, 1, spread)),
        "rmse": np.sqrt(squares / total),
        "mae": absolute / total,
        "skill": np.where(catalogue_squares > 0, 1 - squares / np.maximum(catalogue_squares, 1e-300), np.nan),
    }


def evaluate_classes(
    truth: FloatArray,
    probabilities: FloatArray,
    chosen: IntArray,
    weight: FloatArray,
    artist: npt.NDArray[np.generic],
    catalogue_shares: FloatArray,
    parameters: ModelParameters,
) -> Evaluation:
    """Accuracy and macro-F1 of the chosen class; log-loss, skill and calibration error of the probabilities.

    Macro-F1 is the plain mean over the classes that occur in truth or choice; skill is 1 - log-loss / log-loss
    of the catalogue's class shares; the calibration error is that of the most probable class in ten equal-width
    bins (Guo et al. 2017, https://arxiv.org/abs/1706.04599).

    Args:
        truth: (n,) labels 0..4, NaN is left out.
        probabilities: (n, 5), NaN is left out.
        chosen: (n,) label per row, see `cross_fitted_model.decide`.
        weight: (n,) plays per track, or ones.
        artist: (n,) artist per track, for the interval.
        catalogue_shares: (5,) share of each class in the catalogue.
        parameters: bootstrap_samples and seed.
    """
    known = np.isfinite(truth) & np.isfinite(probabilities).all(axis=1)
    if not known.any():
        return _no_evaluation(("accuracy", "f1", "log_loss", "ece", "skill"))
    y, p, w, label = truth[known].astype(np.int64), probabilities[known], weight[known], chosen[known]
    rows = np.arange(len(y))
    parts = np.column_stack([np.ones(len(y)), _log_loss(p[rows, y]), _log_loss(catalogue_shares[y])])
    confusion = np.zeros((len(y), N_MOODS * N_MOODS))
    confusion[rows, y * N_MOODS + label] = 1.0
    sums, resampled = _sums(np.column_stack([parts, confusion]) * w[:, None], artist[known], parameters)
    total, loss, catalogue_loss = sums[:3]
    matrix = sums[3:].reshape(N_MOODS, N_MOODS)
    metrics = {
        "accuracy": float(np.trace(matrix) / total),
        "f1": _macro_f1(matrix),
        "log_loss": float(loss / total),
        "ece": calibration_error(y, p, w),
        "skill": float(1 - loss / catalogue_loss) if catalogue_loss > 0 else np.nan,
    }
    interval = _interval(resampled[:, 1] / resampled[:, 0])
    absent = sorted(set(range(N_MOODS)) - set(y.tolist()))
    note = f"mood labels that never occur: {', '.join(map(str, absent))}" if absent else ""
    return Evaluation(metrics, *interval, int(w.sum()), int(known.sum()), note)


def _log_loss(probability: FloatArray) -> FloatArray:
    return -np.log(np.clip(probability, PROBABILITY_FLOOR, 1.0))


def _macro_f1(confusion: FloatArray) -> float:
    """Mean F1 over classes that occur; rows are truth, columns are the choice."""
    hits, either = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = either > 0
    return float(np.mean(2 * hits[occurs] / either[occurs]))


def calibration_error(truth: IntArray, probabilities: FloatArray, weight: FloatArray) -> float:
    """Weighted mean gap between the probability of the top class and its accuracy, in ten bins."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    gaps = np.bincount(bins, weights=weight * (right - confidence), minlength=ECE_BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def _sums(
    parts: FloatArray, artist: npt.NDArray[np.generic], parameters: ModelParameters
) -> tuple[FloatArray, FloatArray]:
    """Sums of the columns, and their sums over resampled artists, (bootstrap_samples, columns)."""
    codes, names = pd.factorize(artist, sort=True)
    by_artist = np.zeros((len(names), parts.shape[1]))
    np.add.at(by_artist, codes, parts)
    draws = np.random.default_rng(parameters.seed)
    resampled = np.empty((parameters.bootstrap_samples, parts.shape[1]))
    # One draw at a time: 1,000 x 30,000 counts at once would be 240 MB.
    for sample in range(parameters.bootstrap_samples):
        drawn = np.bincount(draws.integers(0, len(names), len(names)), minlength=len(names))
        resampled[sample] = drawn @ by_artist
    return by_artist.sum(axis=0), resampled


def _interval(samples: FloatArray) -> tuple[float, float]:
    known = samples[np.isfinite(samples)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)


def _no_evaluation(names: tuple[str, ...]) -> Evaluation:
    metrics = dict.fromkeys(names, float("nan"))
    return Evaluation(metrics, float("nan"), float("nan"), 0, 0, "no row has both a truth and a prediction")
