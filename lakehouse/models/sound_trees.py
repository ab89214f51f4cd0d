"""Checks the trees of a model that came from a file: scikit-learn's compiled code follows their indices unchecked."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


class UnsoundTreeError(ValueError):
    """A tree that would be read outside of its arrays, or without end."""


def require_sound_trees(value: Any) -> None:
    """Check each gradient boosting estimator in dictionaries and lists.

    Raises:
        UnsoundTreeError: says which index leads where it must not.
    """
    from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import BaseHistGradientBoosting

    for part in _parts(value):
        if isinstance(part, BaseHistGradientBoosting):
            _require_sound(part)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _parts(part)
    else:
        yield value


def _require_sound(estimator: Any) -> None:
    from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE

    features = int(estimator.n_features_in_)
    mapper = estimator._bin_mapper
    if len(mapper.is_categorical_) != features or len(mapper.bin_thresholds_) != features:
        raise UnsoundTreeError("features are not as many as said")
    for tree in (tree for trees in estimator._predictors for tree in trees):
        nodes = tree.nodes
        if nodes.dtype != PREDICTOR_RECORD_DTYPE or nodes.ndim != 1 or not len(nodes):
            raise UnsoundTreeError("nodes are of another form")
        if nodes["is_categorical"].any():
            raise UnsoundTreeError("a node asks for categories, which no model of ours has")
        inner = np.flatnonzero(nodes["is_leaf"] == 0)
        for side in ("left", "right"):
            children = nodes[side][inner].astype(np.int64)
            # Later than its parent, so that each path ends.
            if (children <= inner).any() or (children >= len(nodes)).any():
                raise UnsoundTreeError(f"a node's {side} child is none of the nodes after it")
        used = nodes["feature_idx"][inner]
        if (used < 0).any() or (used >= features).any():
            raise UnsoundTreeError("a node asks for a feature that is not there")
