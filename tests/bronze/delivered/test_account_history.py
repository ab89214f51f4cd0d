"""The short account history: what each record becomes."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given

from bronze.delivered.account_history import read, recognises
from bronze.delivered.plays import Excluded, Malformed, Play
from tests.bronze.records import NOW, PERSONAL, account, api_item, assert_storable, broken_records, extended, without

AT = datetime(2024, 3, 14, 18, 30, tzinfo=UTC)


def test_a_record_becomes_a_play_without_id() -> None:
    assert read(account(), NOW) == Play(AT, None, "Mr. Brightside", "The Killers", ms_played=180_000)


def test_it_is_known_by_two_of_its_fields() -> None:
    assert recognises(account())
    assert not recognises(extended())
    assert not recognises(api_item())


def test_a_podcast_file_holds_podcasts() -> None:
    record = {"endTime": "2024-03-14 18:30", "podcastName": "Show", "episodeName": "Part 1", "msPlayed": 5}
    assert read(record, NOW) == Excluded("podcast", AT)


def test_an_audiobook_file_holds_audiobooks() -> None:
    record = {
        "endTime": "2024-03-14 18:30",
        "audiobookName": "Book",
        "authorName": "A",
        "chapterName": "1",
        "msPlayed": 5,
    }
    assert read(record, NOW) == Excluded("audiobook", AT)


@pytest.mark.parametrize("field", ["artistName", "trackName"])
@pytest.mark.parametrize("value", [None, "", " "])
def test_without_a_name_there_is_no_track(field: str, value: str | None) -> None:
    assert read(account(**{field: value}), NOW) == Excluded("no_track", AT)


def test_the_time_has_no_seconds() -> None:
    with pytest.raises(Malformed, match="endTime '2024-03-14T18:30:00Z' is not a time like 2024-03-14 18:30"):
        read(account("2024-03-14T18:30:00Z"), NOW)


@pytest.mark.parametrize("field", ["endTime", "msPlayed"])
def test_time_and_length_must_be_there(field: str) -> None:
    with pytest.raises(Malformed, match=f"{field} is missing"):
        read(without(account(), field), NOW)


@pytest.mark.parametrize(
    ("field", "value"), [("msPlayed", 1.5), ("msPlayed", True), ("artistName", 1), ("trackName", [])]
)
def test_a_wrong_type_names_the_field(field: str, value: object) -> None:
    with pytest.raises(Malformed, match=f"^{field} is"):
        read(account(**{field: value}), NOW)


@given(broken_records(account(**PERSONAL)))
def test_any_record_ends_as_a_play_a_verdict_or_a_refusal(record: dict[str, Any]) -> None:
    try:
        outcome = read(record, NOW)
    except Malformed:
        return
    if isinstance(outcome, Play):
        assert_storable(outcome)
