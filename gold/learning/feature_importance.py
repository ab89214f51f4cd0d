"""Permutation importance: how much worse a model gets on the listener's tracks when one input is shuffled.

Breiman 2001, https://doi.org/10.1023/A:1010933404324. Inputs are shuffled among the listener's own measured tracks,
because the model is used on these. Correlated inputs share their importance: as long as the model has loudness,
shuffling acousticness costs little.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gold.learning.cross_fitted_model import CrossFittedModel, links_of, score
from gold.learning.evaluation import PROBABILITY_FLOOR
from gold.learning.model_parameters import ModelParameters, ModelSpec
from gold.learning.training_set import mood_labels
from silver.artists.recording_groups import FloatArray, IntArray
from silver.artists.shrunken_means import Links

# Inputs other than the numeric features, with the columns that hold them, which are shuffled together.
ENCODED_INPUTS = {"artists": ("artists", "artist_name"), "track_genres": ("track_genres", "track_genre")}


def importance_rows(
    model: CrossFittedModel, spec: ModelSpec, measured: pd.DataFrame, parameters: ModelParameters
) -> list[dict[str, Any]]:
    """Importance of every input, each track counted once.

    Args:
        model: the variant to examine.
        spec: its spec.
        measured: result of `folds.with_folds`.
        parameters: repeats and seed.

    Returns:
        Per input model_name, feature_name, importance (mean drop of R2, for a classification rise of log-loss) and
        importance_std over the repeats. The importance is null for inputs that the model could not use, and for all
        inputs where nothing can be scored.
    """
    inputs = {name: (name,) for name in spec.features} | ENCODED_INPUTS
    fold = measured["fold"].to_numpy()
    links = links_of(model, measured)
    [loss] = _losses(model, spec, [measured], fold, links)
    random = np.random.default_rng(parameters.seed)
    rows = []
    for name, columns in inputs.items():
        drops = np.full(parameters.importance_repeats, np.nan)
        if np.isfinite(loss) and name not in model.unused:
            shuffled = [_shuffle(measured, columns, random) for _ in drops]
            drops = _losses(model, spec, shuffled, fold, None if name in ENCODED_INPUTS else links) - loss
        rows.append(
            {
                "model_name": spec.name,
                "feature_name": name,
                "importance": float(drops.mean()),
                "importance_std": float(drops.std()),
            }
        )
    return rows


def _shuffle(tracks: pd.DataFrame, columns: tuple[str, ...], random: np.random.Generator) -> pd.DataFrame:
    order = random.permutation(len(tracks))
    present = [name for name in columns if name in tracks]
    return tracks.assign(**{name: tracks[name].to_numpy()[order] for name in present})


def _losses(
    model: CrossFittedModel, spec: ModelSpec, versions: Sequence[pd.DataFrame], fold: IntArray, links: Links | None
) -> FloatArray:
    """The loss on each version of the same tracks, scored in one batch, which is several times faster than many."""
    count = len(versions)
    if links is not None:
        links = links.rows(np.tile(np.arange(len(fold)), count))
    scores = score(model, pd.concat(versions, ignore_index=True), np.tile(fold, count), links).to_numpy()
    return np.array([_loss(spec, tracks, part) for tracks, part in zip(versions, np.split(scores, count), strict=True)])


def _loss(spec: ModelSpec, tracks: pd.DataFrame, scores: FloatArray) -> float:
    """1 - R2 or log-loss; NaN where nothing can be scored."""
    if spec.kind == "regression":
        truth = tracks[spec.target].to_numpy(dtype=float)
    else:
        truth = mood_labels(tracks["valence"].astype(float), tracks["energy"].astype(float)).to_numpy()
    known = np.isfinite(truth) & np.isfinite(scores).all(axis=1)
    if not known.any():
        return float("nan")
    y, p = truth[known], scores[known]
    if spec.kind == "classification":
        chance = p[np.arange(len(y)), y.astype(np.int64)]
        return float(-np.log(np.clip(chance, PROBABILITY_FLOOR, 1.0)).mean())
    spread = float(((y - y.mean()) ** 2).sum())
    return float(((y - p[:, 0]) ** 2).sum()) / spread if spread > 0 else float("nan")
