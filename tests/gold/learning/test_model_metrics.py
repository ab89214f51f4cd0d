"""From a small catalogue and listener to the rows of model_performance_metrics."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gold.learning.feature_importance import importance_rows
from gold.learning.folds import catalogue_folds, with_folds
from gold.learning.model_building import TrainedModel, build, predict_feature, predict_moods
from gold.learning.model_metrics import METRICS, artist_estimate_rows, cross_validation_rows, listener_rows
from gold.learning.model_parameters import MODEL_SPECS, MOOD, MOOD_CLASS, ModelParameters, ModelSpec
from gold.learning.model_training import model_card
from gold.learning.training_set import TrainingSet, split
from lakehouse.models.artifacts import Artifact, ArtifactStore, LocalFolders
from silver.artists import artist_means
from silver.artists.artist_estimate_model import evaluate
from silver.artists.artist_means import ArtistEstimateParameters
from tests.gold.learning.small_catalogue import listened, small_catalogue

SMALL_TREES = (("max_iter", 20), ("min_samples_leaf", 5))
PARAMETERS = ModelParameters(
    regression=SMALL_TREES, classification=SMALL_TREES, bootstrap_samples=50, min_calibration_tracks=20
)


def prepared(catalogue: pd.DataFrame, tracks: pd.DataFrame) -> tuple[TrainingSet, pd.DataFrame]:
    training = split(catalogue, catalogue_folds(catalogue, PARAMETERS), PARAMETERS)
    return training, with_folds(tracks, training.recordings, PARAMETERS)


@pytest.fixture(scope="module")
def world() -> tuple[TrainingSet, pd.DataFrame]:
    catalogue = small_catalogue()
    return prepared(catalogue, listened(catalogue, slice(0, 150)))


@pytest.fixture(scope="module")
def models(world: tuple[TrainingSet, pd.DataFrame]) -> dict[ModelSpec, TrainedModel]:
    return {spec: build(world[0], spec, PARAMETERS) for spec in MODEL_SPECS}


@pytest.fixture(scope="module")
def mood(models: dict[ModelSpec, TrainedModel]) -> TrainedModel:
    return models[MOOD]


def rows_of(trained: TrainedModel, spec: ModelSpec, world: tuple[TrainingSet, pd.DataFrame]) -> pd.DataFrame:
    training, measured = world
    rows = cross_validation_rows(trained, training, spec, PARAMETERS)
    return pd.DataFrame(rows + listener_rows(trained, spec, measured, PARAMETERS))


@pytest.mark.parametrize("spec", MODEL_SPECS)
def test_every_model_has_its_rows_and_baselines(
    spec: ModelSpec, models: dict[ModelSpec, TrainedModel], world: tuple[TrainingSet, pd.DataFrame]
) -> None:
    rows = rows_of(models[spec], spec, world)
    keys = ["model_name", "evaluation", "segment"]
    assert not rows.duplicated(keys).any()
    own = rows[rows["model_name"] == spec.name].set_index(["evaluation", "segment"])
    assert own.index.tolist() == [
        ("cv_recording", "catalogue"), ("cv_artist", "catalogue"), ("listener", "per_play"),
        ("listener", "artist_unseen"), ("listener", "per_track"), ("listener", "artist_unseen_per_track"),
    ]  # fmt: skip
    assert own["beats_baseline"].isin([True, False]).all()
    assert set(rows["model_type"]) == {"hist_gradient_boosting", "linear_baseline", "constant_baseline"}


def test_metrics_are_those_of_the_prediction_rows(mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]) -> None:
    rows = {
        (row["model_name"], row["evaluation"], row["segment"]): row
        for row in listener_rows(mood, MOOD, world[1], PARAMETERS)
    }
    scored = predict_feature(mood, MOOD, world[1], PARAMETERS)
    error = (scored["predicted"] - scored["truth"]).abs()
    headline = rows[("mood", "listener", "per_play")]
    assert headline["mae"] == pytest.approx(np.average(error, weights=world[1]["plays"]))
    assert headline["baseline_score"] == rows[("mood_listener_mean", "listener", "per_play")]["mae"]
    inside = scored["truth"].between(scored["lower_90"], scored["upper_90"])
    assert headline["coverage_90"] == pytest.approx(inside.mean())
    assert headline["test_size"] == world[1]["plays"].sum()


def test_a_song_with_guests_is_the_same_artists_on_the_catalogue(
    mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]
) -> None:
    training = world[0]
    credits = training.rows["artists"] + ";Guest " + training.rows.index.astype(str)
    with_guests = replace(training, rows=training.rows.assign(artists=credits))
    alone, together = (cross_validation_rows(mood, rows, MOOD, PARAMETERS) for rows in (training, with_guests))
    assert intervals(together) == intervals(alone)


def test_another_spelling_is_the_same_artists_on_the_listener(
    mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]
) -> None:
    names = world[1]["artist_name"]
    spelled = world[1].assign(artist_name=names.where(world[1].index % 2 == 0, names.str.upper()))
    one, other = (listener_rows(mood, MOOD, tracks, PARAMETERS) for tracks in (world[1], spelled))
    assert intervals(other) == intervals(one)


def intervals(rows: list[dict[str, Any]]) -> list[tuple[float, float]]:
    return [(row["ci_low"], row["ci_high"]) for row in rows]


def test_constant_baselines_never_beat_themselves(mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]) -> None:
    rows = rows_of(mood, MOOD, world)
    assert not rows.loc[rows["model_name"] == "mood_listener_mean", "beats_baseline"].any()


def test_reloaded_parts_predict_the_same(mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]) -> None:
    again = TrainedModel.from_parts(mood.parts())
    pd.testing.assert_frame_equal(
        predict_feature(again, MOOD, world[1], PARAMETERS), predict_feature(mood, MOOD, world[1], PARAMETERS)
    )


def test_the_card_survives_saving(mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame], tmp_path: Path) -> None:
    figures = cross_validation_rows(mood, world[0], MOOD, PARAMETERS)
    card = model_card(MOOD, mood, PARAMETERS, figures)
    store = ArtifactStore(LocalFolders(tmp_path))
    store.save(Artifact("mood", "v1", mood.parts(), card))
    saved = store.load("mood", "v1")
    assert saved.card["figures"][1]["mae"] == figures[1]["mae"]
    assert saved.card["parameters"] == json.loads(json.dumps(PARAMETERS.as_dict()))
    again = predict_feature(TrainedModel.from_parts(saved.parts), MOOD, world[1], PARAMETERS)
    pd.testing.assert_frame_equal(again, predict_feature(mood, MOOD, world[1], PARAMETERS))


@pytest.mark.parametrize("spec", MODEL_SPECS)
def test_the_card_tells_data_rows_parameters_figures_caveats_and_licence(
    spec: ModelSpec, models: dict[ModelSpec, TrainedModel], world: tuple[TrainingSet, pd.DataFrame]
) -> None:
    trained = models[spec]
    card = model_card(spec, trained, PARAMETERS, cross_validation_rows(trained, world[0], spec, PARAMETERS))
    assert "DSV/4372070" in card["data"] and "ODbL" in card["licence"] and card["caveats"] and card["purpose"]
    folds = pd.Series(world[0].folds.recording_fold)
    expected = {str(fold): int((folds != fold).sum()) for fold in range(PARAMETERS.n_folds)}
    assert card["training_recordings_per_fold"] == expected
    assert card["parameters"]["seed"] == PARAMETERS.seed
    assert {row["evaluation"] for row in card["figures"]} == {"cv_recording", "cv_artist"}


def test_importance_finds_the_inputs_that_matter(mood: TrainedModel, world: tuple[TrainingSet, pd.DataFrame]) -> None:
    rows = importance_rows(mood.by_recording, MOOD, world[1], PARAMETERS)
    importance = {row["feature_name"]: row["importance"] for row in rows}
    assert sorted(importance, key=lambda name: -importance[name])[:2] == ["danceability", "artists"]
    assert abs(importance["liveness"]) < 0.02


@pytest.mark.parametrize("spec", MODEL_SPECS)
def test_no_catalogue_gives_null_metrics_with_the_reason(spec: ModelSpec) -> None:
    world = prepared(small_catalogue().iloc[:0], listened(small_catalogue(), slice(0, 30)))
    rows = rows_of(build(world[0], spec, PARAMETERS), spec, world)
    own = rows[rows["model_name"] == spec.name]
    assert own[list(METRICS)].isna().all(axis=None)
    assert (own["note"] != "").all()
    assert own["beats_baseline"].isna().all()


@pytest.mark.parametrize("spec", MODEL_SPECS)
def test_no_matched_play_gives_null_metrics_with_the_reason(
    spec: ModelSpec, models: dict[ModelSpec, TrainedModel]
) -> None:
    world = prepared(small_catalogue(), listened(small_catalogue(), slice(0, 0)))
    trained = models[spec]
    of_listener = pd.DataFrame(listener_rows(trained, spec, world[1], PARAMETERS))
    assert of_listener[list(METRICS)].isna().all(axis=None)
    assert (of_listener["note"] != "").all()
    importance = pd.DataFrame(importance_rows(trained.by_recording, spec, world[1], PARAMETERS))
    assert importance["importance"].isna().all()


def test_one_class_absent_from_the_listener_is_noted() -> None:
    catalogue = small_catalogue()
    happy_calm = (catalogue["valence"] >= 0.6) & (catalogue["energy"] < 0.4)
    world = prepared(catalogue, listened(catalogue[~happy_calm], slice(0, 100)))
    trained = build(world[0], MOOD_CLASS, PARAMETERS)
    rows = pd.DataFrame(listener_rows(trained, MOOD_CLASS, world[1], PARAMETERS))
    assert rows["note"].str.contains("never occur: 1").all()
    assert rows["f1"].notna().all()
    assert predict_moods(trained, world[1], PARAMETERS)["predicted"]["chosen"].between(0, 4).all()


def test_artist_estimate_has_rows_per_feature_on_known_artists() -> None:
    catalogue = small_catalogue()
    measured = listened(catalogue, slice(0, 150))
    own = ArtistEstimateParameters(min_calibration_tracks=20)
    model = artist_means.train(artist_means.split(catalogue, own), own)
    estimated = evaluate(model, measured, own)
    rows = pd.DataFrame(artist_estimate_rows(model, estimated, measured, PARAMETERS))
    assert len(rows) == 5 * 2 * 3
    assert not rows.duplicated(["model_name", "evaluation", "segment"]).any()
    nothing = artist_estimate_rows(model, estimated.iloc[:0], measured.iloc[:0], PARAMETERS)
    assert pd.DataFrame(nothing)["mae"].isna().all()
