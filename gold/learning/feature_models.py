"""Predict one audio feature, or the mood class, of a track from its other features, genre and artist.

Cross-fitted (Chernozhukov et al. 2018, https://doi.org/10.1111/ectj.12097): the recordings are dealt into
folds, one model is trained without each fold, and a track is scored by the model that never saw its
recording. So nothing of the listener's is scored by a model that was trained on it, while the training set
depends on the catalogue alone and new plays retrain nothing.

The four steps are pure functions: `split` in `training_set`, `train` and `score` here, `evaluate_...` in `evaluation`.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from gold.learning.encodings import encode, fit_encodings
from gold.learning.model_parameters import N_MOODS, HoldoutBy, ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet, genres_of, numeric_column
from silver.artists.recording_groups import BoolArray, FloatArray, IntArray
from silver.artists.shrunken_means import Links, ShrunkenMeans, link_tracks

Algorithm = Literal["boosted_trees", "linear"]


@dataclass(frozen=True)
class FoldModel:
    """The model that never saw one fold: its estimator and the encodings of its own training rows."""

    estimator: Any
    means: ShrunkenMeans | None
    train_size: int


@dataclass(frozen=True)
class CrossFittedModel:
    """One model per fold, with everything that scoring needs.

    Attributes:
        name: Name of the spec it was trained for.
        kind: 'regression' or 'classification'.
        features: Numeric inputs, in order; the encodings follow them.
        unused: Inputs left out, each with the reason.
        folds: Model per fold number; empty where nothing could be trained.
        reason: Why there is no model; '' if there is one.
        artist_ids: Vocabulary of the encodings.
        genre_ids: Vocabulary of the encodings.
        target_mean: Mean target of the catalogue, (1,); for a classification the class shares, (5,).
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
        """Recordings in the largest fold's training set."""
        return max((fold.train_size for fold in self.folds.values()), default=0)

    @property
    def outputs(self) -> list[str]:
        """Columns that `score` makes."""
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


def train(
    training: TrainingSet,
    spec: ModelSpec,
    parameters: ModelParameters,
    by: HoldoutBy = "recording",
    algorithm: Algorithm = "boosted_trees",
) -> CrossFittedModel:
    """Fit one model per fold.

    A feature that the catalogue lacks, or that is the same everywhere, is left out; where no target can be
    learnt the result has no folds and says why. Nothing here raises for poor data.

    Args:
        training: Result of `split`.
        spec: What to predict.
        parameters: Seed and estimator parameters.
        by: Hold out by recording (the model) or by artist (to show what unknown artists get).
        algorithm: 'linear' is the ridge or logistic baseline: same numeric inputs, no encodings.
    """
    target = numeric_column(training.rows, spec.target).to_numpy()
    usable = np.isfinite(target) & ~_analysis_failed(training.rows)
    features, unused = _usable_features(training.rows[usable], spec)
    model = CrossFittedModel(
        name=spec.name,
        kind=spec.kind,
        features=features,
        unused=unused,
        folds={},
        reason=_untrainable(target[usable], features, spec, parameters),
        artist_ids=training.links.artist_ids,
        genre_ids=training.links.genre_ids,
        target_mean=_mean_target(target[usable], spec),
    )
    if model.reason:
        return model
    held_out = training.folds.held_out(by, parameters.n_folds)
    with threadpool_limits(1):  # OpenMP threads that fight for cores are slower than one (MODELS.md, section 6)
        for fold in range(parameters.n_folds):
            rows = np.flatnonzero(usable & ~held_out[:, fold])
            if len(np.unique(target[rows])) > 1:
                model.folds[fold] = _fit(training, rows, target[rows], spec, model, parameters, fold, algorithm)
    return model


def _analysis_failed(rows: pd.DataFrame) -> BoolArray:
    """Rows whose tempo or valence the catalogue could not determine though it has the column."""
    failed = np.zeros(len(rows), dtype=bool)
    for name in ("tempo", "valence"):
        if name in rows and rows[name].notna().any():
            failed |= rows[name].isna().to_numpy()
    return failed


def _usable_features(rows: pd.DataFrame, spec: ModelSpec) -> tuple[tuple[str, ...], dict[str, str]]:
    """Inputs that vary in the training rows, and the reason for each that does not."""
    unused = {}
    for name in spec.features:
        distinct = numeric_column(rows, name).nunique()
        if distinct < 2:
            unused[name] = "the same for all tracks" if distinct else "not in the catalogue"
    return tuple(name for name in spec.features if name not in unused), unused


def _untrainable(target: FloatArray, features: tuple[str, ...], spec: ModelSpec, parameters: ModelParameters) -> str:
    if len(target) < parameters.min_training_rows:
        return f"the catalogue has {len(target)} recordings with {spec.target}, {parameters.min_training_rows} needed"
    if len(np.unique(target)) < 2:
        return f"{spec.target} is the same for all tracks of the catalogue"
    return "" if features else "no audio feature of the catalogue varies"


def _mean_target(target: FloatArray, spec: ModelSpec) -> FloatArray:
    columns = _targets(target, spec)
    return columns.mean(axis=0) if len(columns) else np.full(columns.shape[1], np.nan)


