"""Measured tracks with what the catalogue says about them."""

from typing import Any

from pyspark.sql import SparkSession

from silver.catalogue_tracks import catalogue_tracks
from silver.feature_matches import feature_matches
from silver.measured_tracks import measured_tracks
from tests.support.frames import frame_of, rows

CATALOGUE: list[dict[str, Any]] = [
    {"track_id": "a", "name_key": "ann | x", "artists": "Ann", "popularity": 1, "track_genres": "a"},
    {"track_id": "b", "name_key": "ann | x", "artists": "Ann;Bob", "popularity": 9, "track_genres": "b"},
    {"track_id": "c", "name_key": None, "artists": "Cat", "popularity": 5, "track_genres": "c"},
]
TRACKS: list[dict[str, Any]] = [
    {
        "track_key": "matched",
        "matched_track_id": "a",
        "track_id": "c",
        "name_key": "ann | x",
        "feature_source": "kaggle",
    },
    {"track_key": "by id", "track_id": "c", "name_key": "ann | x", "feature_source": "spotify"},
    {"track_key": "by name", "track_id": "z", "name_key": "ann | x", "feature_source": "reccobeats"},
    {"track_key": "nowhere", "track_id": "z", "name_key": None, "feature_source": "kaggle_recording"},
    {"track_key": "estimate", "matched_track_id": "a", "feature_source": "imputed_artist"},
    {"track_key": "made up", "matched_track_id": "a", "feature_source": "synthetic"},
    {"track_key": "unknown", "matched_track_id": "a", "feature_source": "none"},
]


def test_facts_come_by_match_then_id_then_the_most_popular_release(spark: SparkSession) -> None:
    tracks = measured_tracks(
        frame_of(spark, feature_matches, TRACKS), frame_of(spark, catalogue_tracks, CATALOGUE)
    )  # fmt: skip
    assert rows(tracks, "track_key", "artists", "track_genres") == [
        ("by id", "Cat", "c"), ("by name", "Ann;Bob", "b"), ("matched", "Ann", "a"), ("nowhere", None, None),
    ]  # fmt: skip
