"""Train a model of one audio feature, or of the mood class, from a track's other features, genre and artist.

The four steps are pure functions: `split` in `training_set`, `train` here, `score` in `cross_fitted_model` and
`evaluate_...` in `evaluation`.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from gold.learning.cross_fitted_model import CrossFittedModel, FoldModel, numeric_inputs
from gold.learning.encodings import fit_encodings
from gold.learning.model_parameters import N_MOODS, HoldoutBy, ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet, numeric_column
from silver.artists.recording_groups import BoolArray, FloatArray, IntArray

Algorithm = Literal["boosted_trees", "linear"]


def train(
    training: TrainingSet,
    spec: ModelSpec,
    parameters: ModelParameters,
    by: HoldoutBy = "recording",
    algorithm: Algorithm = "boosted_trees",
) -> CrossFittedModel:
    """Fit one model per fold.

    Features that the catalogue lacks, or that are the same everywhere, are left out; where the target cannot be learnt,
    the result has no folds and says why. Poor data raises no error.

    Args:
        training: result of `split`.
        spec: what to predict.
        parameters: seed and estimator parameters.
        by: hold out by recording (the model) or by artist (to show what unknown artists get).
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
    with threadpool_limits(1):  # see "Cost and threads" in docs/models.md
        for fold in range(parameters.n_folds):
            rows = np.flatnonzero(usable & ~held_out[:, fold])
            if len(np.unique(target[rows])) > 1:
                model.folds[fold] = _fit(training, rows, target[rows], spec, model, parameters, fold, algorithm)
    return model


def _analysis_failed(rows: pd.DataFrame) -> BoolArray:
    """Rows without tempo or valence, though the catalogue has the column."""
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
    numeric = numeric_inputs(training.rows.iloc[rows], model.features)
    estimator = _estimator(spec, parameters, algorithm)
    if algorithm == "linear":
        return FoldModel(estimator.fit(numeric, target), None, len(rows))
    random = np.random.default_rng([parameters.seed, fold])
    links, inner_fold = training.links.rows(rows), training.inner_fold[rows]
    encodings = fit_encodings(links, _targets(target, spec), inner_fold, parameters, random)
    estimator.fit(np.column_stack([numeric, encodings.training_columns]), target)
    return FoldModel(estimator, encodings.means, len(rows))


def _estimator(spec: ModelSpec, parameters: ModelParameters, algorithm: Algorithm) -> Any:
    # Imported here: scikit-learn takes a second to load, and listing the tables must not.
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = spec.kind == "regression"
    if algorithm == "linear":
        last = Ridge() if regression else LogisticRegression(max_iter=200)
        return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), last)
    # Early stopping would hold out rows at random, among them other releases of training recordings.
    common = {"early_stopping": False, "random_state": parameters.seed}
    if regression:
        return HistGradientBoostingRegressor(**dict(parameters.regression), **common)
    return HistGradientBoostingClassifier(**dict(parameters.classification), **common)