def _targets(target: FloatArray, spec: ModelSpec) -> FloatArray:
    """The target as columns: itself, or one indicator per class."""
    if spec.kind == "regression":
        return target.reshape(-1, 1)
    return np.equal.outer(target, np.arange(N_MOODS)).astype(float)


def _fit(
    training: TrainingSet,
    rows: IntArray,
    target: FloatArray,
    spec: ModelSpec,
    model: CrossFittedModel,
    parameters: ModelParameters,
    fold: int,
    algorithm: Algorithm,
) -> FoldModel:
    numeric = _matrix(training.rows.iloc[rows], model.features)
    estimator = _estimator(spec, parameters, algorithm)
    if algorithm == "linear":
        return FoldModel(estimator.fit(numeric, target), None, len(rows))
    random = np.random.default_rng([parameters.seed, fold])
    links, inner_fold = training.links.rows(rows), training.inner_fold[rows]
    encodings = fit_encodings(links, _targets(target, spec), inner_fold, parameters, random)
    estimator.fit(np.column_stack([numeric, encodings.training_columns]), target)
    return FoldModel(estimator, encodings.means, len(rows))


def _estimator(spec: ModelSpec, parameters: ModelParameters, algorithm: Algorithm) -> Any:
    # Imported here: sklearn takes a second to load, and walking the registry must not.
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = spec.kind == "regression"
    if algorithm == "linear":
        last = Ridge() if regression else LogisticRegression(max_iter=200)
        return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), last)
    # Early stopping would hold out rows at random, other releases of training recordings among them.
    common = {"early_stopping": False, "random_state": parameters.seed}
    if regression:
        return HistGradientBoostingRegressor(**dict(parameters.regression), **common)
    return HistGradientBoostingClassifier(**dict(parameters.classification), **common)


def _matrix(frame: pd.DataFrame, features: tuple[str, ...]) -> FloatArray:
    """The numeric inputs in the model's order.

    Raises:
        ValueError: The frame lacks columns the model was trained with; all are named.
    """
    missing = [name for name in features if name not in frame]
    if missing:
        raise ValueError(f"columns missing for scoring: {', '.join(missing)}")
    values: FloatArray = frame[list(features)].to_numpy(dtype=float, na_value=np.nan)
    return values


def score(model: CrossFittedModel, tracks: pd.DataFrame, fold: IntArray, links: Links | None = None) -> pd.DataFrame:
    """Predict each track by the model that never saw its fold.

    Args:
        model: Result of `train`.
        tracks: Numeric inputs (nulls allowed), artists (or artist_name where that is null), track_genres (or
            track_genre).
        fold: (n,) fold per track; CONFLICT gives nulls.
        links: result of `links_of`, where the same tracks are scored often.

    Returns:
        On the tracks' index: predicted (0..1), or probability_0 .. probability_4 that add up to 1. Null where
        no model may or can score the track.

    Raises:
        ValueError: A column that the model was trained with is missing.
    """
    return _scored(model, tracks, links_of(model, tracks) if links is None else links, fold)


def links_of(model: CrossFittedModel, tracks: pd.DataFrame) -> Links:
    """Artists and genres of tracks in the model's vocabulary."""
    return link_tracks(_artists(tracks), genres_of(tracks), model.artist_ids, model.genre_ids)


def score_catalogue(model: CrossFittedModel, training: TrainingSet, by: HoldoutBy = "recording") -> pd.DataFrame:
    """Out-of-fold predictions of the training set's own rows: the grouped cross-validation."""
    return _scored(model, training.rows, training.links, training.folds.fold(by))


def _scored(model: CrossFittedModel, tracks: pd.DataFrame, links: Links, fold: IntArray) -> pd.DataFrame:
    """See `score`; the links are in the model's vocabulary."""
    result = np.full((len(tracks), len(model.outputs)), np.nan)
    if model.folds and len(tracks):
        numeric = _matrix(tracks, model.features)
        with threadpool_limits(1):
            for number, fold_model in model.folds.items():
                rows = np.flatnonzero(fold == number)
                if len(rows):
                    result[rows] = _predict(fold_model, model.kind, numeric[rows], links.rows(rows))
    return pd.DataFrame(result, columns=model.outputs, index=tracks.index)


def _artists(tracks: pd.DataFrame) -> "pd.Series[Any]":
    """Credited artists where the catalogue gives them, else the name in the history."""
    columns = [tracks[name] for name in ("artists", "artist_name") if name in tracks]
    if not columns:
        return pd.Series(None, index=tracks.index, dtype=object)
    return columns[0] if len(columns) == 1 else columns[0].where(columns[0].notna(), columns[1])


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


def decide(probabilities: FloatArray, target_mean: FloatArray, alpha: float) -> IntArray:
    """Choose a class by p / prior^alpha: alpha 0 favours frequent classes, 1 treats all alike.

    The majority is otherwise chosen so often that rare moods are never named (macro-F1 .51 against .55,
    MODELS.md 2c). The probabilities themselves stay as they are. Rows with nulls get -1.
    """
    prior = np.where(target_mean > 0, target_mean, 1.0)
    known = np.isfinite(probabilities).all(axis=1)
    weighted = np.nan_to_num(probabilities) / prior**alpha
    return np.where(known, weighted.argmax(axis=1), -1).astype(np.int64)
