"""Which songs are in which list, today and before the dates that the backtest hides?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from tests.gold.prescriptive.music import listed, offer, plays_of
from tests.support.frames import Tables, rows

USUAL = plays_of("Usual", "Song", 20)
LATER = plays_of("Usual", "Later", 2, day=40, valence=0.8)


def test_a_song_of_the_hidden_dates_is_listed_today_and_not_before(spark: SparkSession) -> None:
    offers = [offer("Usual", "New", valence=0.9)]
    recommended = listed(spark, [*USUAL, *LATER], offers).where("playlist_name = 'Recommendations'")
    assert set(rows(recommended, "hidden_days", "track_name", "play_count", "is_hit")) == {
        (0, "Later", 2, None), (0, "New", 0, None), (30, "New", 0, False),
    }  # fmt: skip


def test_the_share_of_a_genre_is_told_of_new_songs_alone(spark: SparkSession) -> None:
    bright = plays_of("Usual", "Bright", 1, valence=0.8)
    recommended = listed(spark, [*USUAL, *bright], [offer("Usual", "New", valence=0.9)]).where(
        "hidden_days = 0 AND playlist_name = 'Recommendations'"
    )
    assert set(rows(recommended, "track_name", "genre_share")) == {("New", 1.0), ("Bright", None)}


def test_a_hit_was_played_on_the_hidden_dates(spark: SparkSession) -> None:
    offers = [offer("Usual", "Later", valence=0.8), offer("Usual", "New", valence=0.9)]
    backtested = listed(spark, [*USUAL, *LATER], offers).where("hidden_days = 30 AND playlist_name = 'Recommendations'")
    assert rows(backtested, "choice", "track_name", "is_hit", "random_hit_rate") == [
        (1, "New", False, 0.5), (2, "Later", True, 0.5),
    ]  # fmt: skip


def test_the_most_played_count_also_without_features(spark: SparkSession) -> None:
    unknown = plays_of("Unknown", "Song", 30, feature_source="none")
    again = plays_of("Usual", "Song", 1, day=40)
    most = listed(spark, [*USUAL, *unknown, *again], [offer("Usual", "New", valence=0.9)])
    assert rows(
        most.where("playlist_name = 'Most played'"), "choice", "artist_name", "play_count", "is_hit", "random_hit_rate"
    ) == [(1, "Unknown", 30, False, 0.5), (2, "Usual", 20, True, 0.5)]


@pytest.mark.real_data
def test_the_real_listeners_lists(real_table: Tables) -> None:
    songs: Any = real_table("listed_songs").toPandas()
    sizes = songs.groupby(["hidden_days", "playlist_name"]).size().unstack("hidden_days")
    assert sizes.loc["Recommendations"].to_dict() == {0: 50, 30: 50}
    playlists = sizes.drop(["Recommendations", "Most played"])
    assert playlists[0].eq(25).all()
    assert playlists[30].between(20, 25).all()
    assert pd.isna(sizes.loc["Most played", 0])
    assert sizes.loc["Most played", 30] == 25
    assert songs.groupby(["hidden_days", "playlist_name"])["choice"].agg(lambda choice: sorted(choice) == list(
        range(1, len(choice) + 1)
    )).all()  # fmt: skip
