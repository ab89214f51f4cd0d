"""Which recordings does the listener play most in each mood of music?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive.top_tracks_by_mood import RECORDINGS_PER_MOOD, top_tracks_by_mood
from lakehouse.lake.schema import conform
from silver.listening_with_features import listening_with_features
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import LISTENER, Tables, frame_of, only, play, rows

HAPPY = {"valence": 0.9, "energy": 0.9}
SAD = {"valence": 0.1, "energy": 0.1}
FEATURES = ["valence", "energy", "danceability", "tempo"]


def plays_of(track_id: str | None, count: int, **values: Any) -> list[dict[str, Any]]:
    return [play(f"2026-01-31 10:{minute:02}:00", track_id=track_id, **values) for minute in range(count)]


def top_tracks(spark: SparkSession, plays: list[dict[str, Any]]) -> DataFrame:
    frame: DataFrame = top_tracks_by_mood(frame_of(spark, listening_with_features, plays))
    return frame


def test_one_play_is_the_first_of_its_mood(spark: SparkSession) -> None:
    row = only(top_tracks(spark, plays_of("a", 1, **HAPPY)))
    assert row.asDict() == {
        "listener": LISTENER, "track_id": "a", "track_name": "Title a", "artist_name": "Artist",
        "mood_category": "Happy & Energetic",
        "valence": 0.9, "energy": 0.9, "danceability": 0.5, "tempo": 120.0, "play_count": 1, "rank_in_category": 1,
    }  # fmt: skip


def test_more_plays_rank_first(spark: SparkSession) -> None:
    frame = top_tracks(spark, plays_of("a", 1) + plays_of("b", 3) + plays_of("c", 2))
    assert rows(frame, "rank_in_category", "track_id", "play_count") == [(1, "b", 3), (2, "c", 2), (3, "a", 1)]


def test_each_mood_has_ranks_of_its_own(spark: SparkSession) -> None:
    frame = top_tracks(spark, plays_of("a", 2, **HAPPY) + plays_of("b", 1, **SAD))
    assert rows(frame, "mood_category", "rank_in_category") == [("Happy & Energetic", 1), ("Sad & Calm", 1)]


def test_ties_break_by_recording_whatever_the_order_of_rows(spark: SparkSession) -> None:
    plays = plays_of("a", 2) + plays_of("b", 2) + plays_of("c", 2)
    expected = [(1, "a"), (2, "b"), (3, "c")]
    assert rows(top_tracks(spark, plays), "rank_in_category", "track_id") == expected
    shuffled = frame_of(spark, listening_with_features, plays[::-1]).repartition(3)
    assert rows(top_tracks_by_mood(shuffled), "rank_in_category", "track_id") == expected


def test_releases_add_up_and_the_most_played_one_is_shown(spark: SparkSession) -> None:
    single = plays_of("single", 1, recording_key="song", valence=0.50)
    album = plays_of("album", 2, recording_key="song", valence=0.55)
    frame = top_tracks(spark, single + album)
    assert rows(frame, "track_id", "track_name", "valence", "play_count") == [("album", "Title album", 0.55, 3)]


def test_equally_played_releases_show_the_smaller_id(spark: SparkSession) -> None:
    frame = top_tracks(spark, plays_of("b", 2, recording_key="song") + plays_of("a", 2, recording_key="song"))
    assert rows(frame, "track_id", "play_count") == [("a", 4)]


def test_release_without_id_is_shown_only_when_there_is_no_other(spark: SparkSession) -> None:
    nameless = plays_of(None, 2, recording_key="song")
    assert rows(top_tracks(spark, nameless), "track_id", "play_count") == [(None, 2)]
    assert rows(top_tracks(spark, nameless + plays_of("a", 1, recording_key="song")), "track_id", "play_count") == [
        ("a", 3)
    ]


def test_recording_measured_in_two_moods_stands_in_both(spark: SparkSession) -> None:
    happy, sad = plays_of("a", 2, recording_key="song", **HAPPY), plays_of("b", 1, recording_key="song", **SAD)
    frame = top_tracks(spark, happy + sad)
    assert rows(frame, "mood_category", "track_id", "play_count") == [
        ("Happy & Energetic", "a", 2),
        ("Sad & Calm", "b", 1),
    ]


def test_plays_without_measured_mood_are_left_out(spark: SparkSession) -> None:
    estimated = plays_of("a", 1, feature_source="imputed_artist", **HAPPY)
    assert rows(top_tracks(spark, estimated + plays_of("b", 1, feature_source="none"))) == []


def test_a_mood_has_at_most_50_recordings(spark: SparkSession) -> None:
    plays = [play("2026-01-31 10:00:00", track_id=f"{number:03}") for number in range(RECORDINGS_PER_MOOD + 1)]
    found = [track_id for (track_id,) in rows(top_tracks(spark, plays), "track_id")]
    assert found == [f"{number:03}" for number in range(50)]


def test_no_plays_make_no_rows(spark: SparkSession) -> None:
    assert conform(top_tracks_by_mood, top_tracks(spark, [])).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    key = ["mood_category", "recording_key"]
    with_mood = real_silver[real_silver["mood_category"].notna()]
    counts = with_mood.groupby(key, as_index=False).size().rename(columns={"size": "play_count"})
    releases = with_mood.groupby([*key, "track_id"], as_index=False).agg(
        release_plays=("play_id", "size"),
        track_name=("track_name", "first"),
        artist_name=("artist_name", "first"),
        **{feature: (feature, "first") for feature in FEATURES},
    )
    releases = releases.sort_values(["release_plays", "track_id"], ascending=[False, True])
    ranked = counts.merge(releases.groupby(key, as_index=False).head(1), on=key)
    ranked = ranked.sort_values(["play_count", "recording_key"], ascending=[False, True])
    ranked["rank_in_category"] = ranked.groupby("mood_category").cumcount() + 1
    expected = ranked[ranked["rank_in_category"] <= 50].drop(columns=["recording_key", "release_plays"])
    assert_same_rows(real_table("top_tracks_by_mood"), expected, ["mood_category", "rank_in_category"])
