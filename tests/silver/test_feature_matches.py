"""Every listened track is one row, with the features of the best source that has it."""

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features import my_tracks_features_bronze
from bronze.my_tracks_features_synthetic import my_tracks_features_bronze_synthetic
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.catalogue_tracks import catalogue_tracks
from silver.feature_matches import feature_matches
from tests.support.frames import frame_of, rows

WHOLE_NUMBERS = ("key", "mode", "time_signature")


def features(valence: float) -> dict[str, Any]:
    """All twelve features; `valence` tells where they come from."""
    return {name: 1 if name in WHOLE_NUMBERS else 0.5 for name in AUDIO_FEATURES} | {"valence": valence}


def listened(track_id: str | None, title: str | None, artist: str | None = "Artist", **values: Any) -> dict[str, Any]:
    played_at = values.pop("played_at", "2026-01-05 12:00:00")
    return {
        "play_id": f"{track_id} {artist} {title} {played_at} {values}", "track_id": track_id, "track_name": title,
        "artist_name": artist, "played_at": played_at, "ms_played": 200_000, "source": "extended_history", **values,
    }  # fmt: skip


def catalogued(row_number: int, track_id: str, title: str, valence: float = 0.3, **values: Any) -> dict[str, Any]:
    plain = {
        "artists": "Artist;Guest",
        "track_name": title,
        "popularity": 50,
        "track_genre": "pop",
        "duration_ms": 1000,
    }
    return {"row_number": row_number, "track_id": track_id, **features(valence), **plain, **values}


def fetched(track_id: str, provider: str, valence: float, **values: Any) -> dict[str, Any]:
    return {"track_id": track_id, "provider": provider, **features(valence), **values}


def with_instant(play: dict[str, Any]) -> dict[str, Any]:
    return {**play, "played_at": datetime.fromisoformat(play["played_at"])}


def matches(
    spark: SparkSession,
    history: Sequence[dict[str, Any]],
    catalogue: Sequence[dict[str, Any]] = (),
    provided: Sequence[dict[str, Any]] = (),
    synthetic: Sequence[dict[str, Any]] = (),
    partitions: int = 1,
) -> DataFrame:
    found: DataFrame = feature_matches(
        frame_of(spark, listening_history_bronze, [with_instant(play) for play in history]).repartition(partitions),
        catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, list(catalogue)).repartition(partitions)),
        frame_of(spark, my_tracks_features_bronze, list(provided)).repartition(partitions),
        frame_of(spark, my_tracks_features_bronze_synthetic, list(synthetic)).repartition(partitions),
    )
    return found


HISTORY = [
    *(listened(f"{source} id", f"{source} title") for source in (
        "spotify", "reccobeats", "kaggle", "kaggle_recording", "synthetic", "none")),
    listened("isrc only", "kaggle title of isrc only"),
    listened("failed at spotify", "failed"),
    listened("unnamed", None, None),
    listened(None, "KAGGLE title"),
    listened(None, "Nowhere to be found"),
    listened(None, "\u200b", "\u200b"),
    listened("several releases", "Several Releases - Remastered 2011"),
    listened("remix", "Several Releases - B Remix"),
    listened("repeated", "Repeated"),
    listened("repeated", "Repeated", played_at="2026-01-06 12:00:00"),
    listened("spelled", "Old Title", "Old Artist", album_name="Album", duration_ms=10),
    listened("spelled", "New Title", "Artist", played_at="2026-01-06 12:00:00", duration_ms=9),
    listened("spelled", "Older Title", "Artist", played_at="2026-01-04 12:00:00"),
    listened("too short", "Too Short", ms_played=29_999),
    listened("release 1", "Name One", isrc="USAAA0000001"),
    listened("release 2", "Name Two", isrc="us-aaa-00-00001"),
    listened("release 3", "Name Two", isrc="USAAA0000003"),
    listened("release 4", "Name Four"),
    listened("without isrc", "Name Five"),
]  # fmt: skip
CATALOGUE = [
    *(catalogued(n, f"{source} id", f"{source} title", 0.3) for n, source in enumerate(
        ("spotify", "reccobeats", "kaggle"))),
    catalogued(3, "another release", "kaggle_recording title", 0.4, track_genre="soul"),
    catalogued(4, "isrc only", "x", 0.35),
    catalogued(10, "release a", "Several Releases", 0.61, popularity=10),
    catalogued(11, "release c", "SEVERAL RELEASES", 0.62, popularity=70),
    catalogued(12, "release b", "Several Releases!", 0.63, popularity=70),
    catalogued(13, "release d", "Several Releases", 0.0, popularity=100),
    *(catalogued(20 + n, "repeated", "Repeated", track_genre=f"genre {n}") for n in range(5)),
    *(catalogued(30 + n, f"repeated {n}", "Repeated") for n in range(5)),
    catalogued(40, "failed at spotify", "failed", 0.36),
]  # fmt: skip
PROVIDED = [
    fetched("spotify id", "spotify", 0.1),
    fetched("spotify id", "reccobeats", 0.2),
    fetched("reccobeats id", "reccobeats", 0.2, key=-1, tempo=0.0),
    {"track_id": "isrc only", "provider": "spotify", "isrc": "USZZZ0000009"},
    {"track_id": "failed at spotify", "provider": "spotify", "tempo": 0.0, "time_signature": 0, "valence": 0.0},
    fetched("release 4", "reccobeats", 0.2, isrc="USAAA0000003"),
    fetched("not listened", "spotify", 0.1),
]
SYNTHETIC_IDS = sorted({row["track_id"] for row in HISTORY} - {None, "none id"})
SYNTHETIC = [{"track_id": track_id, **features(0.9)} for track_id in SYNTHETIC_IDS]


