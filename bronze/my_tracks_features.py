"""Audio features fetched for the listener's own tracks, by provider."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bronze.delivered.audio_features_api import FILE_KIND, LISTS, read, tracks_in
from bronze.delivered.delivered_files import BadFile, files_at, parts_of, printable
from bronze.delivered.masking import mask_text
from bronze.delivered.plays import Malformed
from bronze.delivered.rejects import LONGEST_RAW_RECORD, Rejected, record_rejects
from lakehouse.contract import accepted_values, in_range, source_table
from lakehouse.contract.columns import UNIT_FEATURES
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import schema_of
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog
from lakehouse.state_files import moment_in

# Bytes; an answer of a hundred tracks has a hundred thousand.
LARGEST_ANSWER = 4 * 2**20

my_tracks_features_bronze = source_table(
    "my_tracks_features_bronze",
    __name__,
    grain="One row per track and provider.",
    key="track_id provider",
    columns=(
        "track_id provider isrc danceability energy key loudness mode speechiness acousticness instrumentalness "
        "liveness valence tempo time_signature fetched_at"
    ),
    checks=[accepted_values("provider", *LISTS), *(in_range(f, 0, 1) for f in UNIT_FEATURES)],
)


def is_features_answer(path: Path) -> bool:
    """Whether a file is an answer with audio features, by its name."""
    return path.name.startswith(tuple(f"{FILE_KIND}_{provider}_" for provider in LISTS)) and path.suffix == ".json"


def import_features(lake: Lake, paths: list[Path], log: RunLog, now: datetime, errors: list[str]) -> int:
    """Append the features in stored answers; per track and provider the first answer stays.

    Args:
        lake: the lake to import into.
        paths: files with `provider`, `fetched_at` and the provider's `answer`.
        log: gets the rejected records.
        now: the current time.
        errors: gets one line per file that is not such an answer.

    Returns:
        The number of tracks added.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        try:
            provider, fetched_at, tracks = _read_answer(path)
        except (BadFile, Malformed) as error:
            errors.append(str(error))
            continue
        rejected = []
        for number, track in enumerate(tracks):
            try:
                row = read(provider, track, fetched_at)
                rows.setdefault((row["track_id"], provider), row)
            except Malformed as reason:
                raw = mask_text(json.dumps(track))[:LONGEST_RAW_RECORD]
                rejected.append(Rejected(number, str(reason), raw))
        record_rejects(log, path.name, rejected, now)
    return _append(lake, list(rows.values()), log) if rows else 0


def _read_answer(path: Path) -> tuple[str, datetime, list[Any]]:
    """The provider of a stored answer, when it was fetched, and its tracks.

    Raises:
        BadFile: the file cannot be read.
        Malformed: it is no such answer.
    """
    not_one = Malformed(printable(f"{path.name} is not an answer with audio features"))
    [file] = [part for file in files_at(path) for part in parts_of(file)]
    with file.open() as stream:
        content = stream.read(LARGEST_ANSWER + 1)
    try:
        stored = json.loads(content) if len(content) <= LARGEST_ANSWER else None
    except (ValueError, RecursionError):
        raise not_one from None
    if not isinstance(stored, dict):
        raise not_one
    provider, fetched_at = str(stored.get("provider")), moment_in(stored, "fetched_at")
    if provider not in LISTS or fetched_at is None:
        raise not_one
    try:
        return provider, fetched_at, tracks_in(provider, stored.get("answer"))
    except Malformed:
        raise not_one from None


def _append(lake: Lake, rows: list[dict[str, Any]], log: RunLog) -> int:
    schema = schema_of(my_tracks_features_bronze)
    frame = lake.spark.createDataFrame([tuple(row[name] for name in schema.names) for row in rows], schema)
    known = lake.read(my_tracks_features_bronze).select("track_id", "provider")
    new_rows = frame.join(known, on=["track_id", "provider"], how="left_anti").select(*schema.names)
    state = lake.state(my_tracks_features_bronze)
    rows_before = state.provenance.rows if state else 0
    if not new_rows.take(1):
        return 0
    written = lake.append(my_tracks_features_bronze, new_rows, Provenance(log.run_id), rows_before=rows_before)
    return written.state.provenance.rows - rows_before
