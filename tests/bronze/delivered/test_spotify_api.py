"""Answers of the Web API: what each item becomes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bronze.delivered.plays import Excluded, Malformed, Play
from bronze.delivered.spotify_api import read, recognises
from tests.bronze.records import (
    ANY_VALUE,
    LIKELY_VALUE,
    NOW,
    PERSONAL,
    SOME_ID,
    account,
    api_item,
    assert_storable,
    broken_records,
    extended,
)  # fmt: skip # isort: skip

AT = datetime(2024, 3, 14, 18, 30, 0, 123_000, tzinfo=UTC)


def play(**track: Any) -> Play:
    outcome = read(api_item(**track), NOW)
    assert isinstance(outcome, Play)
    return outcome


def test_an_item_becomes_a_play_of_unknown_length() -> None:
    assert play() == Play(
        AT,
        SOME_ID,
        "Mr. Brightside",
        "The Killers",
        "Hot Fuss",
        isrc="USIR20400274",
        duration_ms=222_075,
        ms_played=None,
    )
    assert play().verdict == "counted"


def test_it_is_known_by_two_of_its_fields() -> None:
    assert recognises(api_item())
    assert not recognises(extended())
    assert not recognises(account())


def test_the_time_may_have_no_fraction() -> None:
    outcome = read(api_item("2024-03-14T18:30:00Z"), NOW)
    assert outcome.played_at == AT.replace(microsecond=0)


@pytest.mark.parametrize(("kind", "verdict"), [("episode", "podcast"), ("chapter", "audiobook")])
def test_what_is_not_a_track_gets_a_verdict(kind: str, verdict: str) -> None:
    assert read(api_item(type=kind), NOW) == Excluded(verdict, AT)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(Malformed, match=r"track.type 'hologram' is not known"):
        read(api_item(type="hologram"), NOW)


@pytest.mark.parametrize(
    "record", [{"played_at": "2024-03-14T18:30:00Z", "track": None}, {"played_at": "2024-03-14T18:30:00Z"}]
)
def test_an_item_without_a_track_is_no_track(record: dict[str, Any]) -> None:
    outcome = read(record, NOW)
    assert isinstance(outcome, Excluded)
    assert outcome.verdict == "no_track"


def test_a_local_file_is_a_play_by_its_names() -> None:
    local = play(id=None, is_local=True, album={"name": ""}, external_ids={})
    assert (local.track_id, local.artist_name, local.album_name) == (None, "The Killers", None)


@pytest.mark.parametrize("change", [{"name": ""}, {"artists": []}, {"artists": None}, {"artists": [{"name": None}]}])
def test_a_local_file_without_names_is_no_track(change: dict[str, Any]) -> None:
    assert read(api_item(id=None, **change), NOW) == Excluded("no_track", AT)


@pytest.mark.parametrize("track_id", ["short", SOME_ID + "x", "spotify:track:abc"])
def test_an_id_must_be_one(track_id: str) -> None:
    with pytest.raises(Malformed, match="is no Spotify id"):
        read(api_item(id=track_id), NOW)


@pytest.mark.parametrize(
    ("field", "value"),
    [("artists", {}), ("artists", "A"), ("artists", False), ("artists", ["A"]), ("album", 0), ("album", ""),
     ("external_ids", []), ("duration_ms", -1), ("duration_ms", True), ("name", 5), ("id", 5)],
)  # fmt: skip
def test_a_wrong_type_names_the_field(field: str, value: object) -> None:
    with pytest.raises(Malformed, match=f"^{field} "):
        read(api_item(**{field: value}), NOW)


@pytest.mark.parametrize("value", [0, "", [], "text", False])
def test_a_track_that_is_not_an_object_is_refused(value: object) -> None:
    with pytest.raises(Malformed, match=r"^track is .*, not an object"):
        read({**api_item(), "track": value}, NOW)


@given(broken_records(api_item(**PERSONAL)["track"]), LIKELY_VALUE | ANY_VALUE | st.none())
def test_any_item_ends_as_a_play_a_verdict_or_a_refusal(track: dict[str, Any], odd: object) -> None:
    for record in ({**api_item(), "track": track}, {**api_item(), "track": odd}, {**api_item(), "played_at": odd}):
        try:
            outcome = read(record, NOW)
        except Malformed:
            continue
        if isinstance(outcome, Play):
            assert_storable(outcome)
