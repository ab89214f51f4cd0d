"""Answers of Spotify and ReccoBeats with audio features, which become rows of `my_tracks_features_bronze`."""

import math
from datetime import datetime
from typing import Any

from bronze.delivered.plays import TRACK_ID, Malformed, Record, kind_of
from lakehouse.contract.columns import UNIT_FEATURES

SPOTIFY, RECCOBEATS = "spotify", "reccobeats"
# Field with the list of tracks, by provider.
LISTS = {SPOTIFY: "audio_features", RECCOBEATS: "content"}
# A stored answer's file name begins with this, then the provider.
FILE_KIND = "audio_features"
WHOLE_NUMBERS = {"key": (0, 11), "mode": (0, 1), "time_signature": (0, 7)}
NUMBERS = {**dict.fromkeys(UNIT_FEATURES, (0.0, 1.0)), "loudness": (-100.0, 20.0), "tempo": (0.0, 1000.0)}
KEY_UNDETECTED = -1


def tracks_in(provider: str, answer: object) -> list[Any]:
    """The tracks of an answer, without those that the provider does not know.

    Raises:
        Malformed: it is not such an answer.
    """
    tracks = answer.get(LISTS[provider]) if isinstance(answer, dict) else None
    if not isinstance(tracks, list):
        raise Malformed(f"the answer holds no list `{LISTS[provider]}`")
    return [track for track in tracks if track is not None]


def track_id_of(provider: str, track: object) -> str:
    """Spotify's id of a track; ReccoBeats has ids of its own and gives Spotify's at the end of `href`.

    Raises:
        Malformed: it has none.
    """
    if not isinstance(track, dict):
        raise Malformed(f"the record is {kind_of(track)}, not an object")
    value = track.get("href" if provider == RECCOBEATS else "id")
    track_id = value.rstrip("/").rsplit("/", 1)[-1] if isinstance(value, str) else ""
    if not TRACK_ID.fullmatch(track_id):
        raise Malformed("the record holds no Spotify id")
    return track_id


def read(provider: str, track: Record, fetched_at: datetime) -> dict[str, Any]:
    """One track's row of `my_tracks_features_bronze`.

    Raises:
        Malformed: names the field and what is wrong with it.
    """
    row: dict[str, Any] = {"track_id": track_id_of(provider, track), "provider": provider, "fetched_at": fetched_at}
    isrc = track.get("isrc")
    row["isrc"] = isrc if isinstance(isrc, str) and isrc else None
    for name, (least, most) in NUMBERS.items():
        row[name] = _number(track, name, least, most)
    for name, (lowest, highest) in WHOLE_NUMBERS.items():
        undetected = name == "key" and track.get(name) == KEY_UNDETECTED
        value = None if undetected else _number(track, name, lowest, highest)
        if value is not None and not value.is_integer():
            raise Malformed(f"{name} is no whole number")
        row[name] = None if value is None else int(value)
    return row


def _number(track: Record, name: str, least: float, most: float) -> float | None:
    value = track.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise Malformed(f"{name} is {kind_of(value)}, not a number")
    if not least <= value <= most:
        raise Malformed(f"{name} is not between {least:g} and {most:g}")
    return float(value)
