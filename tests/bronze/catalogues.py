"""Catalogue files like Kaggle's, and deviating ones."""

import csv
import io
from pathlib import Path

from bronze.delivered.catalogue_files import DELIVERED_COLUMNS

GOOD = {
    "track_id": "5SuOikwiRyPMVoIQDJUgSV", "artists": "Gen Hoshino;Somebody", "album_name": "Comedy",
    "track_name": "Comedy", "popularity": "73", "duration_ms": "230666", "explicit": "False", "danceability": "0.676",
    "energy": "0.461", "key": "1", "loudness": "-6.746", "mode": "0", "speechiness": "0.143", "acousticness": "0.0322",
    "instrumentalness": "1.01e-06", "liveness": "0.358", "valence": "0.715", "tempo": "87.917", "time_signature": "4",
    "track_genre": "acoustic",
}  # fmt: skip
HEADER = ("", *DELIVERED_COLUMNS)


def row(**values: str) -> dict[str, str]:
    """One row: a good one unless values say otherwise."""
    return {**GOOD, **values}


def csv_text(rows: list[dict[str, str]], header: tuple[str, ...] = HEADER, newline: str = "\n") -> str:
    """A file's text; columns that a row does not name get their position."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator=newline)
    writer.writerow(header)
    writer.writerows([values.get(name, str(position)) for name in header] for position, values in enumerate(rows))
    return text.getvalue()


def write_csv(path: Path, rows: list[dict[str, str]], header: tuple[str, ...] = HEADER) -> Path:
    """Write a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(csv_text(rows, header), encoding="utf-8", newline="")
    return path
