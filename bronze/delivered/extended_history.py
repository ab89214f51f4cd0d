"""The extended streaming history of Spotify's privacy export: audio, video and the older `endsong_*` files."""

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
    flag,
    known_milliseconds,
    moment,
    text,
)

SOURCE = "extended_history"
TRACK_URI, LOCAL_FILE_URI = "spotify:track:", "spotify:local:"


def recognises(record: Record) -> bool:
    """Whether a file with this record is an extended history."""
    return "ts" in record and "ms_played" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """Read one record, without IP address, user agent and user name, which must not enter the lake.

    Raises:
        Malformed: names the field and what is wrong with it.
    """
    played_at = moment(record, "ts", now, INSTANT)
    if text(record, "spotify_episode_uri") or text(record, "episode_name"):
        return Excluded(PODCAST, played_at)
    if text(record, "audiobook_uri") or text(record, "audiobook_title"):
        return Excluded(AUDIOBOOK, played_at)
    track_id = _track_id(text(record, "spotify_track_uri"))
    name, artist = text(record, "master_metadata_track_name"), text(record, "master_metadata_album_artist_name")
    if not track_id and not (name and artist):
        return Excluded(NO_TRACK, played_at)
    return Play(
        played_at=played_at,
        track_id=track_id,
        track_name=name,
        artist_name=artist,
        album_name=text(record, "master_metadata_album_album_name"),
        ms_played=known_milliseconds(record, "ms_played"),
        reason_start=text(record, "reason_start"),
        reason_end=text(record, "reason_end"),
        skipped=flag(record, "skipped"),
        shuffle=flag(record, "shuffle"),
        offline=flag(record, "offline"),
        incognito=flag(record, "incognito_mode"),
        platform=text(record, "platform"),
    )


def _track_id(uri: str | None) -> str | None:
    """The id in a track's URI; a local file has none."""
    if uri is None or uri.startswith(LOCAL_FILE_URI):
        return None
    track_id = uri.removeprefix(TRACK_URI)
    if track_id == uri or not TRACK_ID.fullmatch(track_id):
        raise Malformed(f"spotify_track_uri {uri[:60]!r} is not like {TRACK_URI}...")
    return track_id
