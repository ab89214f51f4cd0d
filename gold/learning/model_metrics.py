"""Rows of model_performance_metrics: every model beside its baselines, on the catalogue and on the listener."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gold.learning.evaluation import Evaluated, evaluate_classes, evaluate_regression
from gold.learning.feature_models import decide, score_catalogue
from gold.learning.folds import with_folds
from gold.learning.model_building import PROBABILITIES, TrainedModel, predict_feature, predict_moods
from gold.learning.model_parameters import N_MOODS, HoldoutBy, ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet
from lakehouse.models.artifacts import Artifact
from silver.artists.artist_estimate_model import evaluate
from silver.artists.artist_means import PARAMETERS as ARTIST_PARAMETERS
from silver.artists.artist_means import ArtistModel
from silver.artists.artist_names import first_artist_key
from silver.artists.recording_groups import FloatArray, IntArray
from silver.rules.feature_source import IMPUTED_FEATURES

METRICS = ("r2", "rmse", "mae", "accuracy", "f1", "log_loss", "ece", "coverage_90", "skill")
TREES, LINEAR, CONSTANT, SHRUNKEN = "hist_gradient_boosting", "linear_baseline", "constant_baseline", "shrunken_mean"

CROSS_FITTED = "catalogue, cross-fitted by recording"
UNSEEN = "catalogue, cross-fitted by artist"
RECALIBRATED = "; line and bounds from the listener's tracks of other artists"
# How each column of predictions came about: model_type and training_approach.
VARIANTS = {
    "predicted": (TREES, CROSS_FITTED),
    "artist_unseen": (TREES, UNSEEN),
    "linear": (LINEAR, f"{CROSS_FITTED}; not fitted to the listener"),
    "listener_mean": (CONSTANT, "mean of the listener's tracks of other artists"),
    "catalogue_mean": (CONSTANT, "mean of the catalogue"),
    "listener_shares": (CONSTANT, "mood shares of the listener's tracks of other artists"),
    "catalogue_shares": (CONSTANT, "mood shares of the catalogue; chosen is the majority"),
}
# Variants with bounds, and the prefix of their columns.
BOUNDED = {"predicted": "", "artist_unseen": "artist_unseen_"}


def metric_row(
    spec_name: str,
    variant: str,
    evaluation: str,
    segment: str,
    train_size: int,
    primary_metric: str,
    evaluated: Evaluated,
    baseline_score: float,
    note: str = "",
) -> dict[str, Any]:
    """One row in the contract's columns, without model_version and trained_at."""
    model_type, approach = VARIANTS[variant]
    own = variant in ("predicted", "artist_unseen")
    if own and evaluation == "listener" and primary_metric == "mae":
        approach += RECALIBRATED
    return {
        "model_name": spec_name if own else f"{spec_name}_{variant}",
        "model_type": model_type,
        "training_approach": approach,
        "evaluation": evaluation,
        "segment": segment,
        "train_size": train_size,
        "test_size": evaluated.test_size,
        "test_tracks": evaluated.test_tracks,
        **{name: evaluated.metrics.get(name, np.nan) for name in METRICS},
        "primary_metric": primary_metric,
        "ci_low": evaluated.ci_low,
        "ci_high": evaluated.ci_high,
        "baseline_score": baseline_score,
        "beats_baseline": evaluated.beats(baseline_score, primary_metric),
        "note": "; ".join(filter(None, (note, evaluated.note))),
    }


