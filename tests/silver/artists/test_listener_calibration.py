"""The line and the bounds come from the listener's other artists."""

import numpy as np
import pandas as pd
import pytest

from silver.artists.listener_calibration import (
    ListenerCalibration,
    conformal_half_width,
    fit_calibration,
    listener_artist_folds,
    mean_of_other_artists,
)


def calibrate(estimate: list[float], truth: list[float], fold: list[int], min_tracks: int = 4) -> ListenerCalibration:
    return fit_calibration(
        np.array(estimate), np.array(truth), np.array(fold), 2, coverage=0.5, min_tracks=min_tracks,
        catalogue_half_width=0.3,
    )  # fmt: skip


def test_line_of_a_fold_is_fitted_on_the_other_folds() -> None:
    # Fold 1 lies on y = x + 0.2, fold 0 on y = 0.5 x.
    calibration = calibrate([0.2, 0.4, 0.2, 0.4], [0.1, 0.2, 0.4, 0.6], [0, 0, 1, 1])
    assert calibration.slope.tolist() == pytest.approx([1.0, 0.5])
    assert calibration.intercept.tolist() == pytest.approx([0.2, 0.0])
    assert (calibration.basis, calibration.tracks) == ("listener", 4)


def test_few_tracks_keep_the_estimate_and_the_catalogues_bounds() -> None:
    calibration = calibrate([0.2, 0.9], [0.1, 0.2], [0, 1])
    scored = calibration.apply(np.array([0.2, 0.9]), np.array([0, 1]))
    assert calibration.basis == "catalogue"
    assert scored["predicted"].tolist() == [0.2, 0.9]
    assert scored["lower_90"].tolist() == pytest.approx([0.0, 0.6])
    assert scored["upper_90"].tolist() == pytest.approx([0.5, 1.0])


def test_no_measured_track_at_all() -> None:
    assert calibrate([], [], []).basis == "catalogue"


def test_a_constant_estimate_becomes_the_listeners_mean() -> None:
    calibration = calibrate([0.5] * 4, [0.2, 0.4, 0.6, 0.8], [0, 0, 1, 1])
    assert calibration.apply(np.array([0.5]), np.array([0]))["predicted"].tolist() == pytest.approx([0.7])


def test_unknown_estimates_stay_unknown() -> None:
    calibration = calibrate([0.2, 0.4, 0.2, 0.4], [0.1, 0.2, 0.4, 0.6], [0, 0, 1, 1])
    assert calibration.apply(np.array([np.nan]), np.array([0])).isna().all(axis=None)


@pytest.mark.parametrize(("count", "expected"), [(9, 9.0), (10, 10.0), (19, 18.0), (8, np.nan), (0, np.nan)])
def test_half_width_is_the_rank_that_promises_the_coverage(count: int, expected: float) -> None:
    residuals = -np.arange(1.0, count + 1)
    assert conformal_half_width(residuals, 0.9) == pytest.approx(expected, nan_ok=True)


def test_bounds_cover_as_promised_on_new_artists() -> None:
    random = np.random.default_rng(3)
    estimate = random.uniform(0.3, 0.7, 4000)
    truth = 0.1 + 0.8 * estimate + random.normal(0, 0.05, 4000)
    fold = random.integers(0, 5, 4000)
    calibration = fit_calibration(estimate, truth, fold, 5, 0.9, 50, np.nan)
    scored = calibration.apply(estimate, fold)
    assert np.mean((scored["lower_90"] <= truth) & (truth <= scored["upper_90"])) == pytest.approx(0.9, abs=0.01)


def test_an_artist_has_one_fold_however_spelled() -> None:
    folds = listener_artist_folds(pd.Series(["Beyoncé", "beyonce", None]), 5, seed=1)
    assert folds[0] == folds[1]


def test_baseline_mean_leaves_the_own_fold_out() -> None:
    means = mean_of_other_artists(np.array([0.2, 0.4, np.nan, 0.8]), np.array([0, 0, 1, 1]), 2)
    assert means.tolist() == pytest.approx([0.8, 0.8, 0.3, 0.3])
