"""What a delivered record becomes: a play, an excluded record, or an error; and the verdicts of the import audit."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

Record: TypeAlias = dict[str, Any]

# Every imported record gets one of these verdicts. The first two are plays, which become rows.
COUNTED, TOO_SHORT = "counted", "too_short"
PODCAST, AUDIOBOOK, NO_TRACK = "podcast", "audiobook", "no_track"
DUPLICATE, MALFORMED = "duplicate", "malformed"
PLAY_VERDICTS = (COUNTED, TOO_SHORT)
VERDICTS = (*PLAY_VERDICTS, PODCAST, AUDIOBOOK, DUPLICATE, NO_TRACK, MALFORMED)

# Spotify opened in October 2008; an earlier stop time comes from a wrong clock.
EARLIEST_PLAY = datetime(2008, 10, 1, tzinfo=UTC)
# Clocks of devices run ahead by hours, not by days.
LATEST_AHEAD = timedelta(days=1)
LONGEST_PLAY_MS = 7 * 24 * 3600 * 1000
# Spotify counts a stream from 30 seconds on.
SHORTEST_COUNTED_MS = 30_000
# Names have some dozen characters; a longer text is not a name.
LONGEST_TEXT = 4_000
TRACK_ID = re.compile(r"[0-9A-Za-z]{22}")


class Malformed(Exception):
    """A record that cannot be read; the message says why."""


@dataclass(frozen=True)
class Excluded:
    """A record that is not a play of a track; its verdict is PODCAST, AUDIOBOOK or NO_TRACK."""

    verdict: str
    played_at: datetime


class Play(NamedTuple):
    """One reported play. Times are UTC, lengths in milliseconds; None is unknown."""

    played_at: datetime
    track_id: str | None
    track_name: str | None
    artist_name: str | None
    album_name: str | None = None
    isrc: str | None = None
    duration_ms: int | None = None
    ms_played: int | None = None
    reason_start: str | None = None
    reason_end: str | None = None
    skipped: bool | None = None
    shuffle: bool | None = None
    offline: bool | None = None
    incognito: bool | None = None
    platform: str | None = None

    @property
    def verdict(self) -> str:
        """COUNTED or TOO_SHORT; a play of unknown length counts."""
        return TOO_SHORT if self.ms_played is not None and self.ms_played < SHORTEST_COUNTED_MS else COUNTED

    def play_id(self, source: str) -> str:
        """SHA-256 of source, time, track and length; the file's name does not matter."""
        track = self.track_id or f"{self.artist_name}\x1f{self.track_name}"
        length = "" if self.ms_played is None else self.ms_played
        return hashlib.sha256(f"{source}\x1e{self.played_at.isoformat()}\x1e{track}\x1e{length}".encode()).hexdigest()


class TimeFormat(NamedTuple):
    """The format of a source's times, which are UTC."""

    pattern: re.Pattern[str]
    example: str


INSTANT = TimeFormat(re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z", re.ASCII), "2024-03-14T18:30:00Z")
MINUTE = TimeFormat(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d", re.ASCII), "2024-03-14 18:30")


def moment(record: Record, field: str, now: datetime, time_format: TimeFormat) -> datetime:
    """A UTC instant from a text field.

    Raises:
        Malformed: it is missing, in another format, before Spotify existed or in the future.
    """
    value = record.get(field)
    if not isinstance(value, str):
        raise Malformed(f"{field} is {kind_of(value)}, not a time")
    try:
        if not time_format.pattern.fullmatch(value):
            raise ValueError(value)
        instant = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        raise Malformed(f"{field} {value[:40]!r} is not a time like {time_format.example}") from None
    if not EARLIEST_PLAY <= instant <= now + LATEST_AHEAD:
        raise Malformed(f"{field} {value!r} is before Spotify existed or in the future")
    return instant


def text(record: Record, field: str) -> str | None:
    """A text field, without characters that UTF-8 cannot store; null or blank is None.

    Raises:
        Malformed: it is not text, or longer than any name.
    """
    value = record.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{field} is {kind_of(value)}, not text")
    if len(value) > LONGEST_TEXT:
        raise Malformed(f"{field} has {len(value)} characters, more than {LONGEST_TEXT}")
    # Lone surrogates and NUL cannot be stored as UTF-8 text.
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    if "\x00" in value:
        value = value.replace("\x00", "")
    return value if value and not value.isspace() else None


def milliseconds(record: Record, field: str) -> int | None:
    """A length in milliseconds; null is None.

    Raises:
        Malformed: it is not a whole number, negative, or longer than a week.
    """
    value = record.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{field} is {kind_of(value)}, not a whole number")
    if not 0 <= value <= LONGEST_PLAY_MS:
        raise Malformed(f"{field} is {'negative' if value < 0 else 'longer than a week'}")
    return value


def known_milliseconds(record: Record, field: str) -> int:
    """A length in milliseconds that must be present.

    Raises:
        Malformed: it is missing or not a length.
    """
    length = milliseconds(record, field)
    if length is None:
        raise Malformed(f"{field} is missing")
    return length


def flag(record: Record, field: str) -> bool | None:
    """A boolean field; null is None.

    Raises:
        Malformed: it is neither true nor false.
    """
    value = record.get(field)
    if value is None or isinstance(value, bool):
        return value
    raise Malformed(f"{field} is {kind_of(value)}, not true or false")


def kind_of(value: object) -> str:
    """A JSON value's type in plain words, for messages."""
    if value is None:
        return "missing"
    return {bool: "true or false", int: "a number", str: "text", list: "a list", dict: "an object"}.get(
        type(value), "a number that is not whole or too large"
    )
