"""Rows of model_performance_metrics: every model and its baselines, on the catalogue and on the listener."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gold.learning.cross_fitted_model import CrossFittedModel, decide, score_catalogue
from gold.learning.evaluation import Evaluation, evaluate_classes, evaluate_regression
from gold.learning.folds import with_folds
from gold.learning.model_building import PROBABILITIES, TrainedModel, predict_feature, predict_moods
from gold.learning.model_parameters import ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet, numeric_column
from lakehouse.models.artifacts import Artifact
from silver.artists.artist_estimate_model import evaluate
from silver.artists.artist_means import PARAMETERS as ARTIST_PARAMETERS
from silver.artists.artist_means import ArtistModel
from silver.artists.artist_names import first_artist_key
from silver.artists.recording_groups import FloatArray, IntArray
from silver.rules.feature_source import IMPUTED_FEATURES

METRICS = ("r2", "rmse", "mae", "accuracy", "f1", "log_loss", "ece", "coverage_90", "skill")
TREES, CONSTANT = "hist_gradient_boosting", "constant_baseline"
CROSS_FITTED = "catalogue, cross-fitted by recording"
RECALIBRATED = "; line and bounds from the listener's tracks of other artists"


class Variant(Enum):
    """A way to predict: by the model, without the track's artist, or by a baseline.

    The values are name (as in `predict_feature` and `predict_moods`), model_type and training_approach.
    """

    PREDICTED = "predicted", TREES, CROSS_FITTED
    ARTIST_UNSEEN = "artist_unseen", TREES, "catalogue, cross-fitted by artist"
    ARTIST_ESTIMATE = "artist_estimate", "shrunken_mean", CROSS_FITTED
    LINEAR = "linear", "linear_baseline", f"{CROSS_FITTED}; not fitted to the listener"
    LISTENER_MEAN = "listener_mean", CONSTANT, "mean of the listener's tracks of other artists"
    CATALOGUE_MEAN = "catalogue_mean", CONSTANT, "mean of the catalogue"
    LISTENER_SHARES = "listener_shares", CONSTANT, "mood shares of the listener's tracks of other artists"
    CATALOGUE_SHARES = "catalogue_shares", CONSTANT, "mood shares of the catalogue; chosen is the majority"

    @property
    def is_baseline(self) -> bool:
        """Whether it is listed as a model of its own."""
        return self not in (Variant.PREDICTED, Variant.ARTIST_UNSEEN, Variant.ARTIST_ESTIMATE)


class Segment(Enum):
    """What is scored and how tracks are weighted: evaluation and segment of a row, and those of ARTIST_UNSEEN."""

    CATALOGUE = ("cv_recording", "catalogue"), ("cv_artist", "catalogue")
    PER_PLAY = ("listener", "per_play"), ("listener", "artist_unseen")
    PER_TRACK = ("listener", "per_track"), ("listener", "artist_unseen_per_track")


@dataclass(frozen=True)
class Prediction:
    """What one variant predicts for n tracks.

    Attributes:
        variant: how it was predicted.
        model: the model behind it; for a constant the one that it is compared with.
        values: (n,) values of a feature, or (n, 5) mood probabilities.
        bounds: (n,) lower and upper bounds of a feature, where there are any.
        chosen: (n,) mood chosen from the probabilities.
    """

    variant: Variant
    model: CrossFittedModel | ArtistModel
    values: FloatArray
    bounds: tuple[FloatArray, FloatArray] | None = None
    chosen: IntArray | None = None


@dataclass(frozen=True)
class ScoredTracks:
    """The n tracks that predictions are compared on.

    Attributes:
        truth: (n,) measured values, or mood labels; NaN where unknown.
        artist: (n,) artist, for the bootstrap.
        weights: (n,) weight of each track, per segment.
        catalogue_mean: (1,) mean of the catalogue, or (5,) its mood shares.
    """

    truth: FloatArray
    artist: npt.NDArray[np.object_]
    weights: dict[Segment, FloatArray]
    catalogue_mean: FloatArray

    def rows(
        self, model_name: str, primary_metric: str, predictions: Sequence[Prediction], parameters: ModelParameters
    ) -> list[dict[str, Any]]:
        """Rows of the table without model_version and trained_at; the first prediction is the baseline to beat."""
        rows = []
        for segment, weight in self.weights.items():
            evaluated = [self._evaluate(prediction, weight, parameters) for prediction in predictions]
            to_beat = evaluated[0].metrics[primary_metric]
            for prediction, result in zip(predictions, evaluated, strict=True):
                rows.append(_row(model_name, primary_metric, segment, prediction, result, to_beat))
        return rows

    def _evaluate(self, prediction: Prediction, weight: FloatArray, parameters: ModelParameters) -> Evaluation:
        values, mean = prediction.values, self.catalogue_mean
        if prediction.chosen is not None:
            return evaluate_classes(self.truth, values, prediction.chosen, weight, self.artist, mean, parameters)
        return evaluate_regression(
            self.truth, values, weight, self.artist, float(mean[0]), parameters, prediction.bounds
        )


def _row(
    name: str, primary_metric: str, segment: Segment, prediction: Prediction, evaluated: Evaluation, to_beat: float
) -> dict[str, Any]:
    variant, model = prediction.variant, prediction.model
    suffix, model_type, approach = variant.value
    evaluation, of_segment = segment.value[variant is Variant.ARTIST_UNSEEN]
    return {
        "model_name": f"{name}_{suffix}" if variant.is_baseline else name,
        "model_type": model_type,
        "training_approach": approach + RECALIBRATED if prediction.bounds else approach,
        "evaluation": evaluation,
        "segment": of_segment,
        "train_size": 0 if model_type == CONSTANT else model.train_size,
        "test_size": evaluated.test_size,
        "test_tracks": evaluated.test_tracks,
        **{metric: evaluated.metrics.get(metric, np.nan) for metric in METRICS},
        "primary_metric": primary_metric,
        "ci_low": evaluated.ci_low,
        "ci_high": evaluated.ci_high,
        "baseline_score": to_beat,
        "beats_baseline": evaluated.beats(to_beat, primary_metric),
        "note": "; ".join(filter(None, (model.reason, evaluated.note))),
    }


def cross_validation_rows(
    trained: TrainedModel, training: TrainingSet, spec: ModelSpec, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """Grouped cross-validation on the catalogue, by recording and by artist; baselines by recording.

    It overstates what a listener gets: their music is not a sample of the catalogue.
    """
    rows, mean = training.rows, trained.by_recording.target_mean
    scores = {
        Variant.CATALOGUE_MEAN if spec.kind == "regression" else Variant.CATALOGUE_SHARES: np.tile(
            mean, (len(rows), 1)
        ),
        Variant.PREDICTED: score_catalogue(trained.by_recording, training).to_numpy(),
        Variant.LINEAR: score_catalogue(trained.linear, training).to_numpy(),
        Variant.ARTIST_UNSEEN: score_catalogue(trained.by_artist, training, "artist").to_numpy(),
    }
    predictions = []
    for variant, values in scores.items():
        # Without bounds: the catalogue's half-width was taken from these very residuals.
        if spec.kind == "regression":
            predictions.append(Prediction(variant, _model_of(variant, trained), values[:, 0]))
        else:
            chosen = decide(values, mean, 0.0 if variant.is_baseline else parameters.prior_alpha)
            predictions.append(Prediction(variant, _model_of(variant, trained), values, chosen=chosen))
    truth = numeric_column(rows, spec.target).to_numpy()
    tracks = ScoredTracks(truth, _first_artists(rows["artists"]), {Segment.CATALOGUE: np.ones(len(rows))}, mean)
    return tracks.rows(spec.name, spec.primary_metric, predictions, parameters)


def listener_rows(
    trained: TrainedModel, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """The model and its baselines on the listener's measured tracks, per play (the headline) and per track."""
    predict = _predict_feature if spec.kind == "regression" else _predict_moods
    truth, predictions = predict(trained, spec, measured, parameters)
    artist, mean = _first_artists(measured["artist_name"]), trained.by_recording.target_mean
    tracks = ScoredTracks(truth, artist, _weights(measured), mean)
    return tracks.rows(spec.name, spec.primary_metric, predictions, parameters)


