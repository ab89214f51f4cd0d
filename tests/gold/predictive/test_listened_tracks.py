"""Measured tracks with what the catalogue says about them."""

from typing import Any

from pyspark.sql import SparkSession

from gold.predictive.listened_tracks import measured_plays, measured_tracks
from silver.catalogue_tracks import catalogue_tracks
from silver.feature_matches import feature_matches
from silver.listening_with_features import listening_with_features
from tests.frames import frame_of, play, rows

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


def test_plays_find_their_track_by_id_or_name(spark: SparkSession) -> None:
    plays = [
        play("2026-01-01 10:00:00", track_id="id"),
        play("2026-01-01 11:00:00", track_id=None, artist_name="Ann", track_name="X - Remastered 2011"),
        play("2026-01-01 12:00:00", track_id="id", feature_source="none"),
    ]
    found = measured_plays(frame_of(spark, listening_with_features, plays))
    assert rows(found, "hour_of_day", "track_key") == [(10, "id"), (11, "ann | x")]
