"""The short streaming history of Spotify's account export: names without ids, times without seconds."""

from datetime import datetime

from bronze.plays import Excluded, Malformed, Play, Record, milliseconds, moment, text

SOURCE = "account_history"
TIME_FORMAT = "%Y-%m-%d %H:%M"


def recognises(record: Record) -> bool:
    """Whether a file whose first record is this one is a short account history."""
    return "endTime" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """One record.

    Raises:
        Malformed: says which field is wrong and how.
    """
    played_at = moment(record, "endTime", now, TIME_FORMAT)
    if "podcastName" in record or "episodeName" in record:
        return Excluded("podcast", played_at)
    name, artist = text(record, "trackName"), text(record, "artistName")
    if not name or not artist:
        return Excluded("no_track", played_at)
    ms_played = milliseconds(record, "msPlayed")
    if ms_played is None:
        raise Malformed("msPlayed is missing")
    return Play(played_at=played_at, track_id=None, track_name=name, artist_name=artist, ms_played=ms_played)
