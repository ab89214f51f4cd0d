"""A model trained once per fold, and scores by the one that never saw the recording.

Cross-fitted (Chernozhukov et al. 2018, https://doi.org/10.1111/ectj.12097): the recordings are dealt into folds, one
model is trained without each fold, and a track is scored by the model that never saw its recording. So no track of the
listener is scored by a model that was trained on it, while the training set depends on the catalogue alone and new
plays retrain nothing.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from gold.learning.encodings import encode
from gold.learning.model_parameters import N_MOODS, HoldoutBy
from gold.learning.training_set import TrainingSet, genres_of
from silver.artists.recording_groups import FloatArray, IntArray
from silver.artists.shrunken_means import Links, ShrunkenMeans, link_tracks


@dataclass(frozen=True)
class FoldModel:
    """The model trained without one fold: its estimator and the encodings of its training rows."""

    estimator: Any
    means: ShrunkenMeans | None
    train_size: int


@dataclass(frozen=True)
class CrossFittedModel:
    """One model per fold, with everything that scoring needs.

    Attributes:
        name: name of the spec it was trained for.
        kind: 'regression' or 'classification'.
        features: numeric inputs, in order; the encodings follow them.
        unused: inputs left out, each with the reason.
        folds: model per fold number; empty where nothing could be trained.
        reason: why there is no model; '' if there is one.
        artist_ids: vocabulary of the encodings.
        genre_ids: vocabulary of the encodings.
        target_mean: mean target of the catalogue, (1,); for a classification the class shares, (5,).
    """

    name: str
    kind: str
    features: tuple[str, ...]
    unused: dict[str, str]
    folds: dict[int, FoldModel]
    reason: str
    artist_ids: IntArray
    genre_ids: IntArray
    target_mean: FloatArray

    @property
    def train_size(self) -> int:
        """Recordings in the largest of the training sets."""
        return max((fold.train_size for fold in self.folds.values()), default=0)

    @property
    def outputs(self) -> list[str]:
        """Columns of the result of `score`."""
        return ["predicted"] if self.kind == "regression" else [f"probability_{i}" for i in range(N_MOODS)]

    def state(self) -> dict[str, Any]:
        """Plain lists, arrays and estimators, for an artifact."""
        folds = [
            {"fold": k, "estimator": m.estimator, "means": m.means and m.means.state(), "train_size": m.train_size}
            for k, m in self.folds.items()
        ]
        return {**vars(self), "features": list(self.features), "folds": folds}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> "CrossFittedModel":
        """Undo `state`."""
        folds = {
            int(saved["fold"]): FoldModel(
                saved["estimator"],
                ShrunkenMeans.from_state(saved["means"]) if saved["means"] else None,
                int(saved["train_size"]),
            )
            for saved in state["folds"]
        }
        return cls(**{**state, "features": tuple(state["features"]), "folds": folds})


def score(model: CrossFittedModel, tracks: pd.DataFrame, fold: IntArray, links: Links | None = None) -> pd.DataFrame:
    """Predict each track by the model that never saw its fold.

    Args:
        model: result of `train`.
        tracks: numeric inputs (nulls allowed), artists (or artist_name where that is null), track_genres (or
            track_genre).
        fold: (n,) fold per track; CONFLICT gives nulls.
        links: result of `links_of`, to be passed when the same tracks are scored repeatedly.

    Returns:
        On the tracks' index: predicted (0..1), or probability_0 .. probability_4 that add up to 1. Null where
        no model may score the track, or none can.

    Raises:
        ValueError: a column that the model was trained with is missing.
    """
    return _score(model, tracks, links_of(model, tracks) if links is None else links, fold)


def links_of(model: CrossFittedModel, tracks: pd.DataFrame) -> Links:
    """Artists and genres of tracks in the model's vocabulary."""
    return link_tracks(_artists(tracks), genres_of(tracks), model.artist_ids, model.genre_ids)


def score_catalogue(model: CrossFittedModel, training: TrainingSet, by: HoldoutBy = "recording") -> pd.DataFrame:
    """Out-of-fold predictions of the training set's own rows: the grouped cross-validation."""
    return _score(model, training.rows, training.links, training.folds.fold(by))


def _score(model: CrossFittedModel, tracks: pd.DataFrame, links: Links, fold: IntArray) -> pd.DataFrame:
    """See `score`; the links are in the model's vocabulary."""
    result = np.full((len(tracks), len(model.outputs)), np.nan)
    if model.folds and len(tracks):
        numeric = numeric_inputs(tracks, model.features)
        with threadpool_limits(1):
            for number, fold_model in model.folds.items():
                rows = np.flatnonzero(fold == number)
                if len(rows):
                    result[rows] = _predict(fold_model, model.kind, numeric[rows], links.rows(rows))
    return pd.DataFrame(result, columns=model.outputs, index=tracks.index)


def _predict(model: FoldModel, kind: str, numeric: FloatArray, links: Links) -> FloatArray:
    columns = [numeric] if model.means is None else [numeric, encode(model.means, links)]
    matrix = np.column_stack(columns)
    if kind == "regression":
        predicted: FloatArray = np.clip(model.estimator.predict(matrix), 0.0, 1.0)
        return predicted[:, None]
    # A class absent from the training rows has no column of its own: its probability is 0.
    probabilities = np.zeros((len(matrix), N_MOODS))
    probabilities[:, model.estimator.classes_.astype(int)] = model.estimator.predict_proba(matrix)
    return probabilities


def numeric_inputs(frame: pd.DataFrame, features: tuple[str, ...]) -> FloatArray:
    """The numeric inputs in the model's order.

    Raises:
        ValueError: the frame lacks columns the model was trained with; all are named.
    """
    missing = [name for name in features if name not in frame]
    if missing:
        raise ValueError(f"columns missing for scoring: {', '.join(missing)}")
    values: FloatArray = frame[list(features)].to_numpy(dtype=float, na_value=np.nan)
    return values


def _artists(tracks: pd.DataFrame) -> "pd.Series[Any]":
    """Credited artists where the catalogue has them, else the name in the history."""
    columns = [tracks[name] for name in ("artists", "artist_name") if name in tracks]
    if not columns:
        return pd.Series(None, index=tracks.index, dtype=object)
    return columns[0] if len(columns) == 1 else columns[0].where(columns[0].notna(), columns[1])


def decide(probabilities: FloatArray, target_mean: FloatArray, alpha: float) -> IntArray:
    """Choose a class by p / prior^alpha: alpha 0 favours frequent classes, 1 treats all alike.

    With alpha 0 rare moods are hardly ever chosen (macro-F1 .51 against .55, see "Mood class" in docs/models.md). The
    probabilities are not changed. Rows with nulls get -1.
    """
    prior = np.where(target_mean > 0, target_mean, 1.0)
    known = np.isfinite(probabilities).all(axis=1)
    weighted = np.nan_to_num(probabilities) / prior**alpha
    return np.where(known, weighted.argmax(axis=1), -1).astype(np.int64)
