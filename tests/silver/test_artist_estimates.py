"""Tracks without measured features get their artist's estimate, the same that is made in memory."""

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.artist_estimates import BOUNDED_FEATURES, artist_estimates
from silver.artists.artist_estimate_model import estimate_tracks, fit_listener
from silver.artists.artist_means import PARAMETERS, ArtistModel
from silver.artists.listener_calibration import listener_artist_folds
from silver.rules.feature_source import IMPUTED_FEATURES
from tests.gold.learning.small_catalogue import listened, small_catalogue
from tests.gold.learning.small_models import World

ALL_FEATURES = list(IMPUTED_FEATURES)


def unmeasured(*artists: str | None) -> pd.DataFrame:
    """Tracks that no source has."""
    keys = [f"new {number}" for number in range(len(artists))]
    return pd.DataFrame({"track_key": keys, "track_id": keys, "artist_name": artists, "feature_source": "none"})


def a_world(catalogue: pd.DataFrame, measured: pd.DataFrame, *artists: str | None) -> World:
    return World(catalogue, pd.concat([measured, unmeasured(*artists)], ignore_index=True))


def estimates(spark: SparkSession, world: World, partitions: int = 1) -> pd.DataFrame:
    matches = world.matches(spark).repartition(partitions)
    frame: DataFrame = artist_estimates(matches, world.artists)
    enforce(artist_estimates, conform(artist_estimates, frame))
    found: pd.DataFrame = frame.toPandas()
    return found.set_index("track_key").sort_index()


CATALOGUE = small_catalogue()
NAMES = ("Artist 3", "ARTIST 11", "Nobody", None)
USUAL = a_world(CATALOGUE, listened(CATALOGUE, slice(0, 150)), *NAMES)


@pytest.mark.parametrize("partitions", [1, 3])
def test_estimates_are_those_in_memory(spark: SparkSession, partitions: int) -> None:
    found = estimates(spark, USUAL, partitions)
    model = ArtistModel.from_state(USUAL.artists.parts["artists"])
    calibrations = fit_listener(model, USUAL.tracks.iloc[:150], PARAMETERS)
    names = pd.Series(NAMES[:2])
    raw = estimate_tracks(model, names)
    folds = listener_artist_folds(names, PARAMETERS.n_listener_folds, PARAMETERS.seed)
    assert calibrations["valence"].basis == "listener"
    for name in IMPUTED_FEATURES:
        fitted = calibrations[name].apply(raw[name].to_numpy(), folds)
        assert found[name].tolist() == pytest.approx(fitted["predicted"].tolist())
        if name in BOUNDED_FEATURES:
            assert found[f"{name}_lower_90"].tolist() == pytest.approx(fitted["lower_90"].tolist())
            assert found[f"{name}_upper_90"].tolist() == pytest.approx(fitted["upper_90"].tolist())
    assert found["artist_tracks"].tolist() == [10, 10]


def test_only_unmeasured_tracks_of_known_artists(spark: SparkSession) -> None:
    assert estimates(spark, USUAL).index.tolist() == ["new 0", "new 1"]


def test_synthetic_features_give_way_to_an_estimate(spark: SparkSession) -> None:
    tracks = listened(CATALOGUE, slice(0, 2)).assign(feature_source=["synthetic", "kaggle"])
    assert estimates(spark, World(CATALOGUE, tracks)).index.tolist() == [tracks["track_key"][0]]


def test_without_measured_tracks_bounds_are_the_catalogues(spark: SparkSession) -> None:
    world = a_world(CATALOGUE, listened(CATALOGUE, slice(0, 0)), "Artist 3")
    found = estimates(spark, world)
    model = ArtistModel.from_state(world.artists.parts["artists"])
    raw = estimate_tracks(model, pd.Series(["Artist 3"]))
    assert found[ALL_FEATURES].iloc[0].tolist() == pytest.approx(raw[ALL_FEATURES].iloc[0].tolist())
    half_width = dict(zip(model.features, model.catalogue_half_width, strict=True))["energy"]
    assert found["energy_upper_90"].item() == pytest.approx(min(1.0, found["energy"].item() + half_width))


def test_without_a_catalogue_nothing_is_estimated(spark: SparkSession) -> None:
    world = a_world(CATALOGUE.iloc[:0], listened(CATALOGUE, slice(0, 0)), "Artist 3")
    assert estimates(spark, world).empty
    assert world.artists.card["not_trained_because"]


def test_a_feature_that_the_catalogue_lacks_is_null(spark: SparkSession) -> None:
    catalogue = CATALOGUE.assign(valence=None)
    found = estimates(spark, a_world(catalogue, listened(catalogue, slice(0, 60)), "Artist 3"))
    assert found[["valence", "valence_lower_90"]].isna().all(axis=None)
    assert found[["energy", "energy_lower_90"]].notna().all(axis=None)


def test_a_listener_without_tracks_has_no_estimates(spark: SparkSession) -> None:
    assert estimates(spark, World(CATALOGUE, listened(CATALOGUE, slice(0, 0)))).empty
