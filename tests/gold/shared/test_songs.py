"""Which recordings are candidates, and how much does each go with what the listener plays?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from gold.shared.songs import FEATURES, KEY, before_hidden_dates, candidates, songs_of
from silver.rules.bounded import sample
from tests.gold.prescriptive.music import inputs, offer, plays_of

USUAL = plays_of("Usual", "Song", 20)


def found(spark: SparkSession, plays: list[dict[str, Any]], offers: list[dict[str, Any]]) -> pd.DataFrame:
    return candidates(songs_of(*inputs(spark, plays, offers)).toPandas()).set_index("track_name")


def test_recordings_that_are_played_and_catalogue_recordings_of_played_artists_and_genres(spark: SparkSession) -> None:
    offers = [
        offer("Usual", "Other"),
        offer("Unknown", "Same genre", valence=0.6),
        offer("Unknown", "Lullaby", track_genre="sleep", valence=0.7),
    ]
    songs = found(spark, USUAL, offers)
    assert songs["is_new_to_you"].to_dict() == {"Song": False, "Other": True, "Same genre": True}
    assert songs["play_count"].to_dict() == {"Song": 20, "Other": 0, "Same genre": 0}
    assert songs["artist_play_count"].to_dict() == {"Song": 20, "Other": 20, "Same genre": 0}


@pytest.mark.parametrize(
    "same",
    [
        offer("Usual", "Song", track_id="other release"),
        offer("Usual", "Song renamed", track_id="Usual Song".ljust(22, "0")),
        offer("Usual", "Song - Live", valence=0.9),
        offer("Usual", "Song (Acoustic Version)", valence=0.9),
        offer("Usual", "Sold under another name", loudness=-8.0),
    ],
    ids=lambda row: row["track_name"],
)
def test_no_recording_is_new_that_was_played_in_another_release_or_version(
    spark: SparkSession, same: dict[str, Any]
) -> None:
    songs = found(spark, USUAL, [same, offer("Usual", "Other", valence=0.8)])
    assert set(songs.index) == {"Song", "Other"}


def test_no_recording_is_new_that_was_played_under_a_name_that_its_isrc_gave_away(spark: SparkSession) -> None:
    merged = plays_of("Usual", "Duet", 2, track_id="single", recording_key="other | duet", valence=0.6)
    songs = found(spark, [*USUAL, *merged], [offer("Usual", "Duet", track_id="album", valence=0.7)])
    assert songs["is_new_to_you"].to_dict() == {"Song": False, "Duet": False}


def test_of_several_releases_the_most_popular_is_offered(spark: SparkSession) -> None:
    releases = [offer("Usual", "Other", track_id=f"release {p}", popularity=p, valence=0.8) for p in (3, 9, 6)]
    assert found(spark, USUAL, releases).loc["Other", "track_id"] == "release 9"


def test_releases_of_a_played_recording_count_together_under_the_one_played_most(spark: SparkSession) -> None:
    single = plays_of("Usual", "Song", 3, track_id="single", day=1)
    unmeasured = plays_of("Usual", "Song", 2, track_id="live", day=2, feature_source="none", **dict.fromkeys(FEATURES))
    song = found(spark, [*USUAL, *single, *unmeasured], []).loc["Song"]
    assert (song["play_count"], song["track_id"], song["valence"]) == (25, "Usual Song".ljust(22, "0"), 0.5)


def test_an_id_that_the_history_lacks_comes_from_the_catalogue(spark: SparkSession) -> None:
    plays = plays_of("Usual", "Song", 20, track_id=None)
    assert found(spark, plays, [offer("Usual", "Song", track_id="known")]).loc["Song", "track_id"] == "known"


def test_estimated_features_make_no_candidate(spark: SparkSession) -> None:
    guessed = plays_of("Guessed", "Song", 5, feature_source="imputed_artist", day=1)
    assert set(found(spark, [*USUAL, *guessed], []).index) == {"Song"}


def test_below_20_measured_plays_there_are_none(spark: SparkSession) -> None:
    assert found(spark, USUAL[:19], [offer("Usual", "Other")]).empty


def test_affinity_by_hand(spark: SparkSession) -> None:
    plays = [
        *plays_of("A", "Old", 20, day=0),
        *plays_of("A", "Recent", 10, day=90, valence=0.6),
        *plays_of("B", "One", 1, day=90, valence=0.7, track_genre="soul"),
    ]
    offers = [offer("A", "New", valence=0.8), offer("B", "New too", valence=0.9, track_genre="soul", popularity=None)]
    songs = found(spark, plays, offers)
    # The 20 plays of 90 days ago count as 10: A has weight 20 of 21, and B is all of soul.
    of_b = np.log1p(1) / np.log1p(20)
    assert songs["affinity"].to_dict() == pytest.approx(
        {
            "Old": 1.0,
            "Recent": 1.0,
            "One": 0.4 * of_b + 0.6 * np.sqrt(np.log1p(1) / np.log1p(10)),
            "New": 0.4 + 0.3 + 0.3 * 0.5,
            "New too": 0.4 * of_b + 0.3 * np.sqrt(1 / 20),
        }
    )
    assert songs["genre_share"].to_dict() == pytest.approx(
        {"Old": 0.0, "Recent": 0.0, "One": 0.0, "New": 20 / 21, "New too": 1 / 21}
    )


def test_plays_on_hidden_dates_are_counted_apart(spark: SparkSession) -> None:
    plays = [*USUAL, *plays_of("Usual", "Later", 2, day=11), *plays_of("Usual", "Song", 1, day=40)]
    songs = songs_of(*inputs(spark, plays, [])).toPandas().set_index("track_name")
    assert songs["plays"].to_dict() == {"Song": 21, "Later": 2}
    assert songs["weight"].to_dict() == pytest.approx(
        {"Song": 20 * 0.5 ** (40 / 90) + 1, "Later": 2 * 0.5 ** (29 / 90)}
    )
    before = before_hidden_dates(songs.reset_index())
    assert before.set_index("track_name")["plays"].to_dict() == {"Song": 20, "Later": 0}
    assert before.set_index("track_name")["weight"].to_dict() == pytest.approx(
        {"Song": 20 * 0.5 ** (10 / 90), "Later": 0.0}
    )
    assert set(candidates(before)["track_name"]) == {"Song"}


def test_of_very_many_songs_all_are_there_that_the_sample_takes(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays = [row for number in range(200) for row in plays_of("Usual", f"Song {number}")]
    history, one_offer = inputs(spark, plays, [offer("Usual", "New")])
    catalogue = spark.range(20_000).crossJoin(one_offer.drop("track_id"))
    catalogue = catalogue.withColumn("track_id", F.concat(F.lit("offer "), "id")).drop("id")
    everything = songs_of(history, catalogue)
    monkeypatch.setattr("gold.shared.songs.MAX_SONGS", 4_000)
    sampled = songs_of(history, catalogue).cache()
    assert 4_000 < sampled.count() < 4_500
    keys = [{row[KEY] for row in sample(frame, [KEY], 4_000).select(KEY).collect()} for frame in (everything, sampled)]
    assert keys[0] == keys[1]
    assert sampled.where("is_played").count() > 20
