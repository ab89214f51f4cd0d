"""Which songs lift the mood of the music, among those the listener plays and those they do not play yet?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.prescriptive.mood_improvement_recommendations import mood_improvement_recommendations
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.prescriptive.music import lifting, listed, offer, plays_of
from tests.support.frames import Tables, only

USUAL = plays_of("Usual", "Song", 20)


def recommended(spark: SparkSession, plays: list[dict[str, Any]], offers: list[dict[str, Any]]) -> DataFrame:
    frame: DataFrame = mood_improvement_recommendations(listed(spark, plays, offers))
    return frame


def test_a_played_song_says_so_in_numbers(spark: SparkSession) -> None:
    bright = plays_of("B", "Bright", 2, valence=0.83, energy=0.7, danceability=0.8, track_genre="soul")
    row = only(recommended(spark, [*USUAL, *bright], []))
    assert (row["track_name"], row["artist_name"], row["play_count"], row["is_new_to_you"]) == ("Bright", "B", 2, False)
    assert (row["avg_valence"], row["avg_energy"], row["avg_danceability"]) == (0.83, 0.7, 0.8)
    assert row["recommendation_reason"] == (
        "You played it twice, B twice in all; valence 0.83, 0.30 above your usual 0.53; "
        "0.00 standard deviations from the bright music you play in the genre soul."
    )
    assert row["target_scenario"] == "Dancing or exercise"


def test_a_new_song_says_why(spark: SparkSession) -> None:
    offers = [
        offer("Usual", "New", valence=0.9, energy=0.3),
        offer("Unknown", "New", valence=0.8, energy=0.5),
        offer("Usual", "Tells the genre", valence=0.1),
    ]
    rows = {row["artist_name"]: row for row in recommended(spark, USUAL, offers).collect()}
    assert rows["Usual"]["recommendation_reason"].startswith("New to you, by Usual, whom you played 20 times; ")
    assert rows["Usual"]["target_scenario"] == "A calm lift"
    assert rows["Unknown"]["recommendation_reason"].startswith(
        "New to you, of a genre that makes up 100.0 % of your listening; valence 0.80, 0.30 above your usual 0.50."
    )
    assert rows["Unknown"]["target_scenario"] == "An everyday lift"


def test_a_genre_is_named_only_if_bright_plays_of_it_are_behind_the_distance(spark: SparkSession) -> None:
    bright = plays_of("B", "Bright", 2, valence=0.9, track_genre="soul")
    offers = [
        offer("Usual", "New", valence=0.9, track_genre="pop"),
        offer("B", "New", valence=0.9, track_genre="soul"),
    ]
    found = recommended(spark, [*USUAL, *bright], offers).where("is_new_to_you").collect()
    ends = {row["artist_name"]: row["recommendation_reason"].split(" standard deviations ")[1] for row in found}
    assert ends == {
        "Usual": "from the bright music you play.",
        "B": "from the bright music you play in the genre soul.",
    }


def test_without_bright_plays_nothing_is_said_to_be_near_them(spark: SparkSession) -> None:
    row = only(recommended(spark, USUAL, [offer("Usual", "New", valence=0.9)]))
    assert row["recommendation_reason"] == (
        "New to you, by Usual, whom you played 20 times; valence 0.90, 0.40 above your usual 0.50."
    )


def test_links_lead_to_spotify_unless_the_song_is_made_up(spark: SparkSession) -> None:
    offers = [
        offer("Usual", "Real", track_id="4uLU6hMCjMI75M1A2tKUQC", valence=0.9),
        offer("Usual", "Made up", track_id="demo000000000000000001", valence=0.8),
    ]
    links = {row["track_name"]: row["spotify_url"] for row in recommended(spark, USUAL, offers).collect()}
    assert links == {"Real": "https://open.spotify.com/track/4uLU6hMCjMI75M1A2tKUQC", "Made up": None}


def test_a_history_without_ids_and_without_a_catalogue_is_enough(spark: SparkSession) -> None:
    plays = [
        *plays_of("Usual", "Song", 20, track_id=None, track_genre=None, feature_source="reccobeats"),
        *plays_of("B", "Bright", 1, valence=0.9, track_id=None, track_genre=None, feature_source="reccobeats"),
    ]
    row = only(recommended(spark, plays, []))
    assert (row["track_name"], row["track_id"], row["spotify_url"]) == ("Bright", None, None)
    assert row["recommendation_reason"].endswith("from the bright music you play.")


def test_up_to_25_of_each_kind_best_first(spark: SparkSession) -> None:
    plays, offers = lifting()
    songs = recommended(spark, plays, offers).toPandas()
    assert songs.groupby("is_new_to_you").size().to_dict() == {False: 25, True: 25}
    assert songs["score"].is_monotonic_decreasing


@pytest.mark.real_data
def test_the_real_listeners_recommendations(real_table: Tables, real_catalogue_tracks: DataFrame) -> None:
    songs = real_table("mood_improvement_recommendations").toPandas()
    plays, catalogue = real_table("listening_with_features").toPandas(), real_catalogue_tracks.toPandas()
    measured = plays[plays["feature_source"].isin(MEASURED_SOURCES)]
    assert songs.groupby("is_new_to_you").size().to_dict() == {False: 25, True: 25}
    assert songs["avg_valence"].min() > measured["valence"].mean()
    assert songs["artist_name"].value_counts().max() <= 2
    assert songs[["artist_name", "track_name"]].duplicated().sum() == 0
    _assert_known_counts(songs, plays)
    new = songs[songs["is_new_to_you"]]
    assert not set(new["track_id"]) & set(plays["track_id"])
    assert new["track_id"].isin(catalogue["track_id"]).all()
    assert songs["spotify_url"].str.fullmatch(r"https://open\.spotify\.com/track/[0-9A-Za-z]{22}").all()
    genres = catalogue.set_index("track_id")["track_genre"].reindex(songs["track_id"])
    assert not genres.isin(["children", "comedy", "sleep", "kids", "study"]).any()
    _assert_scores_of_played(songs, plays, measured)


def _assert_known_counts(songs: pd.DataFrame, plays: pd.DataFrame) -> None:
    key_of = plays.groupby(["artist_name", "track_name"])["recording_key"].first()
    known = songs[~songs["is_new_to_you"]]
    keys = key_of.reindex(pd.MultiIndex.from_frame(known[["artist_name", "track_name"]]))
    assert list(keys.map(plays["recording_key"].value_counts())) == list(known["play_count"])


def _assert_scores_of_played(songs: pd.DataFrame, plays: pd.DataFrame, measured: pd.DataFrame) -> None:
    """The scores of the played songs, worked out song by song."""
    days = (pd.Timestamp(plays["date"].max()) - pd.to_datetime(plays["date"])).dt.days
    weights = (0.5 ** (days / 90)).groupby(plays["recording_key"]).sum()
    by_artist = weights.groupby(weights.index.str.split(" | ", regex=False).str[0]).sum()
    usual = measured["valence"].mean()
    sound = ["energy", "danceability", "acousticness", "instrumentalness", "speechiness", "loudness", "tempo"]
    bright = measured[measured["valence"] > usual]
    for _, song in songs[~songs["is_new_to_you"]].iterrows():
        of_song = measured[(measured["track_name"] == song["track_name"])]
        of_song = of_song[of_song["artist_name"] == song["artist_name"]]
        recording = of_song["recording_key"].iloc[0]
        of_recording = measured[measured["recording_key"] == recording]
        artist = np.log1p(by_artist[recording.split(" | ")[0]]) / np.log1p(by_artist.max())
        own = np.sqrt(np.log1p(weights[recording]) / np.log1p(weights.max()))
        genre = bright[bright["track_genre"] == of_recording["track_genre"].iloc[0]]
        centre = (genre[sound].sum() + 5 * bright[sound].mean()) / (len(genre) + 5)
        gaps = (of_recording[sound].mean() - centre) / measured[sound].std(ddof=0)
        lift = (of_recording["valence"].mean() - usual) / (1 - usual)
        score = 0.5 * (0.4 * artist + 0.6 * own) + 0.25 * np.exp(-np.sqrt((gaps**2).mean())) + 0.25 * lift
        assert song["score"] == pytest.approx(score, abs=1e-7), song["track_name"]
