"""Demo data: an invented catalogue and an invented listener, to try everything out without anybody's data.

What is true of them is planted in `demo_parameters.toml`: what the tables find can be held against it.
"""

import csv
import io
import json
import os
import tomllib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np

from pipeline.demo.catalogue import Catalogue, Ids, Names, Parameters, Track, build_catalogue
from pipeline.demo.history import Record, build_history

CSV_HEADER = (
    "",
    "track_id",
    "artists",
    "album_name",
    "track_name",
    "popularity",
    "duration_ms",
    "explicit",
    "danceability",
    "energy",
    "key",
    "loudness",
    "mode",
    "speechiness",
    "acousticness",
    "instrumentalness",
    "liveness",
    "valence",
    "tempo",
    "time_signature",
    "track_genre",
)  # the first column, a row index, has no name in the Kaggle file either
MEMBER_MODE = 0o644  # permissions of the files in the zip


@dataclass(frozen=True)
class DemoFiles:
    """The two files of a demo: the catalogue and the listener's export."""

    catalogue: Path
    history: Path


def write_demo_data(directory: Path, *, seed: int | None = None) -> DemoFiles:
    """Writes an invented catalogue and an invented listening history.

    Equal seeds give equal bytes. Existing demo files are replaced.

    Args:
        directory: Folder to write to; it is made if it does not exist.
        seed: Seed of all random draws; the one of the parameter file if not given.

    Returns:
        The paths of the two files.

    Raises:
        NotADirectoryError: If `directory` is a file.
    """
    parameters = load_parameters()
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is a file; name a folder for the demo data")
    directory.mkdir(parents=True, exist_ok=True)
    demo = parameters["demo"]
    seeds = np.random.SeedSequence(demo["default_seed"] if seed is None else seed).spawn(3)
    name_rng, catalogue_rng, history_rng = (np.random.default_rng(child) for child in seeds)
    names, ids = Names(parameters, name_rng), Ids(parameters)
    catalogue = build_catalogue(parameters, names, ids, catalogue_rng)
    audio_files, video_file = build_history(parameters, catalogue, names, ids, history_rng)
    written = DemoFiles(directory / demo["catalogue_file"], directory / demo["history_file"])
    _write_atomically(written.catalogue, _catalogue_csv(catalogue))
    _write_atomically(written.history, _history_zip(parameters, audio_files, video_file))
    return written


def load_parameters() -> Parameters:
    """Returns the parameters of the demo data, which are also the truths planted in it."""
    text = files("pipeline.demo").joinpath("parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _catalogue_csv(catalogue: Catalogue) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    writer.writerows(_csv_row(index, track) for index, track in enumerate(catalogue.rows))
    return text.getvalue().encode()


def _csv_row(index: int, track: Track) -> list[object]:
    values: dict[str, object] = {
        "": index,
        "track_id": track.track_id,
        "artists": ";".join(track.artists),
        "album_name": track.album,
        "track_name": track.title,
        "popularity": track.popularity,
        "duration_ms": track.duration_ms,
        "explicit": track.explicit,
        "key": track.key,
        "mode": track.mode,
        "time_signature": track.time_signature,
        "track_genre": track.genre,
        **track.features,
    }
    return [values[column] for column in CSV_HEADER]


def _history_zip(parameters: Parameters, audio_files: Sequence[list[Record]], video_file: list[Record]) -> bytes:
    demo, listener = parameters["demo"], parameters["listener"]
    years = f"{listener['first_date'].year}-{listener['last_date'].year}"
    members = {
        demo["audio_name"].format(years=years, part=part): records for part, records in enumerate(audio_files, 1)
    }
    members[demo["video_name"].format(years=years)] = video_file
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, records in members.items():
            member = zipfile.ZipInfo(f"{demo['history_folder']}/{name}", tuple(demo["zip_member_time"]))
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = MEMBER_MODE << 16  # where a zip keeps Unix permissions
            archive.writestr(member, json.dumps(records, ensure_ascii=False))
    return content.getvalue()


def _write_atomically(path: Path, content: bytes) -> None:
    """Writes beside the target and renames, so that nobody ever reads half a file.

    What holds this content already is left alone: a run would take it for a new delivery.
    """
    if path.is_file() and path.read_bytes() == content:
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
