"""Trees that compiled code would follow out of their arrays, or without end, are refused before it does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from lakehouse.models.artifacts import Artifact, ArtifactRefusedError, ArtifactStore, LocalFolders


def fitted() -> HistGradientBoostingRegressor:
    """With three features."""
    inputs = np.random.default_rng(0).random((300, 3))
    return HistGradientBoostingRegressor(max_iter=5).fit(inputs, inputs[:, 0] + inputs[:, 2])


def change(**values: Any) -> Callable[[HistGradientBoostingRegressor], None]:
    def apply(model: HistGradientBoostingRegressor) -> None:
        for name, value in values.items():
            model._predictors[0][0].nodes[name][0] = value

    return apply


def without_a_mapped_feature(model: HistGradientBoostingRegressor) -> None:
    model._bin_mapper.is_categorical_ = model._bin_mapper.is_categorical_[:1]


def of_another_form(model: HistGradientBoostingRegressor) -> None:
    model._predictors[0][0].nodes = model._predictors[0][0].nodes[["value", "left"]]


def without_nodes(model: HistGradientBoostingRegressor) -> None:
    model._predictors[0][0].nodes = model._predictors[0][0].nodes[:0]


HARM = {
    "a child beyond the last node": change(left=10**6),
    "a child that is its own parent": change(right=0),
    "a feature that is not there": change(feature_idx=3),
    "a negative feature": change(feature_idx=-1),
    "categories": change(is_categorical=1, bitset_idx=99),
    "a mapper of fewer features": without_a_mapped_feature,
    "other fields": of_another_form,
    "no node": without_nodes,
}


def saved(model: HistGradientBoostingRegressor, folder: Path) -> ArtifactStore:
    store = ArtifactStore(LocalFolders(folder))
    store.save(Artifact("mood", "v1", {"model": {"versions": [{"estimator": model}]}}, {}))
    return store


@pytest.mark.parametrize("harm", HARM)
def test_a_harmful_tree_is_refused(harm: str, tmp_path: Path) -> None:
    model = fitted()
    HARM[harm](model)
    with pytest.raises(ArtifactRefusedError, match="cannot be rebuilt"):
        saved(model, tmp_path).load("mood", "v1")


def test_a_sound_model_is_loaded(tmp_path: Path) -> None:
    model = fitted()
    loaded = saved(model, tmp_path).load("mood", "v1").parts["model"]["versions"][0]["estimator"]
    inputs = np.array([[0.2, 0.3, 0.4], [0.9, 0.1, 0.1]])
    assert loaded.predict(inputs).tolist() == model.predict(inputs).tolist()
