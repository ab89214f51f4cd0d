"""What a delivered record becomes: a play, a verdict without a row, or a rejection."""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]

# Spotify opened in October 2008; an earlier stop time is a broken clock.
EARLIEST_PLAY = datetime(2008, 10, 1, tzinfo=UTC)
# Clocks of devices run ahead by some hours, never by days.
LATEST_AHEAD = timedelta(days=1)
LONGEST_PLAY_MS = 7 * 24 * 3600 * 1000
# Spotify counts a stream from 30 seconds on.
SHORTEST_COUNTED_MS = 30_000
TRACK_URI = re.compile(r"spotify:track:([0-9A-Za-z]{22})")


class Malformed(Exception):
    """A record that cannot be read; the message says why."""


@dataclass(frozen=True)
class Excluded:
    """A record that is no play of a track: 'podcast', 'audiobook' or 'no_track'."""

    verdict: str
    played_at: datetime | None


@dataclass(frozen=True)
class Play:
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
    def started_at(self) -> datetime | None:
        """When the play started, None where its length is unknown; pauses make it earlier than this."""
        return None if self.ms_played is None else self.played_at - timedelta(milliseconds=self.ms_played)

    @property
    def verdict(self) -> str:
        """'counted', or 'too_short'; an unknown length counts."""
        return "too_short" if self.ms_played is not None and self.ms_played < SHORTEST_COUNTED_MS else "counted"

    def play_id(self, source: str) -> str:
        """Sha256 of what makes this play itself; equal however the file is called."""
        track = self.track_id or f"{self.artist_name}\x1f{self.track_name}"
        length = "" if self.ms_played is None else str(self.ms_played)
        parts = (source, self.played_at.isoformat(), track, length)
        return hashlib.sha256("\x1e".join(parts).encode()).hexdigest()


def moment(record: Record, field: str, now: datetime, *formats: str) -> datetime:
    """A UTC instant from a text field.

    Raises:
        Malformed: it is missing, in another format, before Spotify existed or in the future.
    """
    text = record.get(field)
    if not isinstance(text, str):
        raise Malformed(f"{field} is {kind_of(text)}, not a time")
    for pattern in formats:
        try:
            found = datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
        if not EARLIEST_PLAY <= found <= now + LATEST_AHEAD:
            raise Malformed(f"{field} {text[:40]!r} is before Spotify existed or in the future")
        return found
    raise Malformed(f"{field} {text[:40]!r} is not a time like {formats[0]}")


def text(record: Record, field: str) -> str | None:
    """A text field without characters that are no text; null or blank is None."""
    value = record.get(field)
    if value is None:
        return None
    if not isinstance(value, str):
        raise Malformed(f"{field} is {kind_of(value)}, not text")
    # Lone surrogates and NUL cannot be stored as UTF-8 text.
    cleaned = value.replace("\x00", "").encode("utf-8", "replace").decode()
    return cleaned if cleaned.strip() else None


def milliseconds(record: Record, field: str) -> int | None:
    """A length; null is None.

    Raises:
        Malformed: no whole number, negative, or longer than a week.
    """
    value = record.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise Malformed(f"{field} is {kind_of(value)}, not a whole number")
    if not 0 <= value <= LONGEST_PLAY_MS:
        raise Malformed(f"{field} {value} is negative or longer than a week")
    return value


def flag(record: Record, field: str) -> bool | None:
    """A yes or no; null is None."""
    value = record.get(field)
    if value is not None and not isinstance(value, bool):
        raise Malformed(f"{field} is {kind_of(value)}, not true or false")
    return value


def kind_of(value: object) -> str:
    """A value's kind in plain words, for messages."""
    if value is None:
        return "missing"
    return {bool: "true or false", int: "a number", str: "text", list: "a list", dict: "an object"}.get(
        type(value), "a number with a fraction"
    )
