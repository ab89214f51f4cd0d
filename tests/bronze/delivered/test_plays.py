"""The rules that all sources share: times, texts, lengths, flags, identity, verdict."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given

from bronze.delivered.plays import (
    INSTANT,
    LONGEST_TEXT,
    MINUTE,
    Malformed,
    Play,
    flag,
    known_milliseconds,
    milliseconds,
    moment,
    text,
)
from tests.bronze.records import ANY_VALUE, NOW, SOME_ID

PLAY = Play(datetime(2024, 3, 14, 18, 30, tzinfo=UTC), SOME_ID, "Title", "Artist", ms_played=180_000)


def instant(value: object) -> datetime:
    return moment({"ts": value}, "ts", NOW, INSTANT)


def test_an_instant_is_utc_with_or_without_fraction() -> None:
    assert instant("2024-03-14T18:30:00Z") == datetime(2024, 3, 14, 18, 30, tzinfo=UTC)
    assert instant("2024-03-14T18:30:00.123Z") == datetime(2024, 3, 14, 18, 30, 0, 123_000, tzinfo=UTC)


def test_a_minute_is_utc() -> None:
    assert moment({"at": "2024-03-14 18:30"}, "at", NOW, MINUTE) == datetime(2024, 3, 14, 18, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "value",
    ["2024-03-14 18:30:00", "2024-03-14T18:30:00", "2024-03-14T18:30:00+02:00", "2024-03-14T18:30Z", "2024-W11-4",
     "2024-02-30T18:30:00Z", "2024-03-14T24:01:00Z", "2024-03-14T18:30:60Z", "٢٠٢٤-03-14T18:30:00Z", "",
     " 2024-03-14T18:30:00Z", "2024-03-14T18:30:00Z\n", "1710441000"],
)  # fmt: skip
def test_another_format_is_not_an_instant(value: str) -> None:
    with pytest.raises(Malformed, match="is not a time like 2024-03-14T18:30:00Z"):
        instant(value)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "missing"),
        (1710441000, "a number"),
        (True, "true or false"),
        (1.5, "not whole"),
        ([], "a list"),
        ({}, "an object"),
    ],
)
def test_a_time_that_is_not_text_is_named(value: object, kind: str) -> None:
    with pytest.raises(Malformed, match=f"^ts is .*{kind}.*, not a time$"):
        instant(value)


@pytest.mark.parametrize(
    "value", ["1970-01-01T00:00:00Z", "2008-09-30T23:59:59Z", "2025-06-02T12:00:01Z", "9999-12-31T23:59:59Z"]
)
def test_a_time_before_spotify_or_in_the_future_is_refused(value: str) -> None:
    with pytest.raises(Malformed, match="before Spotify existed or in the future"):
        instant(value)


@pytest.mark.parametrize("value", ["2008-10-01T00:00:00Z", "2025-06-02T12:00:00Z"])
def test_the_first_and_the_last_possible_time_are_taken(value: str) -> None:
    assert instant(value)


@pytest.mark.parametrize("value", [None, "", "  ", "\t\n", "\x00", "\u3000"])
def test_a_blank_text_is_unknown(value: str | None) -> None:
    assert text({"name": value}, "name") is None


def test_a_missing_text_is_unknown() -> None:
    assert text({}, "name") is None


def test_a_text_keeps_its_blanks_and_letters() -> None:
    assert text({"name": " Sigur Rós 🎵 "}, "name") == " Sigur Rós 🎵 "


def test_what_cannot_be_stored_is_taken_out_of_a_text() -> None:
    assert text({"name": "a\x00b\ud800c"}, "name") == "ab?c"


def test_a_text_longer_than_any_name_is_refused() -> None:
    assert text({"name": "a" * LONGEST_TEXT}, "name")
    with pytest.raises(Malformed, match="name has 4001 characters"):
        text({"name": "a" * (LONGEST_TEXT + 1)}, "name")


@pytest.mark.parametrize("value", [0, True, 1.5, [], {}])
def test_another_type_is_not_text(value: object) -> None:
    with pytest.raises(Malformed, match=r"^name is .*, not text$"):
        text({"name": value}, "name")


@pytest.mark.parametrize("value", [0, 1, 604_800_000, None])
def test_a_length_is_a_whole_number_up_to_a_week_or_unknown(value: int | None) -> None:
    assert milliseconds({"ms": value}, "ms") == value


@pytest.mark.parametrize(
    ("value", "reason"),
    [(-1, "ms is negative"), (604_800_001, "ms is longer than a week"), (10**400, "longer than a week"),
     (True, "true or false, not a whole number"), ("180000", "text, not a whole number"), (1.5, "not whole"),
     (float("nan"), "not whole"), ([], "a list"), ({}, "an object")],
)  # fmt: skip
def test_anything_else_is_not_a_length(value: object, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        milliseconds({"ms": value}, "ms")


@pytest.mark.parametrize("record", [{}, {"ms": None}])
def test_a_length_that_must_be_there_is_missed(record: dict[str, Any]) -> None:
    with pytest.raises(Malformed, match="ms is missing"):
        known_milliseconds(record, "ms")


@pytest.mark.parametrize("value", [True, False, None])
def test_a_flag_is_yes_no_or_unknown(value: bool | None) -> None:
    assert flag({"skipped": value}, "skipped") is value


@pytest.mark.parametrize("value", [0, 1, "true", [], 1.0])
def test_a_number_or_text_is_not_a_flag(value: object) -> None:
    with pytest.raises(Malformed, match="not true or false"):
        flag({"skipped": value}, "skipped")


@pytest.mark.parametrize(
    ("ms_played", "verdict"), [(0, "too_short"), (29_999, "too_short"), (30_000, "counted"), (None, "counted")]
)
def test_a_play_counts_from_30_seconds_on_or_if_its_length_is_unknown(ms_played: int | None, verdict: str) -> None:
    assert PLAY._replace(ms_played=ms_played).verdict == verdict


def test_the_identity_of_a_play_is_fixed() -> None:
    # Sha256 of "extended_history␞2024-03-14T18:30:00+00:00␞3n3Ppam7vgaVa1iaRUc9Lp␞180000": a stored id never changes.
    assert PLAY.play_id("extended_history") == "4c407be7030858e5f85abf6b2f49a0f648b07718e04b319416dc29570f64f1b7"


def test_names_do_not_matter_where_there_is_an_id() -> None:
    other = PLAY._replace(track_name="Title (Remastered)", artist_name=None, album_name="Album", platform="ios")
    assert other.play_id("s") == PLAY.play_id("s")


@pytest.mark.parametrize(
    "change",
    [{"played_at": PLAY.played_at + timedelta(milliseconds=1)}, {"track_id": SOME_ID[::-1]}, {"ms_played": 180_001},
     {"ms_played": None}, {"ms_played": 0}],
)  # fmt: skip
def test_time_track_and_length_make_a_play_itself(change: dict[str, Any]) -> None:
    assert PLAY._replace(**change).play_id("s") != PLAY.play_id("s")


def test_another_source_reports_another_play() -> None:
    assert PLAY.play_id("extended_history") != PLAY.play_id("spotify_api")


def test_without_an_id_artist_and_title_make_a_play_itself() -> None:
    nameless = PLAY._replace(track_id=None)
    assert nameless.play_id("s") == nameless._replace(album_name="Other").play_id("s")
    assert nameless.play_id("s") != nameless._replace(track_name="Artist", artist_name="Title").play_id("s")


@given(ANY_VALUE)
def test_any_value_is_read_or_refused(value: object) -> None:
    record: dict[str, Any] = {"field": value}
    for read in (text, milliseconds, flag):
        try:
            read(record, "field")
        except Malformed as reason:
            assert str(reason).startswith("field ")
    with pytest.raises(Malformed):
        moment(record, "field", NOW.astimezone(timezone(timedelta(hours=5))), INSTANT)
