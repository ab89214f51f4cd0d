"""Audio features fetched for the listener's own tracks, by provider."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from bronze.delivered.audio_features_api import FILE_KIND, LISTS, read, tracks_in
from bronze.delivered.masking import masked_text
from bronze.delivered.plays import Malformed
from lakehouse.contract import accepted_values, in_range, source_table
from lakehouse.contract.columns import UNIT_FEATURES
from lakehouse.contract.ops import REJECTED_ROWS
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import schema_of
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog
from lakehouse.state_files import moment_in, read_state

LONGEST_RAW = 10_000

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
    """Add the features in kept answers; of a track that a provider has answered for before, the first stays.

    Args:
        lake: where to.
        paths: files with `provider`, `fetched_at` and the provider's `answer`.
        log: takes the rejected records.
        now: the current time.
        errors: takes one line per file that is no such answer.

    Returns:
        The number of tracks added.
    """
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for path in paths:
        kept = read_state(path)
        provider, fetched_at = str(kept.get("provider")), moment_in(kept, "fetched_at")
        try:
            tracks = tracks_in(provider, kept.get("answer")) if provider in LISTS and fetched_at else None
        except Malformed:
            tracks = None
        if tracks is None or fetched_at is None:
            errors.append(f"{path.name} is no answer with audio features")
            continue
        for number, track in enumerate(tracks):
            try:
                row = read(provider, track, fetched_at)
                found.setdefault((row["track_id"], provider), row)
            except Malformed as reason:
                raw = masked_text(json.dumps(track))[:LONGEST_RAW]
                log.add(
                    REJECTED_ROWS, source_file=path.name, row_number=number, reason=str(reason), raw=raw,
                    rejected_at=now,
                )  # fmt: skip
    return _append(lake, list(found.values()), log) if found else 0


def _append(lake: Lake, rows: list[dict[str, Any]], log: RunLog) -> int:
    schema = schema_of(my_tracks_features_bronze)
    frame = lake.spark.createDataFrame([tuple(row[name] for name in schema.names) for row in rows], schema)
    known = lake.read(my_tracks_features_bronze).select("track_id", "provider")
    fresh = frame.join(known, on=["track_id", "provider"], how="left_anti").select(*schema.names)
    state = lake.state(my_tracks_features_bronze)
    rows_before = state.provenance.rows if state else 0
    if not fresh.take(1):
        return 0
    written = lake.append(my_tracks_features_bronze, fresh, Provenance(log.run_id), rows_before=rows_before)
    return written.state.provenance.rows - rows_before