def cross_validation_rows(
    trained: TrainedModel, training: TrainingSet, spec: ModelSpec, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """Grouped cross-validation on the catalogue, by recording and by artist; baselines by recording.

    It overstates what a listener gets: their music is not a sample of the catalogue.
    """
    rows = []
    baseline = "catalogue_mean" if spec.kind == "regression" else "catalogue_shares"
    variants: tuple[tuple[str, str, Any, HoldoutBy], ...] = (
        (baseline, "cv_recording", None, "recording"),
        ("predicted", "cv_recording", trained.by_recording, "recording"),
        ("linear", "cv_recording", trained.linear, "recording"),
        ("artist_unseen", "cv_artist", trained.by_artist, "artist"),
    )
    score_to_beat = float("nan")
    for variant, evaluation, model, by in variants:
        if model is None:
            values = np.tile(trained.by_recording.target_mean, (len(training.rows), 1))
        else:
            values = score_catalogue(model, training, by).to_numpy()
        evaluated = _evaluate_catalogue(values, trained, training, spec, parameters, variant)
        if model is None:
            score_to_beat = evaluated.metrics[spec.primary_metric]
        size, note = (model.train_size, model.reason) if model else (0, trained.by_recording.reason)
        rows.append(
            metric_row(
                spec.name, variant, evaluation, "catalogue", size, spec.primary_metric, evaluated, score_to_beat, note
            )
        )
    return rows


def _evaluate_catalogue(
    values: FloatArray,
    trained: TrainedModel,
    training: TrainingSet,
    spec: ModelSpec,
    parameters: ModelParameters,
    variant: str,
) -> Evaluated:
    truth = _truth(training.rows, spec)
    weight = np.ones(len(truth))
    artist = _first_artists(training.rows["artists"])
    mean = trained.by_recording.target_mean
    if spec.kind == "regression":
        predicted = values[:, 0] if values.shape[1] else np.full(len(truth), np.nan)
        # No coverage here: the catalogue's half-width was taken from these very residuals.
        return evaluate_regression(truth, predicted, weight, artist, float(mean[0]), parameters)
    if values.shape[1] != N_MOODS:
        values = np.full((len(truth), N_MOODS), np.nan)
    alpha = parameters.prior_alpha if variant in ("predicted", "artist_unseen") else 0.0
    return evaluate_classes(truth, values, decide(values, mean, alpha), weight, artist, mean, parameters)


def _first_artists(credits: "pd.Series[str]") -> npt.NDArray[np.object_]:
    """Whom a track is of, for the bootstrap: songs with guests and other spellings are the same artist's."""
    return credits.map(first_artist_key).to_numpy(dtype=object)


def _truth(rows: pd.DataFrame, spec: ModelSpec) -> FloatArray:
    if spec.target not in rows:
        return np.full(len(rows), np.nan)
    return rows[spec.target].to_numpy(dtype=float, na_value=np.nan)


def listener_rows(
    trained: TrainedModel, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """The model and its baselines on the listener's measured tracks, per play (the headline) and per track."""
    rows = []
    if spec.kind == "regression":
        scored = predict_feature(trained, spec, measured, parameters)
        segments = _regression_segments(scored, measured, trained, parameters)
        baseline = "listener_mean"
    else:
        moods = predict_moods(trained, measured, parameters)
        segments = _class_segments(moods, measured, trained, parameters)
        baseline = "listener_shares"
    evaluated = dict(segments)
    for (variant, weighting), result in evaluated.items():
        segment = weighting
        if variant == "artist_unseen":
            segment = "artist_unseen" if weighting == "per_play" else "artist_unseen_per_track"
        model = {"artist_unseen": trained.by_artist, "linear": trained.linear}.get(variant, trained.by_recording)
        size = 0 if VARIANTS[variant][0] == CONSTANT else model.train_size
        to_beat = evaluated[(baseline, weighting)].metrics[spec.primary_metric]
        rows.append(
            metric_row(
                spec.name, variant, "listener", segment, size, spec.primary_metric, result, to_beat, model.reason
            )
        )
    return rows


Segment = tuple[tuple[str, str], Evaluated]


def _weights(measured: pd.DataFrame) -> Iterator[tuple[str, FloatArray]]:
    yield "per_play", measured["plays"].to_numpy(dtype=float)
    yield "per_track", np.ones(len(measured))


def _regression_segments(
    scored: pd.DataFrame, measured: pd.DataFrame, trained: TrainedModel, parameters: ModelParameters
) -> Iterator[Segment]:
    truth = scored["truth"].to_numpy()
    artist = _first_artists(measured["artist_name"])
    mean = float(trained.by_recording.target_mean[0])
    for weighting, weight in _weights(measured):
        for variant in ("listener_mean", "catalogue_mean", "linear", "predicted", "artist_unseen"):
            column, bounds = variant, None
            if variant in BOUNDED:
                prefix = BOUNDED[variant]
                column = f"{prefix}predicted"
                bounds = scored[f"{prefix}lower_90"].to_numpy(), scored[f"{prefix}upper_90"].to_numpy()
            values = scored[column].to_numpy(dtype=float)
            yield (variant, weighting), evaluate_regression(truth, values, weight, artist, mean, parameters, bounds)


def _class_segments(
    moods: dict[str, pd.DataFrame], measured: pd.DataFrame, trained: TrainedModel, parameters: ModelParameters
) -> Iterator[Segment]:
    artist = _first_artists(measured["artist_name"])
    shares = trained.by_recording.target_mean
    for weighting, weight in _weights(measured):
        for variant, frame in moods.items():
            chosen: IntArray = frame["chosen"].to_numpy()
            truth, values = frame["truth"].to_numpy(), frame[PROBABILITIES].to_numpy()
            yield (variant, weighting), evaluate_classes(truth, values, chosen, weight, artist, shares, parameters)


def model_rows(
    model: Artifact, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """All rows of a saved model: on the catalogue as measured when it was trained, and on the listener now.

    Args:
        model: The saved model.
        spec: What it predicts.
        measured: One row per measured track, see `silver.measured_tracks`, and plays; there may be none.
        parameters: The same parameters.
    """
    trained = TrainedModel.from_parts(model.parts)
    folded = with_folds(measured, trained.recordings, parameters)
    rows = [*model.card["figures"], *listener_rows(trained, spec, folded, parameters)]
    return [_of_artifact(row, model) for row in rows]


def artist_rows(model: Artifact, measured: pd.DataFrame, parameters: ModelParameters) -> list[dict[str, Any]]:
    """Rows of the saved artist estimate; see `model_rows`."""
    artists = ArtistModel.from_state(model.parts["artists"])
    means = dict(zip(artists.features, artists.catalogue_mean, strict=True))
    judged = evaluate(artists, measured, ARTIST_PARAMETERS)
    rows = artist_estimate_rows(judged, measured, means, artists.train_size, parameters, artists.reason)
    return [_of_artifact(row, model) for row in rows]


def _of_artifact(row: dict[str, Any], model: Artifact) -> dict[str, Any]:
    """A row with the artifact's version and time of training; in UTC without a zone, as Spark takes it."""
    trained_at = pd.Timestamp(model.card["trained_at"]).tz_convert("UTC").tz_localize(None)
    return {**row, "note": row["note"] or None, "model_version": model.version, "trained_at": trained_at}


def artist_estimate_rows(
    judged: pd.DataFrame,
    measured: pd.DataFrame,
    catalogue_means: dict[str, float],
    train_size: int,
    parameters: ModelParameters,
    reason: str = "",
) -> list[dict[str, Any]]:
    """The artist estimate and its baselines per feature, on the measured tracks whose artist is known.

    Args:
        judged: Result of `artist_estimate_model.evaluate`.
        measured: The measured tracks it was made from: artist_name, plays.
        catalogue_means: Mean of each feature over the catalogue.
        train_size: Recordings the estimate rests on.
        parameters: Bootstrap.
        reason: Why nothing can be estimated; '' if something can.
    """
    rows = []
    for feature in IMPUTED_FEATURES:
        one = judged[judged["feature_name"] == feature].reset_index(drop=True)
        known = one["predicted"].notna().to_numpy()
        mean = catalogue_means.get(feature, float("nan"))
        one, tracks = one[known].assign(catalogue_mean=mean), measured.reset_index(drop=True)[known]
        artist = _first_artists(tracks["artist_name"])
        for segment, weight in _weights(tracks):
            to_beat = float("nan")
            for variant in ("listener_mean", "catalogue_mean", "predicted"):
                bounds = (one["lower_90"].to_numpy(), one["upper_90"].to_numpy()) if variant == "predicted" else None
                values, truth = one[variant].to_numpy(dtype=float), one["truth"].to_numpy(dtype=float)
                result = evaluate_regression(truth, values, weight, artist, mean, parameters, bounds)
                if variant == "listener_mean":
                    to_beat = result.metrics["mae"]
                size = train_size if variant == "predicted" else 0
                row = metric_row(
                    f"artist_estimate_{feature}", variant, "listener", segment, size, "mae", result, to_beat, reason
                )
                rows.append(row if variant != "predicted" else {**row, "model_type": SHRUNKEN})
    return rows
