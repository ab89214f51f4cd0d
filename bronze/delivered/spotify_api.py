"""Answers of Spotify's Web API to "recently played", from a file or just received."""

from datetime import datetime

from bronze.delivered.plays import (
    AUDIOBOOK,
    INSTANT,
    NO_TRACK,
    PODCAST,
    TRACK_ID,
    Excluded,
    Malformed,
    Play,
    Record,
    kind_of,
    milliseconds,
    moment,
    text,
)

SOURCE = "spotify_api"
# Verdicts of items that are not tracks, by type.
OTHER_TYPES = {"episode": PODCAST, "chapter": AUDIOBOOK}


def recognises(record: Record) -> bool:
    """Whether an answer with this item lists recently played tracks."""
    return "played_at" in record and "track" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """Read one item of an answer; the API does not give the length of a play.

    Raises:
        Malformed: names the field and what is wrong with it.
    """
    played_at = moment(record, "played_at", now, INSTANT)
    track = _object(record, "track")
    kind = text(track, "type") or "track"
    if kind in OTHER_TYPES:
        return Excluded(OTHER_TYPES[kind], played_at)
    if kind != "track":
        raise Malformed(f"track.type {kind[:40]!r} is not known")
    track_id, name, artist = text(track, "id"), text(track, "name"), _first_artist(track)
    if track_id and not TRACK_ID.fullmatch(track_id):
        raise Malformed(f"track.id {track_id[:40]!r} is no Spotify id")
    if not track_id and not (name and artist):
        return Excluded(NO_TRACK, played_at)
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
    artists = track.get("artists")
    if artists is None or artists == []:
        return None
    if not isinstance(artists, list) or not isinstance(artists[0], dict):
        raise Malformed(f"artists is {kind_of(artists)}, not a list of objects")
    return text(artists[0], "name")


def _object(record: Record, field: str) -> Record:
    """A nested object; null becomes an empty one."""
    value = record.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{field} is {kind_of(value)}, not an object")
    return value
