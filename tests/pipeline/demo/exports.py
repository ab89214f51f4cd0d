"""The demo data's exports, read as a person would read them: records with their verdicts, plays with their tracks."""

import json
import re
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.demo.parameters import Parameters

SESSION_GAP = pd.Timedelta(minutes=30)
REMASTER = re.compile(r" - .*remaster.*$")


def read_catalogue(catalogue: Path) -> pd.DataFrame:
    """The rows of the catalogue file; no artist is an empty text."""
    return pd.read_csv(catalogue, keep_default_na=False)


def read_plays(records: pd.DataFrame, catalogue: pd.DataFrame, parameters: Parameters) -> pd.DataFrame:
    """Counted plays in order of time with session, tier and, if measured, the features of their track."""
    counted = records[records.verdict == "counted"].sort_values("ts", ignore_index=True)
    counted["at"] = pd.to_datetime(counted.ts).dt.tz_convert(parameters["listener"]["time_zone"])
    counted["hour"], counted["is_weekend"] = counted["at"].dt.hour, counted["at"].dt.dayofweek >= 5
    counted["session"] = (counted["at"].diff() > SESSION_GAP).cumsum()
    names = ["spotify_track_uri", "master_metadata_album_artist_name", "master_metadata_track_name"]
    matched = list(map(matcher(catalogue), *(counted[name] for name in names)))
    counted["tier"] = [tier for tier, _ in matched]
    counted["catalogue_id"] = [track_id for _, track_id in matched]
    features = catalogue.drop_duplicates("track_id").set_index("track_id")[parameters["features"]["names"]]
    return counted.join(features, on="catalogue_id")


def measured_plays(plays: pd.DataFrame, moods: list[str]) -> pd.DataFrame:
    """The plays with features, their mood, and the next measured play's mood in the same session."""
    known = plays[plays.catalogue_id.notna()].copy()
    high, low = known[["valence", "energy"]] >= 0.6, known[["valence", "energy"]] < 0.4
    happy, sad = high.valence, low.valence
    corners = [happy & high.energy, happy & low.energy, sad & high.energy, sad & low.energy]
    known["mood"] = np.select(corners, moods[:4], moods[4])
    known["next_mood"] = known.groupby("session").mood.shift(-1)
    return known


def read_records(history: Path) -> pd.DataFrame:
    with zipfile.ZipFile(history) as archive:
        frames = [pd.DataFrame(json.loads(archive.read(name))).assign(file=name) for name in archive.namelist()]
    records = pd.concat([frame.astype(object) for frame in frames], ignore_index=True)
    records["verdict"] = [verdict(record) for record in records.to_dict("records")]
    content = records.drop(columns=["file"]).astype(str).agg("|".join, axis=1)
    records.loc[content.duplicated(), "verdict"] = "duplicate"
    return records


def verdict(record: dict[Any, Any]) -> str:
    if record["spotify_episode_uri"]:
        return "podcast"
    if record["audiobook_uri"]:
        return "audiobook"
    if not record["spotify_track_uri"]:
        return "no_track"
    return "counted" if record["ms_played"] >= 30_000 else "too_short"


def plain(text: str) -> str:
    letters = unicodedata.normalize("NFKD", text.casefold())
    return REMASTER.sub("", "".join(letter for letter in letters if not unicodedata.combining(letter)))


def matcher(catalogue: pd.DataFrame) -> Callable[[str, str, str], tuple[str, str | None]]:
    """A function from (uri, artist, title) to (tier, id of a catalogue track)."""
    ids = set(catalogue.track_id)
    first_artist = catalogue.artists.str.split(";").str[0].map(plain)
    names = zip(first_artist, catalogue.track_name.map(plain), strict=True)
    recordings = dict(zip(names, catalogue.track_id, strict=True))
    artists = set(first_artist)

    def match(uri: str, artist: str, title: str) -> tuple[str, str | None]:
        track_id, recording = uri.removeprefix("spotify:track:"), (plain(artist), plain(title))
        if track_id in ids:
            return "track", track_id
        if recording in recordings:
            return "recording", recordings[recording]
        return ("artist" if plain(artist) in artists else "none"), None

    return match
