"""Demo data: a made-up catalogue and a made-up listener, to try everything out without anyone's real data.

The truths planted in it stand in `parameters.toml`, so that tests can compare what the tables find.
"""

import csv
import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakehouse.state_files import atomic_file
from pipeline.demo.catalogue import Catalogue, Track, build_catalogue
from pipeline.demo.history import build_history
from pipeline.demo.names import Ids, Names
from pipeline.demo.parameters import Parameters, load_parameters
from pipeline.demo.records import Record

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
    """Write a made-up catalogue and a made-up listening history, in place of any earlier ones.

    Equal seeds give equal bytes.

    Args:
        directory: folder to write to; created when missing.
        seed: of all random draws; None for that of the parameter file.

    Raises:
        NotADirectoryError: `directory` is a file.
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
    _write_if_changed(written.catalogue, _catalogue_csv(catalogue))
    _write_if_changed(written.history, _history_zip(parameters, audio_files, video_file))
    return written


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


def _write_if_changed(path: Path, content: bytes) -> None:
    """Write a file, unless it has this very content: a new modification time would make a run import it again."""
    if path.is_file() and path.read_bytes() == content:
        return
    with atomic_file(path) as stream:
        stream.write(content)
