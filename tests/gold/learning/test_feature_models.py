"""Train and score on a small catalogue with a known truth, and on every poor one."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd
import pytest

from gold.learning.cross_fitted_model import CrossFittedModel, decide, score, score_catalogue
from gold.learning.feature_models import train
from gold.learning.folds import catalogue_folds
from gold.learning.model_parameters import ENERGY, MODEL_SPECS, MOOD, MOOD_CLASS, ModelParameters, ModelSpec
from gold.learning.training_set import TrainingSet, mood_labels, split
from silver.artists.recording_groups import CONFLICT
from tests.gold.learning.small_catalogue import small_catalogue

SMALL_TREES = (("max_iter", 20), ("min_samples_leaf", 5))
# Each split looks at a random half of the inputs, as in the lake's models: only a seed makes two fits equal.
RANDOM_TREES = (*SMALL_TREES, ("max_features", 0.5))
PARAMETERS = ModelParameters(regression=RANDOM_TREES, classification=RANDOM_TREES)


def training_set(catalogue: pd.DataFrame) -> TrainingSet:
    return split(catalogue, catalogue_folds(catalogue, PARAMETERS), PARAMETERS)


@pytest.fixture(scope="module")
def training() -> TrainingSet:
    return training_set(small_catalogue())


@pytest.fixture(scope="module")
def mood_model(training: TrainingSet) -> CrossFittedModel:
    return train(training, MOOD, PARAMETERS)


def r2(truth: pd.Series, predicted: pd.Series) -> float:
    return float(1 - ((truth - predicted) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def test_model_finds_what_is_there(training: TrainingSet, mood_model: CrossFittedModel) -> None:
    predicted = score_catalogue(mood_model, training)["predicted"]
    assert r2(training.rows["valence"], predicted) > 0.7


def test_target_is_no_input() -> None:
    for spec in MODEL_SPECS:
        assert spec.target not in spec.features
    assert not {"valence", "energy"} & set(MOOD_CLASS.features)


def test_a_track_is_scored_by_its_folds_model(training: TrainingSet, mood_model: CrossFittedModel) -> None:
    rows = training.rows.head(30)
    own = score(mood_model, rows, training.folds.recording_fold[:30])["predicted"]
    for fold in range(5):
        inside = training.folds.recording_fold[:30] == fold
        all_by_fold = score(mood_model, rows, np.full(30, fold))["predicted"]
        pd.testing.assert_series_equal(own[inside], all_by_fold[inside])


def test_changing_a_held_out_recording_changes_nothing_it_is_scored_by() -> None:
    """The leak test: with the recording in its own model's training set the prediction would move."""
    catalogue = small_catalogue()
    name = catalogue["name_key"][0]  # has two releases
    changed = catalogue.assign(valence=catalogue["valence"].where(catalogue["name_key"] != name, 0.99))
    predictions = []
    for frame in (catalogue, changed):
        training = training_set(frame)
        row = training.rows["name_key"] == name
        predictions.append(score_catalogue(train(training, MOOD, PARAMETERS), training)["predicted"][row].item())
    assert predictions[0] == predictions[1]


def test_a_recording_in_its_own_training_set_would_be_seen() -> None:
    """The guard of the test above."""
    catalogue = small_catalogue()
    changed = catalogue.assign(
        valence=catalogue["valence"].where(catalogue["name_key"] != catalogue["name_key"][0], 0.99)
    )
    predictions = []
    for frame in (catalogue, changed):
        training = training_set(frame)
        row = np.flatnonzero(training.rows["name_key"] == catalogue["name_key"][0])
        wrong_fold = (training.folds.recording_fold[row] + 1) % 5
        model = train(training, MOOD, PARAMETERS)
        predictions.append(score(model, training.rows.iloc[row], wrong_fold)["predicted"].item())
    assert predictions[0] != predictions[1]


def test_unseen_artists_models_train_without_them(training: TrainingSet) -> None:
    model = train(training, MOOD, PARAMETERS, by="artist")
    for fold, fold_model in model.folds.items():
        assert fold_model.train_size == int((training.folds.artist_fold != fold).sum())


def test_same_seed_same_probabilities_in_any_order(training: TrainingSet) -> None:
    shuffled = training_set(small_catalogue().sample(frac=1, random_state=5))
    first, again = (score_catalogue(train(rows, MOOD_CLASS, PARAMETERS), rows) for rows in (training, shuffled))
    pd.testing.assert_frame_equal(first, again)


