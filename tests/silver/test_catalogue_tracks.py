"""The catalogue has one row per track, and nulls where the analysis failed."""

import random
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.catalogue_tracks import catalogue_tracks
from tests.support.frames import frame_of, rows

MEASURED = {
    "danceability": 0.1, "energy": 0.2, "key": 3, "loudness": -4.0, "mode": 1, "speechiness": 0.6, "acousticness": 0.7,
    "instrumentalness": 0.8, "liveness": 0.9, "valence": 0.15, "tempo": 120.0, "time_signature": 4,
}  # fmt: skip
ZERO_MEANS_UNKNOWN = ("tempo", "time_signature", "danceability", "speechiness", "valence")
ZERO_IS_A_VALUE = ("energy", "key", "loudness", "mode", "acousticness", "instrumentalness", "liveness")


def entry(row_number: int, track_id: str, **values: Any) -> dict[str, Any]:
    plain = {"artists": "Artist;Guest", "track_name": "Title", "popularity": 50, "track_genre": "pop", **MEASURED}
    return {"row_number": row_number, "track_id": track_id, **plain, **values}


ENTRIES = [
    entry(7, "repeated", track_genre="rock", popularity=20),
    entry(5, "repeated", track_genre="soul", popularity=10),
    entry(9, "repeated", track_genre="acoustic", popularity=None),
    entry(6, "repeated", track_genre="rock", popularity=30),
    entry(1, "failed", **dict.fromkeys(ZERO_MEANS_UNKNOWN, 0), **dict.fromkeys(ZERO_IS_A_VALUE, 0)),
    entry(2, "undetected key", key=-1),
    entry(3, "nameless", artists=None, album_name=None, track_name=None),
    entry(4, "spaced", artists=" First ; Second"),
]


@pytest.fixture(scope="module")
def tracks(spark: SparkSession) -> dict[str, Row]:
    entries = [{name: float(v) if name in MEASURED and isinstance(MEASURED[name], float) else v
                for name, v in entry.items()} for entry in ENTRIES]  # fmt: skip
    found = catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, entries)).collect()
    assert len(found) == len({row["track_id"] for row in found})
    return {row["track_id"]: row for row in found}


def test_a_track_that_repeats_per_genre_is_one_row(tracks: dict[str, Row]) -> None:
    assert set(tracks) == {entry["track_id"] for entry in ENTRIES}


def test_genre_is_the_first_by_row_number(tracks: dict[str, Row]) -> None:
    assert (tracks["repeated"]["track_genre"], tracks["repeated"]["row_number"]) == ("soul", 5)


def test_all_genres_are_kept_once_in_order(tracks: dict[str, Row]) -> None:
    assert tracks["repeated"]["track_genres"] == "acoustic; rock; soul"


def test_popularity_is_the_highest(tracks: dict[str, Row]) -> None:
    assert tracks["repeated"]["popularity"] == 30


def test_features_are_kept(tracks: dict[str, Row]) -> None:
    assert {name: tracks["repeated"][name] for name in AUDIO_FEATURES} == MEASURED


@pytest.mark.parametrize("feature", ZERO_MEANS_UNKNOWN)
def test_zero_of_a_failed_analysis_is_null(tracks: dict[str, Row], feature: str) -> None:
    assert tracks["failed"][feature] is None


@pytest.mark.parametrize("feature", ZERO_IS_A_VALUE)
def test_zero_of_other_features_is_a_value(tracks: dict[str, Row], feature: str) -> None:
    assert tracks["failed"][feature] == 0


def test_undetected_key_is_null(tracks: dict[str, Row]) -> None:
    assert tracks["undetected key"]["key"] is None


def test_nameless_track_is_kept_without_name_key(tracks: dict[str, Row]) -> None:
    assert tracks["nameless"]["name_key"] is None
    assert tracks["nameless"]["valence"] == MEASURED["valence"]


def test_first_artist_is_the_one_before_the_separator(tracks: dict[str, Row]) -> None:
    assert tracks["repeated"]["first_artist"] == "Artist"
    assert tracks["spaced"]["first_artist"] == "First"
    assert tracks["spaced"]["name_key"] == "first | title"


def test_empty_catalogue_gives_no_rows_of_the_right_schema(spark: SparkSession) -> None:
    frame = conform(catalogue_tracks, catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, [])))
    assert enforce(catalogue_tracks, frame)[0] == 0


def test_order_and_partitions_of_the_rows_do_not_matter(spark: SparkSession) -> None:
    entries = [entry(n, f"track {n % 11}", track_genre=f"genre {n % 5}", popularity=n * 7 % 100) for n in range(60)]
    shuffled = random.Random(1).sample(entries, len(entries))
    expected = catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, entries))
    found = catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, shuffled).repartition(5))
    assert rows(found) == rows(expected)