def _predict_feature(
    trained: TrainedModel, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> tuple[FloatArray, list[Prediction]]:
    scored = predict_feature(trained, spec, measured, parameters).astype(float)
    predictions = []
    for variant in (Variant.LISTENER_MEAN, Variant.CATALOGUE_MEAN, Variant.LINEAR):
        values = scored[variant.value[0]].to_numpy()
        predictions.append(Prediction(variant, _model_of(variant, trained), values))
    for variant, prefix in ((Variant.PREDICTED, ""), (Variant.ARTIST_UNSEEN, "artist_unseen_")):
        values, lower, upper = (scored[prefix + name].to_numpy() for name in ("predicted", "lower_90", "upper_90"))
        predictions.append(Prediction(variant, _model_of(variant, trained), values, bounds=(lower, upper)))
    return scored["truth"].to_numpy(), predictions


def _predict_moods(
    trained: TrainedModel, _: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> tuple[FloatArray, list[Prediction]]:
    moods = predict_moods(trained, measured, parameters)
    predictions = []
    for variant in (
        Variant.LISTENER_SHARES, Variant.CATALOGUE_SHARES, Variant.LINEAR, Variant.PREDICTED, Variant.ARTIST_UNSEEN,
    ):  # fmt: skip
        scored = moods[variant.value[0]]
        values, chosen = scored[PROBABILITIES].to_numpy(), scored["chosen"].to_numpy()
        predictions.append(Prediction(variant, _model_of(variant, trained), values, chosen=chosen))
    return moods["predicted"]["truth"].to_numpy(), predictions


def _model_of(variant: Variant, trained: TrainedModel) -> CrossFittedModel:
    models = {Variant.ARTIST_UNSEEN: trained.by_artist, Variant.LINEAR: trained.linear}
    return models.get(variant, trained.by_recording)


def _first_artists(credits: "pd.Series[str]") -> npt.NDArray[np.object_]:
    """The main artist, for the bootstrap: songs with guests and other spellings belong to the same artist."""
    return credits.map(first_artist_key).to_numpy(dtype=object)


def _weights(measured: pd.DataFrame) -> dict[Segment, FloatArray]:
    plays = measured["plays"].to_numpy(dtype=float)
    return {Segment.PER_PLAY: plays, Segment.PER_TRACK: np.ones(len(plays))}


def catalogue_rows(model: Artifact) -> list[dict[str, Any]]:
    """Rows of a saved model on the catalogue, as measured when it was trained."""
    return [_with_version(row, model) for row in model.card["figures"]]


def model_rows(
    model: Artifact, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """Rows of a saved model on a listener's tracks.

    Args:
        model: the saved model.
        spec: what it predicts.
        measured: one row per measured track, see `silver.measured_tracks`, and plays; there may be none.
        parameters: those of training.
    """
    trained = TrainedModel.from_parts(model.parts)
    folded = with_folds(measured, trained.recordings, parameters)
    return [_with_version(row, model) for row in listener_rows(trained, spec, folded, parameters)]


def artist_rows(model: Artifact, measured: pd.DataFrame, parameters: ModelParameters) -> list[dict[str, Any]]:
    """Rows of the saved artist estimate; see `model_rows`."""
    artists = ArtistModel.from_state(model.parts["artists"])
    estimated = evaluate(artists, measured, ARTIST_PARAMETERS)
    return [_with_version(row, model) for row in artist_estimate_rows(artists, estimated, measured, parameters)]


def _with_version(row: dict[str, Any], model: Artifact) -> dict[str, Any]:
    """A row with the artifact's version and time of training; in UTC without a zone, as Spark takes it."""
    trained_at = pd.Timestamp(model.card["trained_at"]).tz_convert("UTC").tz_localize(None)
    return {**row, "note": row["note"] or None, "model_version": model.version, "trained_at": trained_at}


def artist_estimate_rows(
    model: ArtistModel, estimated: pd.DataFrame, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """The artist estimate and its baselines per feature, on the measured tracks whose artist is known.

    Args:
        model: the model that estimates.
        estimated: result of `artist_estimate_model.evaluate`.
        measured: the measured tracks it was made from: artist_name, plays.
        parameters: of the bootstrap.
    """
    means = dict(zip(model.features, model.catalogue_mean, strict=True))
    rows = []
    for feature in IMPUTED_FEATURES:
        of_feature = estimated[estimated["feature_name"] == feature].drop(columns="feature_name")
        known = of_feature["predicted"].notna().to_numpy()
        scored = {name: values.to_numpy(dtype=float) for name, values in of_feature[known].items()}
        mean = np.array([means.get(feature, np.nan)])
        predictions = [
            Prediction(Variant.LISTENER_MEAN, model, scored["listener_mean"]),
            Prediction(Variant.CATALOGUE_MEAN, model, np.repeat(mean, known.sum())),
            Prediction(Variant.ARTIST_ESTIMATE, model, scored["predicted"], (scored["lower_90"], scored["upper_90"])),
        ]
        artist, weights = _first_artists(measured.loc[known, "artist_name"]), _weights(measured[known])
        tracks = ScoredTracks(scored["truth"], artist, weights, mean)
        rows += tracks.rows(f"artist_estimate_{feature}", "mae", predictions, parameters)
    return rows
