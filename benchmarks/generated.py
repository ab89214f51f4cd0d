"""Catalogues and listening histories of any size, made of a real or made-up catalogue's tracks."""

import json
import string
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lakehouse.contract.columns import UNIT_FEATURES

SEED = 11
PLAYS_PER_DAY = 40
# No longer than people can have listened; where there are more plays, each day has more.
MAX_DAYS = 15 * 365
# Four tracks in five are not in the catalogue, as with real listeners; half of those are by its artists.
IN_CATALOGUE, BY_ITS_ARTISTS = 0.2, 0.6
# Few tracks are played often, most once or twice.
DISTINCT_SHARE = 0.35
RECORDS_PER_FILE = 16_000
# Copies of a track sound alike, not the same.
SPREAD = 0.05
ID_CHARACTERS = np.array(list(string.ascii_letters + string.digits))
LAST_PLAY = datetime(2026, 3, 1, tzinfo=UTC)
DAY_SECONDS = 86_400


def write_catalogue(file: Path, catalogue: Path, tracks: int) -> None:
    """Write a catalogue of so many rows: a smaller one, and copies of its tracks under other ids, names and artists.

    Args:
        file: the csv file to write.
        catalogue: the smaller one's csv or csv.gz file.
        tracks: at least 1.
    """
    random = np.random.default_rng(SEED)
    original = pd.read_csv(catalogue, index_col=0)
    for number in range(-(-tracks // len(original))):
        part = original.head(tracks - number * len(original)).copy()
        if number:
            part["track_id"] = _track_ids(len(part), random)
            part["track_name"] += f" No {number}"
            # Every other copy is by artists of its own.
            part["artists"] += f" {number}" if number % 2 else ""
            for name in UNIT_FEATURES:
                part[name] = (part[name] + random.normal(0, SPREAD, len(part))).clip(0, 1)
        part.index += number * len(original)
        part.to_csv(file, mode="a" if number else "w", header=not number)


def write_history(folder: Path, catalogue: Path, plays: int, *, listener: int = 0) -> None:
    """Write an extended streaming history of so many counted plays that end on `LAST_PLAY`.

    Args:
        folder: gets Streaming_History_Audio_*.json.
        catalogue: the catalogue's csv or csv.gz file.
        plays: at least 1.
        listener: another number is another listener.
    """
    # Another than the catalogue's: strangers would have ids of its tracks.
    random = np.random.default_rng(SEED + 1 + listener)
    tracks = _tracks(catalogue, max(1, round(plays * DISTINCT_SHARE)), random, SEED + listener)
    weights = 1 / np.arange(1, len(tracks) + 1) ** 0.8
    chosen = random.choice(len(tracks), plays, p=weights / weights.sum())
    days = min(max(1, plays // PLAYS_PER_DAY), MAX_DAYS)
    seconds = np.sort(random.integers(0, DAY_SECONDS * days, plays))
    # Within eight hours of each day: a session ends some time, however many plays there are.
    seconds -= seconds % DAY_SECONDS * 2 // 3
    instants = int(LAST_PLAY.timestamp()) - seconds[::-1]
    lengths = random.integers(30_000, 300_000, plays)
    for start in range(0, plays, RECORDS_PER_FILE):
        part = slice(start, start + RECORDS_PER_FILE)
        records = [
            _record(tracks[track], int(instant), int(length))
            for track, instant, length in zip(chosen[part], instants[part], lengths[part], strict=True)
        ]
        file = folder / f"Streaming_History_Audio_{start // RECORDS_PER_FILE}.json"
        file.write_text(json.dumps(records), encoding="utf-8")


def write_more(folder: Path, plays: int) -> None:
    """Write one more file: plays of tracks that were heard before, after all that `write_history` wrote."""
    heard = json.loads((folder / "Streaming_History_Audio_0.json").read_text(encoding="utf-8"))[:plays]
    later = [
        {**record, "ts": _instant(int(LAST_PLAY.timestamp()) + 200 * (number + 1))}
        for number, record in enumerate(heard)
    ]
    (folder / "Streaming_History_Audio_more.json").write_text(json.dumps(later), encoding="utf-8")


def _tracks(catalogue: Path, wanted: int, random: np.random.Generator, seed: int) -> list[tuple[str, str, str, str]]:
    """Ids, names, artists and albums; of strangers the id and the name are made up."""
    known = pd.read_csv(catalogue, usecols=["track_id", "artists", "album_name", "track_name"]).dropna()
    known = known.drop_duplicates("track_id")
    known = known.sample(min(wanted, len(known)), random_state=seed)
    rows = known.to_dict("records")
    kinds, strangers = random.random(wanted), _track_ids(wanted, random)
    tracks = []
    for number, kind in enumerate(kinds):
        row = rows[number % len(rows)]
        artist = str(row["artists"]).split(";")[0]
        if kind < IN_CATALOGUE:
            tracks.append((row["track_id"], row["track_name"], artist, row["album_name"]))
        else:
            by = artist if kind < BY_ITS_ARTISTS else f"Stranger {number % 5_000}"
            tracks.append((strangers[number], f"Untold {number}", by, f"Album {number // 10}"))
    return tracks


def _track_ids(count: int, random: np.random.Generator) -> list[str]:
    return ["".join(characters) for characters in random.choice(ID_CHARACTERS, (count, 22))]


def _record(track: tuple[str, str, str, str], instant: int, length: int) -> dict[str, Any]:
    track_id, name, artist, album = track
    return {
        "ts": _instant(instant), "platform": "android", "ms_played": length, "conn_country": "US",
        "master_metadata_track_name": name, "master_metadata_album_artist_name": artist,
        "master_metadata_album_album_name": album, "spotify_track_uri": f"spotify:track:{track_id}",
        "reason_start": "trackdone", "reason_end": "trackdone", "shuffle": False, "skipped": False, "offline": False,
        "offline_timestamp": None, "incognito_mode": False,
    }  # fmt: skip


def _instant(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
