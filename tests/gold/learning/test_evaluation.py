"""Metrics by hand, intervals over artists, and null where nothing can be said."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss, mean_absolute_error, r2_score

from gold.learning.evaluation import Evaluation, calibration_error, evaluate_classes, evaluate_regression
from gold.learning.model_parameters import ModelParameters

PARAMETERS = ModelParameters(bootstrap_samples=200)
TRUTH = np.array([0.1, 0.4, 0.6, 0.9])
PREDICTED = np.array([0.2, 0.4, 0.5, 0.6])
WEIGHT = np.array([1.0, 2.0, 3.0, 4.0])
ARTIST = np.array(["a", "a", "b", "c"])


def regression(truth: np.ndarray = TRUTH, predicted: np.ndarray = PREDICTED, **options: object) -> Evaluation:
    arguments = {"weight": WEIGHT, "artist": ARTIST, "catalogue_mean": 0.5, **options}
    return evaluate_regression(truth, predicted, parameters=PARAMETERS, **arguments)  # type: ignore[arg-type]


def test_regression_metrics_agree_with_scikit_learn() -> None:
    metrics = regression().metrics
    assert metrics["r2"] == pytest.approx(r2_score(TRUTH, PREDICTED, sample_weight=WEIGHT))
    assert metrics["mae"] == pytest.approx(mean_absolute_error(TRUTH, PREDICTED, sample_weight=WEIGHT))
    assert metrics["rmse"] ** 2 == pytest.approx(np.average((TRUTH - PREDICTED) ** 2, weights=WEIGHT))


def test_skill_compares_with_the_catalogues_mean() -> None:
    squares = np.average((TRUTH - PREDICTED) ** 2, weights=WEIGHT)
    assert regression().metrics["skill"] == pytest.approx(1 - squares / np.average((TRUTH - 0.5) ** 2, weights=WEIGHT))
    assert regression(predicted=np.full(4, 0.5)).metrics["skill"] == pytest.approx(0)


def test_coverage_counts_weighted_rows_inside_the_bounds() -> None:
    bounds = np.array([0.0, 0.0, 0.7, np.nan]), np.array([0.2, 0.4, 0.8, np.nan])
    assert regression(bounds=bounds).metrics["coverage_90"] == pytest.approx((1 + 2) / 6)


def test_rows_without_truth_or_prediction_are_left_out() -> None:
    evaluated = regression(truth=np.array([0.1, np.nan, 0.6, 0.9]), predicted=np.array([0.2, 0.4, np.nan, 0.6]))
    assert (evaluated.test_size, evaluated.test_tracks) == (5, 2)


def test_nothing_to_evaluate_is_null_with_the_reason() -> None:
    evaluated = regression(predicted=np.full(4, np.nan))
    assert all(np.isnan(value) for value in evaluated.metrics.values())
    assert evaluated.note and evaluated.test_size == 0
    assert evaluated.beats(0.1, "mae") is None


def test_constant_truth_has_no_r2() -> None:
    evaluated = regression(truth=np.full(4, 0.3))
    assert np.isnan(evaluated.metrics["r2"]) and np.isfinite(evaluated.metrics["mae"])
    assert "r2 is null" in evaluated.note


def test_the_interval_resamples_artists_not_rows() -> None:
    random = np.random.default_rng(0)
    per_artist = np.repeat(random.normal(0, 0.1, 20), 50)
    truth, weight = np.full(1000, 0.5), np.ones(1000)
    by_artist = evaluate_regression(truth, 0.5 + per_artist, weight, np.repeat(np.arange(20), 50), 0.4, PARAMETERS)
    by_row = evaluate_regression(truth, 0.5 + per_artist, weight, np.arange(1000), 0.4, PARAMETERS)
    assert by_artist.ci_high - by_artist.ci_low > 4 * (by_row.ci_high - by_row.ci_low)
    assert by_artist.ci_low < by_artist.metrics["mae"] < by_artist.ci_high


def test_a_baseline_is_beaten_by_the_whole_interval_only() -> None:
    better = Evaluation({}, ci_low=0.10, ci_high=0.14, test_size=1, test_tracks=1, note="")
    assert (better.beats(0.15, "mae"), better.beats(0.13, "mae"), better.beats(np.nan, "mae")) == (True, False, None)
    assert (better.beats(0.09, "accuracy"), better.beats(0.12, "accuracy")) == (True, False)


LABELS = np.array([0.0, 0.0, 3.0, 4.0])
PROBABILITIES = np.array(
    [[0.7, 0, 0, 0.3, 0], [0.2, 0, 0, 0.8, 0], [0.1, 0, 0, 0.9, 0], [0.25, 0, 0, 0.25, 0.5]], dtype=float
)
SHARES = np.array([0.4, 0.1, 0.1, 0.2, 0.2])


def classes(truth: np.ndarray = LABELS, chosen: tuple[int, ...] = (0, 3, 3, 4)) -> Evaluation:
    return evaluate_classes(truth, PROBABILITIES, np.array(chosen), WEIGHT, ARTIST, SHARES, PARAMETERS)


def test_class_metrics_agree_with_scikit_learn() -> None:
    metrics = classes().metrics
    assert metrics["accuracy"] == pytest.approx(0.8)
    assert metrics["f1"] == pytest.approx(f1_score(LABELS, [0, 3, 3, 4], average="macro", sample_weight=WEIGHT))
    expected = log_loss(LABELS, PROBABILITIES, sample_weight=WEIGHT, labels=range(5))
    assert metrics["log_loss"] == pytest.approx(expected)


def test_absent_classes_are_named_and_do_not_enter_f1() -> None:
    evaluated = classes()
    assert evaluated.note == "mood labels that never occur: 1, 2"


def test_class_skill_of_the_catalogues_shares_is_zero() -> None:
    shares = np.tile(SHARES, (4, 1))
    evaluated = evaluate_classes(LABELS, shares, np.zeros(4, dtype=np.int64), WEIGHT, ARTIST, SHARES, PARAMETERS)
    assert evaluated.metrics["skill"] == pytest.approx(0)


def test_calibration_error_is_the_gap_between_confidence_and_hits() -> None:
    probabilities = np.tile([0.75, 0.25, 0, 0, 0], (4, 1))
    assert calibration_error(np.array([0, 0, 0, 1]), probabilities, np.ones(4)) == pytest.approx(0)
    assert calibration_error(np.array([0, 0, 1, 1]), probabilities, np.ones(4)) == pytest.approx(0.25)


def test_no_labels_are_null_with_the_reason() -> None:
    assert classes(truth=np.full(4, np.nan)).note
