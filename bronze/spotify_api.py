"""Answers of Spotify's Web API to "recently played", recorded or live."""

import re
from datetime import datetime
from typing import Any

from bronze.plays import Excluded, Malformed, Play, Record, kind_of, milliseconds, moment, text

SOURCE = "spotify_api"
TIME_FORMATS = ("%Y-%m-%dT%H:%M:%S.%fZ", "%Y-%m-%dT%H:%M:%SZ")
TRACK_ID = re.compile(r"[0-9A-Za-z]{22}")


def recognises(record: Record) -> bool:
    """Whether an answer whose first item is this one lists recently played tracks."""
    return "played_at" in record and "track" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """One item of the answer. The API does not say how long a play lasted.

    Raises:
        Malformed: says which field is wrong and how.
    """
    played_at = moment(record, "played_at", now, *TIME_FORMATS)
    track = record.get("track")
    if track is None:
        return Excluded("no_track", played_at)
    if not isinstance(track, dict):
        raise Malformed(f"track is {kind_of(track)}, not an object")
    if track.get("type", "track") != "track":
        return Excluded("podcast", played_at)
    track_id, name = text(track, "id"), text(track, "name")
    if track_id and not TRACK_ID.fullmatch(track_id):
        raise Malformed(f"track.id {track_id[:40]!r} is no Spotify id")
    artist = _first_artist(track)
    if not track_id and not (name and artist):
        return Excluded("no_track", played_at)
    return Play(
        played_at=played_at,
        track_id=track_id,
        track_name=name,
        artist_name=artist,
        album_name=text(_object(track, "album"), "name"),
        isrc=text(_object(track, "external_ids"), "isrc"),
        duration_ms=milliseconds(track, "duration_ms"),
    )


def _first_artist(track: Record) -> str | None:
    artists = track.get("artists") or []
    if not isinstance(artists, list) or (artists and not isinstance(artists[0], dict)):
        raise Malformed(f"track.artists is {kind_of(artists)}, not a list of artists")
    return text(artists[0], "name") if artists else None


def _object(record: Record, field: str) -> dict[str, Any]:
    value = record.get(field) or {}
    if not isinstance(value, dict):
        raise Malformed(f"{field} is {kind_of(value)}, not an object")
    return value
