"""Scores of the listener's measured tracks, in Spark, by the models that never saw their recordings.

Tracks are scored, not plays: a play has the features of its track. Spark ships the model to each worker once.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.learning.model_parameters import PARAMETERS, ModelSpec
from lakehouse.models.artifacts import Artifact
from silver.artists.listener_lines import MAX_CALIBRATION_TRACKS, estimate_with_bounds, lines_of, lines_schema
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_measured
from silver.rules.track_facts import TRACK, track_key


def measured_plays(listening_with_features: DataFrame) -> DataFrame:
    """The measured plays, with the key of their track."""
    return listening_with_features.where(is_measured()).withColumn("track_key", track_key())


def predicted_plays(plays: DataFrame, tracks: DataFrame, model: Artifact, spec: ModelSpec) -> DataFrame:
    """The measured plays with the estimates of `predicted_features` for their tracks.

    Args:
        plays: rows of `listening_with_features`.
        tracks: rows of `measured_tracks`.
        model: the saved model.
        spec: what it predicts: a regression.

    Returns:
        The plays with predicted_<target>, lower_90, upper_90, fold and model_version.
    """
    scores = predicted_features(tracks, model, spec).withColumnRenamed("predicted", f"predicted_{spec.target}")
    scored = measured_plays(plays).join(scores, on=list(TRACK), how="left")
    return scored.withColumn("model_version", F.lit(model.version))


def predicted_features(tracks: DataFrame, model: Artifact, spec: ModelSpec) -> DataFrame:
    """Estimates of one feature, fitted to each listener.

    Args:
        tracks: see `silver.measured_tracks`.
        model: the saved model.
        spec: what it predicts: a regression.

    Returns:
        Per listener and track listener, track_key, predicted, lower_90, upper_90, fold; null where no model may score
        it, or none can. Line and bounds come from the listener's tracks of other artists, see
        `silver.artists.listener_calibration`.
    """
    raw = f"raw_{spec.target}"

    def scores_of(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield _score(batch, model).rename(columns={"predicted": raw})[
                ["listener", "track_key", "fold", "listener_fold", raw]
            ]

    def lines(measured: pd.DataFrame) -> pd.DataFrame:
        from gold.learning.model_building import catalogue_half_width, fit_listener

        scored = _score(measured, model)
        half_width = catalogue_half_width(model.parts)
        return lines_of({spec.target: fit_listener(scored, scored["predicted"], half_width, spec, PARAMETERS)})

    scores = tracks.mapInPandas(
        scores_of, f"listener string, track_key string, fold int, listener_fold int, {raw} double"
    )
    fit = in_pandas(tracks, lines, lines_schema([spec.target]), key="track_key", max_rows=MAX_CALIBRATION_TRACKS)
    predicted, lower, upper = estimate_with_bounds(spec.target)
    return scores.join(F.broadcast(fit), on=["listener", "listener_fold"], how="left").select(
        "listener", "track_key", predicted.alias("predicted"), lower.alias("lower_90"), upper.alias("upper_90"), "fold"
    )


def predicted_moods(tracks: DataFrame, model: Artifact) -> DataFrame:
    """Moods by the model that knows neither valence nor energy.

    Args:
        tracks: see `silver.measured_tracks`.
        model: the saved model.

    Returns:
        Per listener and track listener, track_key, predicted_mood_label (see `cross_fitted_model.decide`), confidence
        (its probability), mood_probability (that of its actual mood), fold; null where no model may score it, or none
        can.
    """
    names = ["listener", "track_key", "predicted_mood_label", "confidence", "mood_probability", "fold"]
    schema = (
        "listener string, track_key string, predicted_mood_label int, confidence double, mood_probability double, "
        "fold int"
    )

    def moods_of(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        from gold.learning.cross_fitted_model import decide
        from gold.learning.model_building import PROBABILITIES, main_model
        from gold.learning.training_set import mood_labels

        shares = main_model(model.parts).target_mean
        for batch in batches:
            scored = _score(batch, model)
            probabilities = scored[PROBABILITIES].to_numpy()
            label = decide(probabilities, shares, PARAMETERS.prior_alpha)
            scored["confidence"] = probabilities[np.arange(len(label)), label]
            scored["predicted_mood_label"] = _null_below_0(label)
            actual = mood_labels(scored["valence"].astype(float), scored["energy"].astype(float))
            of_actual = probabilities[np.arange(len(actual)), actual.fillna(0).astype(int)]
            scored["mood_probability"] = np.where(actual.notna(), of_actual, np.nan)
            yield scored[names]

    return tracks.mapInPandas(moods_of, schema)


def _score(tracks: pd.DataFrame, model: Artifact) -> pd.DataFrame:
    """The tracks with their folds and scores; fold is null where the track matches recordings of several folds."""
    # Imported here: scikit-learn takes seconds to load, and only workers that score need it.
    from gold.learning.model_building import score_listened

    scored = score_listened(model.parts, tracks, PARAMETERS)
    return scored.assign(fold=_null_below_0(scored["fold"].to_numpy()))


def _null_below_0(numbers: np.ndarray) -> "pd.Series[int]":
    return pd.Series(numbers, dtype="Int32").where(numbers >= 0)
