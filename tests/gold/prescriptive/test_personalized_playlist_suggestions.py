"""Which songs make a playlist for focus, energy, relaxation, a lift or discovery, and in which order?"""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.prescriptive.personalized_playlist_suggestions import personalized_playlist_suggestions
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.prescriptive.music import lifting, listed, offer, plays_of
from tests.support.frames import Tables, rows

NAMES = {"Focus", "Energy", "Relaxation", "Mood Lift", "Discovery"}
CALM: dict[str, Any] = {"energy": 0.2, "acousticness": 0.9}


def test_songs_stand_in_the_order_of_playing(spark: SparkSession) -> None:
    plays = [
        *plays_of("Usual", "Song", 20),
        *plays_of("A", "Calm", 2, **CALM, loudness=-15.0),
        *plays_of("B", "Calmer", 1, **CALM | {"energy": 0.1}, loudness=-16.0),
    ]
    offers = [offer("A", "New", **CALM | {"energy": 0.15})]
    suggested = personalized_playlist_suggestions(listed(spark, plays, offers)).where("playlist_name = 'Relaxation'")
    assert rows(suggested, "position", "track_name", "artist_name", "play_count", "is_new_to_you") == [
        (1, "Calm", "A", 2, False),
        (2, "New", "A", 0, True),
        (3, "Calmer", "B", 1, False),
    ]
    assert {row["playlist_purpose"] for row in suggested.collect()} == {
        "For winding down: quiet music, each song calmer than the one before. "
        "3 songs, 1 of them new to you; energy 0.10 to 0.20, valence 0.50 to 0.50."
    }


def test_a_playlist_for_which_nothing_fits_has_no_rows(spark: SparkSession) -> None:
    suggested = personalized_playlist_suggestions(listed(spark, plays_of("Usual", "Song", 20), []))
    assert suggested.collect() == []


def test_every_playlist_fills_from_enough_music(spark: SparkSession) -> None:
    suggested = personalized_playlist_suggestions(listed(spark, *lifting())).toPandas()
    assert set(suggested["playlist_name"]) == NAMES


@pytest.mark.real_data
def test_the_real_listeners_playlists(real_table: Tables, real_catalogue_tracks: DataFrame) -> None:
    suggested = real_table("personalized_playlist_suggestions").toPandas()
    plays, catalogue = real_table("listening_with_features").toPandas(), real_catalogue_tracks.toPandas()
    assert suggested.groupby("playlist_name").size().to_dict() == dict.fromkeys(NAMES, 25)
    assert not suggested.duplicated(["playlist_name", "artist_name", "track_name"]).any()
    known = plays[plays["feature_source"].isin(MEASURED_SOURCES)]
    features = ["valence", "energy", "danceability", "acousticness", "instrumentalness", "speechiness"]
    offered = catalogue.set_index("track_id")[features]
    heard: Any = known.groupby(["artist_name", "track_name"])[features].mean()
    sounds: dict[tuple[Any, Any], Any] = {
        (song.playlist_name, song.position): offered.loc[song.track_id]
        if song.is_new_to_you
        else heard.loc[(song.artist_name, song.track_name)]
        for song in suggested.itertuples()
    }
    by_name = {
        name: [sounds[name, position] for position in range(1, 26)] for name in suggested["playlist_name"].unique()
    }
    assert all(song["instrumentalness"] >= 0.5 and song["speechiness"] < 0.1 for song in by_name["Focus"])
    assert all(song["energy"] >= 0.75 and song["danceability"] >= 0.6 for song in by_name["Energy"])
    assert all(song["energy"] < 0.4 and song["acousticness"] >= 0.3 for song in by_name["Relaxation"])
    assert all(song["valence"] > known["valence"].mean() for song in by_name["Mood Lift"])
    brightness = [song["valence"] for song in by_name["Mood Lift"]]
    assert brightness == sorted(brightness)
    discovered = suggested[suggested["playlist_name"] == "Discovery"]
    assert not set(discovered["artist_name"]) & set(plays["artist_name"])
