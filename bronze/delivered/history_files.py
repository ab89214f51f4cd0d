"""Reads delivered files of listening history record by record and stages the plays for one commit.

Every record is accounted for: it becomes a staged play, a verdict, or a rejected record with its raw text. A file that
breaks in the middle stages nothing.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, islice, repeat
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bronze.delivered import account_history, extended_history, spotify_api
from bronze.delivered.delivered_files import DEMO_ID, BadFile, Budget, DeliveredFile
from bronze.delivered.json_records import json_records
from bronze.delivered.masking import masked, masked_text
from bronze.delivered.plays import Excluded, Malformed, Play, kind_of
from lakehouse.models.own_process import own_processes

DEMO_SOURCE = "demo"

SOURCES: tuple[ModuleType, ...] = (extended_history, account_history, spotify_api)
# Names that Spotify gives, so that a file is known even when its first records are broken.
NAMES = (
    (re.compile(r"(?:demo_)?Streaming_History_(?:Audio|Video)_|endsong_", re.IGNORECASE), extended_history),
    (re.compile(r"StreamingHistory", re.IGNORECASE), account_history),
    (re.compile(r"recently_played", re.IGNORECASE), spotify_api),
)
# Records that are looked at to find out what a file is.
FIRST_RECORDS = 10

# From here on, about a hundred thousand records, the start of processes costs less than they spare.
LARGE_DELIVERY = 64 * 2**20
# Each takes some hundred megabytes.
MOST_PROCESSES = 4
RECORDS_PER_BATCH = 20_000
# A file with more unreadable records than this is no listening history, or is read in a wrong way.
MOST_REJECTED = 10_000
LONGEST_RAW = 10_000
# What is kept of a file that is no JSON, and how much of it is masked to get there: a mask is shorter than its value.
LONGEST_BEGINNING = 200
MASKED_BYTES = 10 * LONGEST_BEGINNING

# The fields of a Play, then what is made from it.
STAGED_SCHEMA = pa.schema(
    [
        ("played_at", pa.timestamp("us", tz="UTC")), ("track_id", pa.string()), ("track_name", pa.string()),
        ("artist_name", pa.string()), ("album_name", pa.string()), ("isrc", pa.string()), ("duration_ms", pa.int64()),
        ("ms_played", pa.int64()), ("reason_start", pa.string()), ("reason_end", pa.string()), ("skipped", pa.bool_()),
        ("shuffle", pa.bool_()), ("offline", pa.bool_()), ("incognito", pa.bool_()), ("platform", pa.string()),
        ("play_id", pa.string()), ("verdict", pa.string()), ("row_number", pa.int64()), ("source", pa.string()),
        ("source_file", pa.string()),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Rejected:
    """A record that could not be read."""

    row_number: int
    reason: str
    raw: str


@dataclass
class Excludes:
    """Records of one verdict that become no row: how many, from when to when."""

    first: datetime
    last: datetime
    count: int = 0

    def add(self, played_at: datetime) -> None:
        """Count one more record."""
        self.count += 1
        self.first = min(self.first, played_at)
        self.last = max(self.last, played_at)


@dataclass
class StagedFile:
    """What came of one file.

    Attributes:
        file: the file.
        source: 'extended_history', 'account_history', 'spotify_api' or 'demo'.
        plays: Parquet file of its plays, in `STAGED_SCHEMA`.
        excluded: records that are no plays of tracks, by verdict.
        rejected: records that could not be read.
    """

    file: DeliveredFile
    source: str
    plays: Path
    excluded: dict[str, Excludes] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def stage_all(
    files: Sequence[DeliveredFile], folder: Path, now: datetime, on_file: Callable[[str], None]
) -> list[StagedFile | BadFile | None]:
    """Stage several files, of large deliveries several at a time; see `stage`.

    Args:
        files: the files.
        folder: gets a Parquet file of each.
        now: the current time.
        on_file: called with each file's name before its outcome is waited for.

    Returns:
        What came of each file, in their order; of one that cannot be read the error.
    """
    targets = (folder / f"{number}.parquet" for number in range(len(files)))
    # Packed files of one zip are bounded together, so they are read one after the other.
    is_large = sum(file.size for file in files) >= LARGE_DELIVERY and not any(file.is_packed for file in files)
    with own_processes(min(os.cpu_count() or 1, MOST_PROCESSES)) if is_large else nullcontext() as processes:
        staged = (processes.map if processes else map)(_staged_or_refused, files, targets, repeat(now))
        outcomes = []
        for file in files:
            on_file(file.name)
            outcomes.append(next(staged))
    return outcomes


def _staged_or_refused(file: DeliveredFile, target: Path, now: datetime) -> StagedFile | BadFile | None:
    try:
        return stage(file, target, now)
    except BadFile as error:
        return error


def stage(file: DeliveredFile, target: Path, now: datetime) -> StagedFile | None:
    """Read one file and write its plays to the Parquet file `target`.

    Returns:
        What came of it, or None where the file is no listening history at all.

    Raises:
        BadFile: it is one, by its name or its first records, or the user named this very file, but it cannot be read;
            nothing is staged.
    """
    if not file.base_name.lower().endswith((".json", ".json.gz")):
        return None
    module = next((module for pattern, module in NAMES if pattern.match(file.base_name)), None)
    try:
        with file.open() as stream:
            records = json_records(stream, file.name)
            first_ones = list(islice(records, FIRST_RECORDS))
            module = _recognised(first_ones) or module
            if module is None:
                return None
            is_demo = file.is_demo or _has_demo_ids(module, first_ones, now)
            staged = StagedFile(file, DEMO_SOURCE if is_demo else module.SOURCE, target)
            _stage_records(staged, module, chain(first_ones, records), now)
            return staged
    except BadFile:
        target.unlink(missing_ok=True)
        if module is None and not file.is_named:
            return None
        raise


def beginning_of(file: DeliveredFile) -> str:
    """The first characters of a file that is no JSON, personal values masked, to keep with its rejection."""
    try:
        with replace(file, budget=Budget()).open() as stream:
            text = stream.read(MASKED_BYTES).decode("utf-8", "replace")
    except BadFile:
        return ""
    return masked_text(text.replace("\x00", ""))[:LONGEST_BEGINNING]


def _stage_records(staged: StagedFile, module: ModuleType, records: Iterable[Any], now: datetime) -> None:
    with pq.ParquetWriter(staged.plays, STAGED_SCHEMA) as writer:
        rows = _rows(staged, module, records, now)
        while batch := list(islice(rows, RECORDS_PER_BATCH)):
            columns = [*zip(*batch, strict=True), [staged.source] * len(batch), [staged.file.name] * len(batch)]
            arrays = [pa.array(values, kind.type) for values, kind in zip(columns, STAGED_SCHEMA, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=STAGED_SCHEMA))


def _rows(staged: StagedFile, module: ModuleType, records: Iterable[Any], now: datetime) -> Iterator[tuple[Any, ...]]:
    """The plays among the records as rows of the staged file, without source and file; the others are counted."""
    for row_number, record in enumerate(records):
        try:
            outcome = _outcome(module, record, now)
            if staged.source != DEMO_SOURCE and _is_invented(outcome):
                raise Malformed("the track is one of the demo data, which stays apart from real listening")
        except Malformed as reason:
            _reject(staged, row_number, str(reason), record)
            continue
        if isinstance(outcome, Excluded):
            excludes = staged.excluded.setdefault(outcome.verdict, Excludes(outcome.played_at, outcome.played_at))
            excludes.add(outcome.played_at)
        else:
            yield (*outcome, outcome.play_id(staged.source), outcome.verdict, row_number)


def _outcome(module: ModuleType, record: object, now: datetime) -> Play | Excluded:
    if not isinstance(record, dict):
        raise Malformed(f"the record is {kind_of(record)}, not an object")
    outcome: Play | Excluded = module.read(record, now)
    return outcome


def _has_demo_ids(module: ModuleType, records: list[Any], now: datetime) -> bool:
    """Whether the tracks among these records are invented ones, whatever the file is called now."""
    outcomes = []
    for record in records:
        with suppress(Malformed):
            outcomes.append(_outcome(module, record, now))
    known = [outcome for outcome in outcomes if isinstance(outcome, Play) and outcome.track_id]
    return bool(known) and all(_is_invented(outcome) for outcome in known)


def _is_invented(outcome: Play | Excluded) -> bool:
    return isinstance(outcome, Play) and re.fullmatch(DEMO_ID, outcome.track_id or "") is not None


def _reject(staged: StagedFile, row_number: int, reason: str, record: object) -> None:
    staged.rejected.append(Rejected(row_number, masked_text(reason), _raw(record)))
    if len(staged.rejected) > MOST_REJECTED:
        first = staged.rejected[0].reason
        raise BadFile(f"{staged.file.name}: more than {MOST_REJECTED} records cannot be read, the first one: {first}")


def _recognised(records: list[Any]) -> ModuleType | None:
    """The source that wrote the first record which any source could have written."""
    for record in records:
        for module in SOURCES:
            if isinstance(record, dict) and module.recognises(record):
                return module
    return None


def _raw(record: object) -> str:
    try:
        text = json.dumps(masked(record), ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be kept)"
    return text[:LONGEST_RAW].encode("utf-8", "replace").decode()
