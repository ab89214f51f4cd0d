"""Releases and audio twins are one recording; nothing else is."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lakehouse.contract.columns import AUDIO_FEATURES
from silver.artists.recording_groups import CONFLICT, RecordingFolds, hash_folds, recording_groups, stable_hashes

Sound = Mapping[str, float | None]

SOUND = dict(zip(AUDIO_FEATURES, (0.5, 0.6, 5, -7.1, 1, 0.05, 0.2, 0.0, 0.1, 0.7, 120.1, 4), strict=True))
OTHER_SOUND = {**SOUND, "valence": 0.3}


def track(track_id: str, name_key: str | None, sound: Sound, artists: str = "Ann") -> dict[str, object]:
    return {"track_id": track_id, "artists": artists, "name_key": name_key, **sound}


def groups(*tracks: dict[str, object]) -> list[str]:
    return recording_groups(pd.DataFrame(tracks)).tolist()


def test_releases_with_one_name_are_one_recording() -> None:
    assert groups(track("b", "ann | x", SOUND), track("a", "ann | x", OTHER_SOUND)) == ["a", "a"]


def test_copies_with_the_same_sound_are_one_recording_whatever_their_title() -> None:
    assert groups(track("a", "ann | x", SOUND), track("b", "bob | y", SOUND)) == ["a", "a"]


def test_links_reach_through_a_third_track() -> None:
    third = {**SOUND, "tempo": 99.0}
    assert groups(
        track("c", "ann | x", SOUND), track("b", "ann | x", OTHER_SOUND), track("a", "bob | y", OTHER_SOUND),
        track("d", "bob | z", third),
    ) == ["a", "a", "a", "d"]  # fmt: skip


def test_swapped_artists_are_one_recording() -> None:
    assert groups(
        track("a", "ann | x", SOUND, "Ann;Bob"), track("b", "bob | x", OTHER_SOUND, "Bob;Ann")
    ) == ["a", "a"]  # fmt: skip


def test_tracks_whose_analysis_failed_are_no_twins() -> None:
    failed = {**SOUND, "tempo": None, "valence": None}
    assert groups(track("a", "ann | x", failed), track("b", "ann | y", failed), track("c", "ann | z", SOUND)) == [
        "a", "b", "c",
    ]  # fmt: skip


def test_a_few_equal_features_make_no_twins() -> None:
    few = {"energy": 0.5, "tempo": 120.0}
    assert groups(track("a", "ann | x", few), track("b", "ann | y", few)) == ["a", "b"]


def test_tracks_without_a_name_are_not_joined_by_that() -> None:
    assert groups(track("a", None, SOUND), track("b", None, OTHER_SOUND)) == ["a", "b"]


def test_an_empty_catalogue_has_no_groups() -> None:
    assert recording_groups(pd.DataFrame(columns=["track_id", "artists", "name_key"])).empty


def test_hashes_are_the_same_everywhere() -> None:
    assert stable_hashes(["a", "b"], "salt").tolist() == [1550610163205325428, 3221481461748093365]
    assert stable_hashes(["a"], "salt")[0] != stable_hashes(["a"], "other")[0]


def test_folds_do_not_depend_on_order_or_company() -> None:
    keys = pd.Series([f"k{i}" for i in range(50)])
    folds = dict(zip(keys, hash_folds(keys, 5, "s"), strict=True))
    shuffled = keys.sample(frac=0.5, random_state=1)
    assert hash_folds(shuffled, 5, "s").tolist() == [folds[key] for key in shuffled]
    assert set(folds.values()) == {0, 1, 2, 3, 4}


def test_a_listened_track_finds_its_fold_by_id_name_or_sound() -> None:
    catalogue = pd.DataFrame([track("a", "ann | x", SOUND), track("b", "ann | y", OTHER_SOUND)])
    nowhere = {**SOUND, "tempo": 1.0}
    tracks = pd.DataFrame(
        [
            {"track_key": "a", "matched_track_id": None, "name_key": None, **nowhere},
            {"track_key": "z", "matched_track_id": "b", "name_key": None, **nowhere},
            {"track_key": "z", "matched_track_id": None, "name_key": "ann | y", **nowhere},
            {"track_key": "z", "matched_track_id": None, "name_key": "bob | q", **OTHER_SOUND},
            {"track_key": "z", "matched_track_id": None, "name_key": "bob | q", **nowhere},
            {"track_key": "a", "matched_track_id": None, "name_key": "ann | y", **nowhere},
        ]
    )
    index = RecordingFolds.of_catalogue(catalogue, np.array([3, 4]))
    for folds in (index, RecordingFolds.from_state(index.state())):
        assert folds.find(tracks, unlinked=np.full(6, 2)).tolist() == [3, 4, 4, 4, 2, CONFLICT]


def test_nothing_is_found_in_an_empty_catalogue() -> None:
    tracks = pd.DataFrame([{"track_key": "a", "name_key": None, **SOUND}])
    catalogue = pd.DataFrame([track("a", "ann | x", SOUND)]).iloc[:0]
    folds = RecordingFolds.of_catalogue(catalogue, np.empty(0, dtype=np.int64))
    assert folds.find(tracks, unlinked=np.array([1])).tolist() == [1]
    assert folds.find(tracks.iloc[:0], unlinked=np.empty(0, dtype=np.int64)).tolist() == []
