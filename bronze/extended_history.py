"""The extended streaming history of Spotify's privacy export: audio, video and the older `endsong_*` files."""

from datetime import datetime

from bronze.plays import TRACK_URI, Excluded, Malformed, Play, Record, flag, milliseconds, moment, text

SOURCE = "extended_history"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def recognises(record: Record) -> bool:
    """Whether a file whose first record is this one is an extended history."""
    return "ts" in record


def read(record: Record, now: datetime) -> Play | Excluded:
    """One record. IP address, user agent and user name are never looked at, so they cannot get further.

    Raises:
        Malformed: says which field is wrong and how.
    """
    played_at = moment(record, "ts", now, TIME_FORMAT)
    if text(record, "spotify_episode_uri") or text(record, "episode_name"):
        return Excluded("podcast", played_at)
    if text(record, "audiobook_uri") or text(record, "audiobook_title"):
        return Excluded("audiobook", played_at)
    uri, name = text(record, "spotify_track_uri"), text(record, "master_metadata_track_name")
    track = TRACK_URI.fullmatch(uri) if uri else None
    if uri and not track and not uri.startswith("spotify:local:"):
        raise Malformed(f"spotify_track_uri {uri[:60]!r} is not like spotify:track:...")
    artist = text(record, "master_metadata_album_artist_name")
    if not track and not (name and artist):
        return Excluded("no_track", played_at)
    ms_played = milliseconds(record, "ms_played")
    if ms_played is None:
        raise Malformed("ms_played is missing")
    return Play(
        played_at=played_at,
        track_id=track.group(1) if track else None,
        track_name=name,
        artist_name=artist,
        album_name=text(record, "master_metadata_album_album_name"),
        ms_played=ms_played,
        reason_start=text(record, "reason_start"),
        reason_end=text(record, "reason_end"),
        skipped=flag(record, "skipped"),
        shuffle=flag(record, "shuffle"),
        offline=flag(record, "offline"),
        incognito=flag(record, "incognito_mode"),
        platform=text(record, "platform"),
    )
