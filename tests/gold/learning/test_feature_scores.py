"""Scores made in Spark are those made in memory, each by the model that never saw the recording."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from gold.learning.feature_scores import measured_plays, predicted_features, predicted_moods
from gold.learning.folds import with_folds
from gold.learning.model_building import TrainedModel, predict_feature, predict_moods
from gold.learning.model_parameters import ENERGY, MOOD, PARAMETERS
from lakehouse.models.artifacts import Artifact, ArtifactStore, LocalFolders
from silver.listening_with_features import listening_with_features
from tests.gold.learning.small_models import World
from tests.support.frames import LISTENER, frame_of, play, rows


def in_memory(world: World, model: Artifact) -> tuple[TrainedModel, pd.DataFrame]:
    """The model, and the measured tracks with their folds, without Spark."""
    trained = TrainedModel.from_parts(model.parts)
    measured = world.tracks.iloc[3:].reset_index(drop=True)
    return trained, with_folds(measured, trained.recordings, PARAMETERS)


@pytest.mark.parametrize("partitions", [1, 3])
def test_feature_scores_are_those_in_memory(spark: SparkSession, small_world: World, partitions: int) -> None:
    tracks = small_world.frames(spark)["measured_tracks"].orderBy("name_key").repartition(partitions)
    for spec, model in ((MOOD, small_world.mood), (ENERGY, small_world.energy)):
        found = predicted_features(tracks, model, spec).toPandas().set_index("track_key").sort_index()
        trained, measured = in_memory(small_world, model)
        expected = predict_feature(trained, spec, measured, PARAMETERS).set_index(measured["track_key"]).sort_index()
        names = ["predicted", "lower_90", "upper_90"]
        pd.testing.assert_frame_equal(found[names], expected[names], rtol=1e-9)
        assert found["fold"].tolist() == measured.set_index("track_key")["fold"].sort_index().tolist()


@pytest.mark.parametrize("partitions", [1, 3])
def test_moods_are_those_in_memory(spark: SparkSession, small_world: World, partitions: int) -> None:
    tracks = small_world.frames(spark)["measured_tracks"].orderBy("name_key").repartition(partitions)
    found = predicted_moods(tracks, small_world.mood_class).toPandas().set_index("track_key").sort_index()
    trained, measured = in_memory(small_world, small_world.mood_class)
    moods = predict_moods(trained, measured, PARAMETERS)["predicted"].set_index(measured["track_key"]).sort_index()
    assert found["predicted_mood_label"].tolist() == moods["chosen"].tolist()
    chosen = [row[f"probability_{row['chosen']:.0f}"] for _, row in moods.iterrows()]
    assert found["confidence"].tolist() == pytest.approx(chosen)
    actual = [row[f"probability_{row['truth']:.0f}"] for _, row in moods.iterrows()]
    assert found["mood_probability"].tolist() == pytest.approx(actual)


def test_a_saved_model_scores_the_same(
    spark: SparkSession, small_world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = ArtifactStore(LocalFolders(tmp_path_factory.mktemp("models")))
    store.save(small_world.mood)
    tracks = small_world.frames(spark)["measured_tracks"]
    first, again = (
        predicted_features(tracks, model, MOOD).toPandas().sort_values("track_key", ignore_index=True)
        for model in (small_world.mood, store.load("mood", "mood 1"))
    )
    pd.testing.assert_frame_equal(first, again)


def test_a_track_that_leads_to_two_recordings_has_no_score(spark: SparkSession, small_world: World) -> None:
    """Its id is one recording's and its name another's, of different folds: each model may have seen it."""
    tracks = small_world.tracks.iloc[3:].reset_index(drop=True)
    _, folded = in_memory(small_world, small_world.mood)
    other = tracks["name_key"][np.flatnonzero(folded["fold"] != folded["fold"][0])[0]]
    tracks.loc[0, "name_key"] = other
    measured = World(small_world.catalogue, tracks).frames(spark)["measured_tracks"]
    for scored in (
        predicted_features(measured, small_world.mood, MOOD),
        predicted_moods(measured, small_world.mood_class),
    ):
        found = scored.where(scored["track_key"] == tracks["track_key"][0]).collect()
        assert [value for value in found[0].asDict().values() if value is not None] == [
            LISTENER,
            tracks["track_key"][0],
        ]


def test_plays_find_their_track_by_id_or_name(spark: SparkSession) -> None:
    plays = [
        play("2026-01-01 10:00:00", track_id="id"),
        play("2026-01-01 11:00:00", track_id=None, artist_name="Ann", track_name="X - Remastered 2011"),
        play("2026-01-01 12:00:00", track_id="id", feature_source="none"),
    ]
    found = measured_plays(frame_of(spark, listening_with_features, plays))
    assert rows(found, "hour_of_day", "track_key") == [(10, "id"), (11, "ann | x")]
