"""Demo data: a made-up catalogue and made-up listeners, to try everything out without anyone's real data.

The truths planted in it stand in `parameters.toml`, so that tests can compare what the tables find.
"""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lakehouse.errors import UsageError
from lakehouse.state_files import atomic_file
from pipeline.demo.catalogue import Catalogue, Track, build_catalogue
from pipeline.demo.history import build_history
from pipeline.demo.names import Ids, Names
from pipeline.demo.parameters import Parameters, load_parameters, of_others
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
    """The files of a demo.

    Attributes:
        catalogue: the tracks with their features.
        history: the first listener's export.
        others: those of further listeners by name, each in a folder of that name.
    """

    catalogue: Path
    history: Path
    others: Mapping[str, Path]


def write_demo_data(directory: Path, *, seed: int | None = None, listeners: int = 1) -> DemoFiles:
    """Write a made-up catalogue and made-up listening histories, in place of any earlier ones.

    Equal seeds give equal bytes; the first listener's are the same, however many there are.

    Args:
        directory: folder to write to; created when missing.
        seed: of all random draws; None for that of the parameter file.
        listeners: how many people listen.

    Raises:
        UsageError: the parameter file does not have that many listeners.
        NotADirectoryError: `directory` is a file.
    """
    parameters = load_parameters()
    others = of_others(parameters)
    if not 1 <= listeners <= 1 + len(others):
        raise UsageError(f"the demo data has 1 to {1 + len(others)} listeners, not {listeners}")
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is a file; name a folder for the demo data")
    directory.mkdir(parents=True, exist_ok=True)
    demo = parameters["demo"]
    seeds = np.random.SeedSequence(demo["default_seed"] if seed is None else seed).spawn(2 + listeners)
    name_rng, catalogue_rng, *listener_rngs = (np.random.default_rng(child) for child in seeds)
    names, ids = Names(parameters, name_rng), Ids(parameters)
    catalogue = build_catalogue(parameters, names, ids, catalogue_rng)
    catalogue_file = directory / demo["catalogue_file"]
    _write_if_changed(catalogue_file, _catalogue_csv(catalogue))
    histories = {}
    # One after the other: they take names and ids from the same stock.
    for (name, planted), rng in zip({"": parameters, **others}.items(), listener_rngs, strict=False):
        audio_files, video_file = build_history(planted, catalogue, names, ids, rng)
        histories[name] = directory / name / demo["history_file"]
        histories[name].parent.mkdir(exist_ok=True)
        _write_if_changed(histories[name], _history_zip(planted, audio_files, video_file))
    return DemoFiles(catalogue_file, histories.pop(""), histories)


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
