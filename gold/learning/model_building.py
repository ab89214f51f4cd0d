"""Train a model in all its variants, and score the listener's measured tracks with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gold.learning.cross_fitted_model import CrossFittedModel, decide, score, score_catalogue
from gold.learning.feature_models import train
from gold.learning.folds import with_folds
from gold.learning.model_parameters import N_MOODS, ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet, mood_labels
from silver.artists.listener_calibration import (
    ListenerCalibration,
    conformal_half_width,
    fit_calibration,
    mean_of_other_artists,
)
from silver.artists.recording_groups import FloatArray, RecordingFolds

PROBABILITIES = [f"probability_{label}" for label in range(N_MOODS)]


@dataclass(frozen=True)
class TrainedModel:
    """A model with the variants that it is compared with.

    Attributes:
        by_recording: the model: each fold's recordings were held out.
        by_artist: the same with each fold's artists held out, to show how it does for unknown artists.
        linear: ridge or logistic regression on the same numeric inputs, a baseline.
        recordings: folds of the catalogue's recordings, to find a listened track's.
        catalogue_half_width: half-width of the 90 % bounds over the catalogue; NaN for a classification.
    """

    by_recording: CrossFittedModel
    by_artist: CrossFittedModel
    linear: CrossFittedModel
    recordings: RecordingFolds
    catalogue_half_width: float

    def parts(self) -> dict[str, Any]:
        """Plain objects by name, for an artifact."""
        return {
            "by_recording": {**self.by_recording.state(), "catalogue_half_width": self.catalogue_half_width},
            "by_artist": self.by_artist.state(),
            "linear": self.linear.state(),
            "recordings": self.recordings.state(),
        }

    @classmethod
    def from_parts(cls, parts: Mapping[str, Any]) -> "TrainedModel":
        """Undo `parts`."""
        return cls(
            by_recording=main_model(parts),
            by_artist=CrossFittedModel.from_state(parts["by_artist"]),
            linear=CrossFittedModel.from_state(parts["linear"]),
            recordings=RecordingFolds.from_state(parts["recordings"]),
            catalogue_half_width=catalogue_half_width(parts),
        )


def main_model(parts: Mapping[str, Any]) -> CrossFittedModel:
    """The model itself from saved parts, without loading its variants."""
    state = dict(parts["by_recording"])
    state.pop("catalogue_half_width")
    return CrossFittedModel.from_state(state)


def catalogue_half_width(parts: Mapping[str, Any]) -> float:
    """See `TrainedModel`."""
    return float(parts["by_recording"]["catalogue_half_width"])


def score_listened(parts: Mapping[str, Any], tracks: pd.DataFrame, parameters: ModelParameters) -> pd.DataFrame:
    """Score listened tracks by the model, each by the fold that never saw its recording.

    Args:
        parts: saved parts; by_recording and recordings are used.
        tracks: one row per track, see `silver.measured_tracks`; any index.
        parameters: the same parameters.

    Returns:
        The rows on a range index with the folds of `folds.with_folds` and the columns of `cross_fitted_model.score`.
    """
    recordings = RecordingFolds.from_state(parts["recordings"])
    folded = with_folds(tracks.reset_index(drop=True), recordings, parameters)
    return folded.join(score(main_model(parts), folded, folded["fold"].to_numpy()), how="left")


def build(training: TrainingSet, spec: ModelSpec, parameters: ModelParameters) -> TrainedModel:
    """Train all variants of a model; for poor data see `feature_models.train`."""
    by_recording = train(training, spec, parameters)
    half_width = float("nan")
    if spec.kind == "regression" and by_recording.folds:
        residual = training.rows[spec.target] - score_catalogue(by_recording, training)["predicted"]
        half_width = conformal_half_width(residual.to_numpy(dtype=float), parameters.coverage)
    return TrainedModel(
        by_recording=by_recording,
        by_artist=train(training, spec, parameters, by="artist"),
        linear=train(training, spec, parameters, algorithm="linear"),
        recordings=training.recordings,
        catalogue_half_width=half_width,
    )


def fit_listener(
    measured: pd.DataFrame,
    raw: "pd.Series[float]",
    half_width: float,
    spec: ModelSpec,
    parameters: ModelParameters,
) -> ListenerCalibration:
    """Fit line and bounds of a regression to the listener's measured tracks of other artists.

    Args:
        measured: one row per measured track: the target and listener_fold.
        raw: their scores by a variant of the model, on the same index.
        half_width: half-width of the bounds over the catalogue, for a listener with too few tracks.
        spec: the model's spec.
        parameters: folds, coverage, least number of tracks.
    """
    return fit_calibration(
        estimate=raw.to_numpy(dtype=float),
        truth=measured[spec.target].to_numpy(dtype=float),
        artist_fold=measured["listener_fold"].to_numpy(),
        n_folds=parameters.n_listener_folds,
        coverage=parameters.coverage,
        min_tracks=parameters.min_calibration_tracks,
        catalogue_half_width=half_width,
    )


def predict_feature(
    trained: TrainedModel, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> pd.DataFrame:
    """Predict a feature of the listener's measured tracks by every variant and baseline.

    Args:
        trained: result of `build`.
        spec: a regression.
        measured: result of `folds.with_folds`.
        parameters: the same parameters.

    Returns:
        On the index of `measured`: truth, predicted, lower_90, upper_90 (fitted to the listener),
        the same three with prefix artist_unseen_, linear, listener_mean, catalogue_mean.
    """
    result = pd.DataFrame({"truth": measured[spec.target].astype(float)}, index=measured.index)
    variants = (("", trained.by_recording, "fold"), ("artist_unseen_", trained.by_artist, "artist_fold"))
    for prefix, model, fold in variants:
        raw = score(model, measured, measured[fold].to_numpy())["predicted"]
        calibration = fit_listener(measured, raw, trained.catalogue_half_width, spec, parameters)
        fitted = calibration.apply(raw.to_numpy(dtype=float), measured["listener_fold"].to_numpy())
        for name in ("predicted", "lower_90", "upper_90"):
            result[prefix + name] = fitted[name].to_numpy()
    result["linear"] = score(trained.linear, measured, measured["fold"].to_numpy())["predicted"]
    result["listener_mean"] = mean_of_other_artists(
        result["truth"].to_numpy(), measured["listener_fold"].to_numpy(), parameters.n_listener_folds
    )
    return result.assign(catalogue_mean=trained.by_recording.target_mean[0])


def predict_moods(
    trained: TrainedModel, measured: pd.DataFrame, parameters: ModelParameters
) -> dict[str, pd.DataFrame]:
    """Mood probabilities of the listener's measured tracks by every variant and baseline.

    Returns:
        Frames on the index of `measured` with truth, probability_0 .. probability_4 and chosen, by name:
        predicted, artist_unseen, linear, catalogue_shares, listener_shares.
    """
    truth = mood_labels(measured["valence"].astype(float), measured["energy"].astype(float))
    shares = trained.by_recording.target_mean
    fold, listener_fold = measured["fold"].to_numpy(), measured["listener_fold"].to_numpy()
    indicators = np.where(truth.notna().to_numpy()[:, None], truth.to_numpy()[:, None] == np.arange(N_MOODS), np.nan)
    listener = np.column_stack(
        [mean_of_other_artists(column, listener_fold, parameters.n_listener_folds) for column in indicators.T]
    )
    probabilities = {
        "predicted": score(trained.by_recording, measured, fold).to_numpy(),
        "artist_unseen": score(trained.by_artist, measured, measured["artist_fold"].to_numpy()).to_numpy(),
        "linear": score(trained.linear, measured, fold).to_numpy(),
        "catalogue_shares": np.tile(shares, (len(measured), 1)),
        "listener_shares": listener,
    }
    return {name: _moods(truth, values, name, shares, parameters) for name, values in probabilities.items()}


def _moods(
    truth: "pd.Series[float]", probabilities: FloatArray, name: str, shares: FloatArray, parameters: ModelParameters
) -> pd.DataFrame:
    # Baselines choose the most probable class, so that constant shares always choose the majority.
    alpha = parameters.prior_alpha if name in ("predicted", "artist_unseen") else 0.0
    if probabilities.shape[1] != N_MOODS:
        probabilities = np.full((len(truth), N_MOODS), np.nan)
    frame = pd.DataFrame(probabilities, columns=PROBABILITIES, index=truth.index)
    return frame.assign(truth=truth, chosen=decide(probabilities, shares, alpha))