@pytest.fixture(scope="module")
def matched(spark: SparkSession) -> dict[str, Row]:
    found = matches(spark, HISTORY, CATALOGUE, PROVIDED, SYNTHETIC).collect()
    assert len(found) == len({row["track_key"] for row in found})
    return {row["track_key"]: row for row in found}


@pytest.mark.parametrize(
    ("source", "valence"),
    [
        ("spotify", 0.1),
        ("reccobeats", 0.2),
        ("kaggle", 0.3),
        ("kaggle_recording", 0.4),
        ("synthetic", 0.9),
        ("none", None),
    ],
)
def test_the_best_source_wins(matched: dict[str, Row], source: str, valence: float | None) -> None:
    row = matched[f"{source} id"]
    assert (row["feature_source"], row["valence"]) == (source, valence)


def test_without_match_all_features_are_null(matched: dict[str, Row]) -> None:
    assert {matched["none id"][name] for name in AUDIO_FEATURES} == {None}


def test_genre_and_catalogue_length_come_along_whatever_the_features_source(matched: dict[str, Row]) -> None:
    assert (matched["spotify id"]["track_genre"], matched["spotify id"]["duration_ms"]) == ("pop", 1000)
    assert matched["kaggle_recording id"]["track_genre"] == "soul"


def test_matched_track_is_named_where_the_catalogue_gave_the_features(matched: dict[str, Row]) -> None:
    found = {
        source: matched[f"{source} id"]["matched_track_id"] for source in ("spotify", "kaggle", "kaggle_recording")
    }
    assert found == {"spotify": None, "kaggle": "kaggle id", "kaggle_recording": "another release"}


def test_a_row_fetched_for_its_isrc_offers_no_features(matched: dict[str, Row]) -> None:
    row = matched["isrc only"]
    assert (row["feature_source"], row["valence"], row["isrc"]) == ("kaggle", 0.35, "USZZZ0000009")


def test_a_failed_analysis_offers_no_features(matched: dict[str, Row]) -> None:
    assert matched["failed at spotify"]["feature_source"] == "kaggle"


def test_undetected_key_and_tempo_are_null_from_every_provider(matched: dict[str, Row]) -> None:
    row = matched["reccobeats id"]
    assert (row["key"], row["tempo"], row["energy"]) == (None, None, 0.5)


def test_track_without_id_matches_by_name(matched: dict[str, Row]) -> None:
    row = matched["artist | kaggle title"]
    assert (row["track_id"], row["feature_source"], row["matched_track_id"]) == (None, "kaggle_recording", "kaggle id")


def test_track_without_id_and_match_is_kept(matched: dict[str, Row]) -> None:
    assert matched["artist | nowhere to be found"]["feature_source"] == "none"


def test_tracks_without_usable_name_are_kept(matched: dict[str, Row]) -> None:
    assert matched["unnamed"]["recording_key"] == "unnamed"
    assert matched["\u200b | \u200b"]["feature_source"] == "none"


def test_of_several_releases_the_most_popular_with_a_valence_then_the_smallest_id(matched: dict[str, Row]) -> None:
    row = matched["several releases"]
    assert (row["feature_source"], row["matched_track_id"], row["valence"]) == ("kaggle_recording", "release b", 0.63)


def test_a_remix_takes_no_features_of_the_original(matched: dict[str, Row]) -> None:
    assert matched["remix"]["feature_source"] == "synthetic"


def test_a_catalogue_that_repeats_tracks_makes_no_more_rows(matched: dict[str, Row]) -> None:
    assert (matched["repeated"]["feature_source"], matched["repeated"]["track_genre"]) == ("kaggle", "genre 0")


def test_of_several_spellings_the_latest_and_what_it_lacks_from_before(matched: dict[str, Row]) -> None:
    row = matched["spelled"]
    assert (row["track_name"], row["artist_name"], row["album_name"]) == ("New Title", "Artist", "Album")
    assert (row["name_key"], row["duration_ms"]) == ("artist | new title", 10)


def test_tracks_never_counted_are_left_out(matched: dict[str, Row]) -> None:
    assert {"too short", "not listened"}.isdisjoint(matched)


def test_releases_with_one_isrc_or_name_are_one_recording(matched: dict[str, Row]) -> None:
    assert {matched[f"release {n}"]["recording_key"] for n in range(1, 5)} == {"artist | name four"}


def test_tracks_without_isrc_are_not_joined_by_that(matched: dict[str, Row]) -> None:
    assert matched["without isrc"]["recording_key"] == "artist | name five"


def test_track_with_and_without_id_are_one_recording(matched: dict[str, Row]) -> None:
    assert matched["kaggle id"]["recording_key"] == matched["artist | kaggle title"]["recording_key"]


def test_no_history_gives_no_rows_of_the_right_schema(spark: SparkSession) -> None:
    assert enforce(feature_matches, conform(feature_matches, matches(spark, [], CATALOGUE)))[0] == 0


def test_order_and_partitions_of_the_rows_do_not_matter(spark: SparkSession, matched: dict[str, Row]) -> None:
    given = (HISTORY, CATALOGUE, PROVIDED, SYNTHETIC)
    history, catalogue, provided, synthetic = (random.Random(3).sample(part, len(part)) for part in given)
    found = matches(spark, history, catalogue, provided, synthetic, partitions=4)
    assert rows(found) == sorted(map(tuple, matched.values()), key=repr)
