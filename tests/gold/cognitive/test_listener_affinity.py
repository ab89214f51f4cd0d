"""Whose music is alike, and what do two listeners share?"""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.cognitive import listener_affinity as module
from gold.cognitive.listener_affinity import listener_affinity
from lakehouse.contract.columns import UNIT_FEATURES
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.listening_with_features import listening_with_features
from tests.support.frames import frame_of, made_of_plays, only, play, rows

SOUND = dict.fromkeys(UNIT_FEATURES, 0.55)


def heard(listener: str, *songs: str, **values: Any) -> list[dict[str, Any]]:
    """A play of each song, "artist/title"."""
    return [
        play(
            f"2026-01-{1 + number // 20:02d} {number % 20:02d}:00:00",
            listener=listener, track_id=song, recording_key=song, artist_name=song.partition("/")[0], **SOUND | values,
        )
        for number, song in enumerate(songs)
    ]  # fmt: skip


def affinity(spark: SparkSession, *plays: list[dict[str, Any]]) -> DataFrame:
    every_play = frame_of(spark, listening_with_features, [row for of_one in plays for row in of_one])
    return made_of_plays(listener_affinity, every_play)


def test_the_overlap_is_of_what_each_play_is_of_each_one_s_listening(spark: SparkSession) -> None:
    ann = heard("ann", "A/1", "A/2", "B/1", "C/1")
    ben = heard("ben", "A/1", "A/1", "A/3", "B/1", "D/1", "D/1", "D/1", "D/2")
    found = affinity(spark, ann, ben).where("listener = 'ann'")
    # Artists: A 2/4 and 3/8, B 1/4 and 1/8. Recordings: A/1 1/4 and 2/8, B/1 1/4 and 1/8.
    row = only(found)
    assert row["affinity"] == pytest.approx(((3 / 8 + 1 / 8) + (2 / 8 + 1 / 8)) / 2)
    assert (row["shared_artists"], row["shared_tracks"]) == (2, 2)
    assert (row["closest_artist"], row["widest_gap_artist"]) == ("A", "D")


def test_both_orders_of_a_pair_say_the_same(spark: SparkSession) -> None:
    plays = heard("ann", "A/1", "B/1"), heard("ben", "A/1", "C/1"), heard("carl", "D/1")
    made = affinity(spark, *plays)
    enforce(listener_affinity, conform(listener_affinity, made))
    names = ("affinity", "shared_artists", "shared_tracks", "closest_artist", "widest_gap_artist", "audio_similarity")
    found = {(row["listener"], row["other_listener"]): [row[name] for name in names] for row in made.collect()}
    pairs = [("ann", "ben"), ("ann", "carl"), ("ben", "carl")]
    assert sorted(found) == sorted(pairs + [pair[::-1] for pair in pairs])
    assert all(found[pair] == found[pair[::-1]] for pair in pairs)
    # Of equal gaps the first artist by name.
    assert found[pairs[0]][3:5] == ["A", "B"]
    assert found[pairs[1]][:5] == [0, 0, 0, None, "D"]


def test_of_one_listener_there_is_nobody_to_compare_with(spark: SparkSession) -> None:
    assert affinity(spark, heard("ann", "A/1")).count() == 0


def test_the_same_listening_overlaps_entirely(spark: SparkSession) -> None:
    songs = [f"Artist {number % 3}/{number}" for number in range(21)]
    row = only(affinity(spark, heard("ann", *songs), heard("ben", *songs)).where("listener = 'ben'"))
    assert (row["affinity"], row["audio_similarity"]) == (pytest.approx(1), pytest.approx(1))
    assert row["widest_gap_artist"] is None


def test_artists_are_one_however_they_are_spelled(spark: SparkSession) -> None:
    ann, ben = heard("ann", "HUMBE/1", "Humbe/2", "Humbe/3"), heard("ben", "humbé;Guest/4")
    row = only(affinity(spark, ann, ben).where("listener = 'ann'"))
    assert (row["shared_artists"], row["shared_tracks"], row["closest_artist"]) == (1, 0, "Humbe")


def test_sound_is_compared_from_twenty_measured_plays_each_on(spark: SparkSession) -> None:
    songs = [f"A/{number}" for number in range(20)]
    half_loud = heard("ben", *songs[:10]) + heard("ben", *[f"B/{n}" for n in range(10)], energy=0.95)
    # One of seven features differs for half of the plays; 1 is in the last tenth.
    ann = heard("ann", *songs)
    row = only(affinity(spark, ann, half_loud).where("listener = 'ann'"))
    assert (row["audio_similarity"], row["sample_size"]) == (pytest.approx(1 - 0.5 / 7), 20)
    unmeasured = heard("ben", *songs, feature_source="imputed_artist")
    few = only(affinity(spark, ann, unmeasured + heard("ben", *songs[:19])).where("listener = 'ann'"))
    assert (few["audio_similarity"], few["sample_size"]) == (None, 19)


def test_the_sentence_has_the_row_s_numbers(spark: SparkSession) -> None:
    songs = [f"A/{number}" for number in range(20)]
    plays = heard("ann", *songs, "B/1"), heard("ben", *songs, "C/1"), heard("carl", "D/1")
    found = dict(rows(affinity(spark, *plays).where("listener = 'ann'"), "other_listener", "insight"))
    assert found["ben"] == (
        "The listening of ann and ben overlaps by 95 %; artists in common: 1, most of all A; recordings in common: 20; "
        "B sets them apart most; it sounds 100 % alike, by at least 21 plays of each."
    )
    assert found["carl"] == (
        "The listening of ann and carl overlaps by 0 %; artists in common: 0; recordings in common: 0; D sets them "
        "apart most; there are too few measured plays to compare how it sounds."
    )


def test_only_so_many_listeners_and_what_they_play_most_are_compared(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_LISTENERS", 2)
    monkeypatch.setattr(module, "MOST_ITEMS", 4)
    ann, ben = heard("ann", "A/1", "A/1", "B/1"), heard("ben", "B/1", "A/1", "A/1")
    found = only(affinity(spark, ann, ben, heard("carl", "A/1", "A/2")).where("listener = 'ann'"))
    # One artist and one recording of each.
    assert (found["other_listener"], found["shared_artists"], found["shared_tracks"]) == ("ben", 1, 1)
    assert found["affinity"] == pytest.approx(2 / 3)
