"""The extended streaming history: what each record becomes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from bronze.delivered.extended_history import read, recognises
from bronze.delivered.plays import Excluded, Malformed, Play
from tests.bronze.records import (
    NOW,
    PERSONAL,
    SOME_ID,
    account,
    api_item,
    assert_storable,
    broken_records,
    extended,
    without,
)


def play(**values: Any) -> Play:
    outcome = read(extended(**values), NOW)
    assert isinstance(outcome, Play)
    return outcome


def excluded(**values: Any) -> str:
    outcome = read(extended(**values), NOW)
    assert isinstance(outcome, Excluded)
    assert outcome.played_at == datetime(2024, 3, 14, 18, 30, tzinfo=UTC)
    return outcome.verdict


def test_a_record_becomes_a_play_with_all_it_says() -> None:
    assert play() == Play(
        played_at=datetime(2024, 3, 14, 18, 30, tzinfo=UTC),
        track_id=SOME_ID,
        track_name="Mr. Brightside",
        artist_name="The Killers",
        album_name="Hot Fuss",
        ms_played=180_000,
        reason_start="trackdone",
        reason_end="fwdbtn",
        skipped=False,
        shuffle=True,
        offline=None,
        incognito=False,
        platform="ios",
    )


def test_it_is_known_by_two_of_its_fields() -> None:
    assert recognises(extended())
    assert not recognises(account())
    assert not recognises(api_item())
    assert not recognises({"ts": "2024-03-14T18:30:00Z"})


def test_what_is_null_or_missing_is_unknown() -> None:
    record = {key: extended()[key] for key in ("ts", "ms_played", "spotify_track_uri")}
    assert read(record, NOW) == Play(datetime(2024, 3, 14, 18, 30, tzinfo=UTC), SOME_ID, None, None, ms_played=180_000)


def test_a_play_of_no_length_is_kept() -> None:
    assert play(ms_played=0).verdict == "too_short"


def test_a_music_video_is_a_track() -> None:
    assert play(platform="video").track_id == SOME_ID


@pytest.mark.parametrize("field", ["spotify_episode_uri", "episode_name"])
def test_an_episode_is_a_podcast_also_as_a_video(field: str) -> None:
    assert excluded(**{field: "spotify:episode:1"}, spotify_track_uri=None) == "podcast"


@pytest.mark.parametrize("field", ["audiobook_uri", "audiobook_title"])
def test_an_audiobook_is_none_of_ours(field: str) -> None:
    assert excluded(**{field: "A Book"}, spotify_track_uri=None) == "audiobook"


def test_a_local_file_is_a_play_by_its_names() -> None:
    assert play(spotify_track_uri="spotify:local:The+Killers::Mr.+Brightside:180").track_id is None


def test_a_local_file_without_names_is_no_track() -> None:
    assert excluded(spotify_track_uri="spotify:local:::x:1", master_metadata_track_name=None) == "no_track"


def test_a_record_without_any_track_is_no_track() -> None:
    nothing = {"spotify_track_uri": None, "master_metadata_track_name": None, "master_metadata_album_artist_name": None}
    assert excluded(**nothing) == "no_track"


@pytest.mark.parametrize("missing", ["master_metadata_track_name", "master_metadata_album_artist_name"])
def test_without_an_id_both_names_are_needed(missing: str) -> None:
    assert excluded(**{"spotify_track_uri": None, missing: " "}) == "no_track"


@pytest.mark.parametrize(
    "uri",
    [
        "spotify:track:short",
        f"spotify:track:{SOME_ID}x",
        f"spotify:episode:{SOME_ID}",
        SOME_ID,
        f"spotify:track:{'é' * 22}",
    ],
)
def test_another_uri_is_refused(uri: str) -> None:
    with pytest.raises(Malformed, match="is not like spotify:track:"):
        read(extended(spotify_track_uri=uri), NOW)


@pytest.mark.parametrize("field", ["ts", "ms_played"])
def test_time_and_length_must_be_there(field: str) -> None:
    with pytest.raises(Malformed, match=f"{field} is missing"):
        read(without(extended(), field), NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [("ms_played", True), ("ms_played", -5), ("ms_played", "1"), ("ts", 5), ("platform", 5), ("skipped", 1),
     ("shuffle", "yes"), ("master_metadata_track_name", ["a"]), ("episode_name", 7), ("spotify_track_uri", {})],
)  # fmt: skip
def test_a_wrong_type_names_the_field(field: str, value: object) -> None:
    with pytest.raises(Malformed, match=f"^{field} "):
        read(extended(**{field: value}), NOW)


def test_personal_values_never_reach_a_play() -> None:
    assert read(extended(**PERSONAL), NOW) == read(extended(), NOW)


@given(broken_records(extended(**PERSONAL)))
def test_any_record_ends_as_a_play_a_verdict_or_a_refusal(record: dict[str, Any]) -> None:
    try:
        outcome = read(record, NOW)
    except Malformed as reason:
        assert str(reason)
        return
    if isinstance(outcome, Play):
        assert_storable(outcome)
    else:
        assert outcome.verdict in ("podcast", "audiobook", "no_track")