def test_same_seed_same_predictions_in_any_order(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    again = train(training_set(small_catalogue().sample(frac=1, random_state=5)), MOOD, PARAMETERS)
    pd.testing.assert_frame_equal(score_catalogue(mood_model, training), score_catalogue(again, training))
    order = np.random.default_rng(1).permutation(len(training.rows))
    shuffled = score(again, training.rows.iloc[order], training.folds.recording_fold[order])
    pd.testing.assert_frame_equal(shuffled.sort_index(), score_catalogue(again, training))


def test_saved_state_scores_the_same(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    again = CrossFittedModel.from_state(mood_model.state())
    pd.testing.assert_frame_equal(score_catalogue(again, training), score_catalogue(mood_model, training))


def test_probabilities_add_up_to_one(training: TrainingSet) -> None:
    probabilities = score_catalogue(train(training, MOOD_CLASS, PARAMETERS), training)
    assert probabilities.columns.tolist() == [f"probability_{label}" for label in range(5)]
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx(np.ones(len(probabilities)))


def test_a_class_absent_from_the_catalogue_has_probability_0() -> None:
    catalogue = small_catalogue()
    catalogue = catalogue[~((catalogue["valence"] >= 0.6) & (catalogue["energy"] < 0.4))]
    training = training_set(catalogue)
    probabilities = score_catalogue(train(training, MOOD_CLASS, PARAMETERS), training)
    assert (probabilities["probability_1"] == 0).all()
    assert probabilities.notna().all(axis=None)


def test_a_column_missing_for_scoring_is_named(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    rows = training.rows.drop(columns=["tempo", "energy"])
    with pytest.raises(ValueError, match="energy, tempo"):
        score(mood_model, rows, training.folds.recording_fold)


def test_nulls_and_unknown_names_are_scored(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    rows = training.rows.head(3).assign(tempo=None, explicit=None, artists=None, track_genres=None)
    assert score(mood_model, rows, np.array([0, 1, 2]))["predicted"].between(0, 1).all()


def test_a_track_in_conflict_has_no_prediction(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    scored = score(mood_model, training.rows.head(2), np.array([CONFLICT, 0]))
    assert scored["predicted"].isna().tolist() == [True, False]


def test_no_tracks_give_no_rows(mood_model: CrossFittedModel, training: TrainingSet) -> None:
    assert score(mood_model, training.rows.iloc[:0], np.empty(0, dtype=np.int64)).empty


def test_missing_and_constant_features_are_left_out_with_the_reason() -> None:
    catalogue = small_catalogue().drop(columns="loudness").assign(mode=1, liveness=np.nan)
    training = training_set(catalogue)
    model = train(training, MOOD, PARAMETERS)
    assert model.unused == {
        "loudness": "not in the catalogue",
        "mode": "the same for all tracks",
        "liveness": "not in the catalogue",
    }
    assert score_catalogue(model, training).notna().all(axis=None)


@pytest.mark.parametrize(
    ("spec", "change", "reason"),
    [
        (MOOD, {"valence": np.nan}, "the catalogue has 0 recordings with valence"),
        (MOOD, {"valence": 0.5}, "valence is the same for all tracks"),
        (ENERGY, {name: np.nan for name in ENERGY.features}, "no audio feature of the catalogue varies"),
        (MOOD_CLASS, {"valence": 0.5}, "mood_label is the same for all tracks"),
        (MOOD_CLASS, {"energy": np.nan}, "the catalogue has 0 recordings with mood_label"),
    ],
)
def test_what_cannot_be_learnt_says_why(spec: ModelSpec, change: dict[str, float], reason: str) -> None:
    training = training_set(small_catalogue().assign(**change))
    model = train(training, spec, PARAMETERS)
    assert model.reason.startswith(reason)
    assert score_catalogue(model, training).isna().all(axis=None)


@pytest.mark.parametrize("spec", MODEL_SPECS)
@pytest.mark.parametrize("algorithm", ["boosted_trees", "linear"])
def test_an_empty_catalogue_gives_no_model(spec: ModelSpec, algorithm: Literal["boosted_trees", "linear"]) -> None:
    model = train(training_set(small_catalogue().iloc[:0]), spec, PARAMETERS, algorithm=algorithm)
    assert model.reason and not model.folds


def test_a_catalogue_without_the_target_column_gives_no_model() -> None:
    assert train(training_set(small_catalogue().drop(columns="valence")), MOOD, PARAMETERS).reason


def test_failed_analyses_are_no_training_rows() -> None:
    catalogue = small_catalogue()
    catalogue.loc[:49, ["tempo", "valence"]] = np.nan
    model = train(training_set(catalogue), ENERGY, PARAMETERS)
    assert sum(400 - 50 - fold.train_size for fold in model.folds.values()) == 350


def test_mood_labels_follow_the_contract() -> None:
    valence = pd.Series([0.6, 0.6, 0.39, 0.39, 0.5, 0.6, None])
    energy = pd.Series([0.6, 0.39, 0.6, 0.39, 0.9, 0.4, 0.9])
    assert mood_labels(valence, energy).tolist()[:6] == [0, 1, 2, 3, 4, 4]
    assert mood_labels(valence, energy).isna().tolist() == [False] * 6 + [True]


def test_alpha_favours_rare_classes_and_unknown_stays_unknown() -> None:
    probabilities = np.array([[0.45, 0.4, 0.05, 0.05, 0.05], [np.nan] * 5])
    shares = np.array([0.8, 0.05, 0.05, 0.05, 0.05])
    assert decide(probabilities, shares, 0.0).tolist() == [0, -1]
    assert decide(probabilities, shares, 0.4).tolist() == [1, -1]


def test_seed_changes_the_folds() -> None:
    catalogue = small_catalogue()
    other = catalogue_folds(catalogue, replace(PARAMETERS, seed=1))
    assert (other.recording_fold != catalogue_folds(catalogue, PARAMETERS).recording_fold).any()
