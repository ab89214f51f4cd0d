"""What is in a list, how is it ranked, and in which order is it played?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from gold.shared.song_lists import (
    DISCOVERY,
    ENERGY,
    FOCUS,
    MOOD_LIFT,
    PLAYLISTS,
    RECOMMENDATIONS,
    RELAXATION,
    SongList,
    fill_lists,
    spotify_url,
)
from gold.shared.songs import candidates, songs_of
from tests.gold.prescriptive.music import inputs, lifting, offer, plays_of

USUAL = plays_of("Usual", "Song", 20)


def songs_in(
    spark: SparkSession, song_list: SongList, plays: list[dict[str, Any]], offers: list[dict[str, Any]]
) -> pd.DataFrame:
    songs = songs_of(*inputs(spark, plays, offers)).toPandas()
    return fill_lists(songs, candidates(songs), [song_list]).sort_values("position", ignore_index=True)


def test_only_brighter_music_than_usual_is_recommended(spark: SparkSession) -> None:
    offers = [
        offer("Usual", title, valence=valence) for title, valence in (("Up", 0.51), ("Level", 0.5), ("Down", 0.1))
    ]
    assert list(songs_in(spark, RECOMMENDATIONS, USUAL, offers)["track_name"]) == ["Up"]


def test_score_by_hand(spark: SparkSession) -> None:
    plays = [*USUAL, *plays_of("B", "Bright", 20, day=0, valence=0.7, tempo=140.0)]
    new = offer("Usual", "New", valence=0.8, tempo=130.0)
    song = _by_name(songs_in(spark, RECOMMENDATIONS, plays, [new]))["New"]
    # Only the tempo varies, by 10 around 130; the bright plays are at 140.
    distance = np.sqrt(1 / 7)
    assert song["distance"] == pytest.approx(distance)
    affinity = 0.4 + 0.3 + 0.3 * 0.5
    assert song["score"] == pytest.approx(0.5 * affinity + 0.25 * np.exp(-distance) + 0.25 * (0.8 - 0.6) / (1 - 0.6))


def test_distance_is_to_the_listeners_music_of_the_same_genre(spark: SparkSession) -> None:
    slow_soul = plays_of("Soul", "Song", 40, track_genre="soul", tempo=80.0, valence=0.9)
    fast_punk = plays_of("Punk", "Song", 40, track_genre="punk", tempo=180.0, valence=0.9)
    offers = [
        offer("New 1", "Slow soul", track_genre="soul", tempo=81.0, valence=0.91),
        offer("New 2", "Fast soul", track_genre="soul", tempo=179.0, valence=0.92),
        offer("Soul", "Other", track_genre="soul", valence=0.1),
        offer("Punk", "Other", track_genre="punk", valence=0.1),
    ]
    chosen = _by_name(songs_in(spark, RECOMMENDATIONS, [*USUAL, *slow_soul, *fast_punk], offers))
    assert chosen["Slow soul"]["distance"] < chosen["Fast soul"]["distance"]


def test_no_artist_has_more_than_two_songs(spark: SparkSession) -> None:
    offers = [offer("Usual", f"New {i}", valence=0.6 + i / 100) for i in range(5)]
    assert list(songs_in(spark, RECOMMENDATIONS, USUAL, offers)["track_name"]) == ["New 4", "New 3"]


def test_ties_go_by_the_recordings_name(spark: SparkSession) -> None:
    offers = [offer(f"New {letter}", "Song", valence=0.8) for letter in "CAB"]
    offers.append(offer("Usual", "Tells the genre", valence=0.1))
    assert list(songs_in(spark, RECOMMENDATIONS, USUAL, offers)["artist_name"]) == ["New A", "New B", "New C"]


def test_a_listener_of_nothing_but_the_brightest_music_gets_no_lift(spark: SparkSession) -> None:
    assert songs_in(spark, RECOMMENDATIONS, plays_of("A", "B", 20, valence=1.0), []).empty


@pytest.mark.parametrize("playlist", PLAYLISTS, ids=lambda playlist: playlist.name)
def test_playlists_keep_their_limits(spark: SparkSession, playlist: SongList) -> None:
    chosen = songs_in(spark, playlist, *lifting())
    assert 5 <= len(chosen) <= 25
    assert list(chosen["position"]) == list(range(1, len(chosen) + 1))
    assert chosen["is_new_to_you"].sum() <= playlist.new
    assert (~chosen["is_new_to_you"].astype(bool)).sum() <= playlist.known
    assert chosen["recording_key"].is_unique
    assert chosen["artist_name"].value_counts().max() <= 2


@pytest.mark.parametrize(("playlist", "column"), [(FOCUS, "energy"), (MOOD_LIFT, "valence")])
def test_focus_and_mood_lift_rise(spark: SparkSession, playlist: SongList, column: str) -> None:
    assert songs_in(spark, playlist, *lifting())[column].is_monotonic_increasing


def test_relaxation_falls(spark: SparkSession) -> None:
    assert songs_in(spark, RELAXATION, *lifting())["energy"].is_monotonic_decreasing


def test_energy_builds_up_to_a_peak_after_two_thirds(spark: SparkSession) -> None:
    energy = songs_in(spark, ENERGY, *lifting())["energy"]
    peak = int(energy.argmax())
    assert energy[: peak + 1].is_monotonic_increasing
    assert energy[peak + 1 :].is_monotonic_decreasing
    assert abs((peak + 1) / len(energy) - 2 / 3) < 0.1


def test_discovery_is_by_artists_never_played(spark: SparkSession) -> None:
    plays, offers = lifting()
    played = {row["artist_name"] for row in plays}
    offers += [offer(f"Never played {i}", "Song", valence=i / 50, tempo=100.0 + i) for i in range(40)]
    chosen = songs_in(spark, DISCOVERY, plays, offers)
    assert chosen["track_genre"].value_counts().max() == 4
    assert not set(chosen["artist_name"]) & played


def test_links_only_for_ids_that_spotify_has() -> None:
    assert spotify_url("4uLU6hMCjMI75M1A2tKUQC") == "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC"
    assert spotify_url("demo000000000000000001") is None
    assert spotify_url(None) is None
    assert spotify_url(float("nan")) is None


def _by_name(songs: pd.DataFrame) -> dict[str, Any]:
    return {song["track_name"]: song for song in songs.to_dict("records")}
