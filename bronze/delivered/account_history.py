"""The short streaming history of Spotify's account export: names without ids, times without seconds."""

from datetime import datetime

from bronze.delivered.plays import (
    AUDIOBOOK,
    MINUTE,
    NO_TRACK,
    PODCAST,
    Excluded,
    Play,
    Record,
    known_milliseconds,
    moment,
    text,
)

SOURCE = "account_history"
PODCAST_FIELDS = ("podcastName", "episodeName")
AUDIOBOOK_FIELDS = ("audiobookName", "authorName", "chapterName")


def recognises(record: Record) -> bool:
    """Whether a file with this record is a short account history."""
    return "endTime" in record and "msPlayed" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """Read one record.

    Raises:
        Malformed: names the field and what is wrong with it.
    """
    played_at = moment(record, "endTime", now, MINUTE)
    if any(field in record for field in PODCAST_FIELDS):
        return Excluded(PODCAST, played_at)
    if any(field in record for field in AUDIOBOOK_FIELDS):
        return Excluded(AUDIOBOOK, played_at)
    name, artist = text(record, "trackName"), text(record, "artistName")
    if not name or not artist:
        return Excluded(NO_TRACK, played_at)
    return Play(
        played_at=played_at,
        track_id=None,
        track_name=name,
        artist_name=artist,
        ms_played=known_milliseconds(record, "msPlayed"),
    )
