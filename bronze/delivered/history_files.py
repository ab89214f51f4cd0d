"""Parses delivered files of listening history: the plays of each go to a Parquet file, from there into one commit.

Every record is accounted for: it becomes a play, counts as excluded, or is rejected with its raw text. A file that
breaks off in the middle gives no plays.
"""

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from bronze.delivered import account_history, extended_history, spotify_api
from bronze.delivered.delivered_files import DEMO_ID, BadFile, DeliveredFile, kind_of_content
from bronze.delivered.json_records import json_records
from bronze.delivered.masking import mask, mask_text
from bronze.delivered.plays import Excluded, Malformed, Play, Record, kind_of
from bronze.delivered.rejects import (
    LONGEST_RAW_RECORD,
    MOST_RAW_OF_FILE,
    NO_ROOM,
    DeliveryBounds,
    Rejected,
    refuse_too_many,
)
from lakehouse.models.own_process import own_processes

DEMO_SOURCE = "demo"


class Source(Protocol):
    """A module that reads one kind of history."""

    SOURCE: str

    def recognises(self, record: Record) -> bool:
        """Whether a file with this record is of this kind."""

    def read(self, record: Record, now: datetime) -> Play | Excluded:
        """Read one record, or raise `Malformed`."""


SOURCES: tuple[Source, ...] = (extended_history, account_history, spotify_api)
# Names that Spotify gives its files, for files whose first records are broken.
NAMES: tuple[tuple[re.Pattern[str], Source], ...] = (
    (re.compile(r"(?:demo_)?Streaming_History_(?:Audio|Video)_|endsong_", re.IGNORECASE), extended_history),
    (re.compile(r"StreamingHistory", re.IGNORECASE), account_history),
    (re.compile(r"recently_played", re.IGNORECASE), spotify_api),
)
# Records that are tried to find out what a file is.
FIRST_RECORDS = 10

# From this size on, about 100,000 records, several processes save more time than it takes to start them.
LARGE_DELIVERY = 64 * 2**20
# Each takes some hundred megabytes.
MOST_PROCESSES = 4
RECORDS_PER_BATCH = 20_000
# Why nothing of a file is kept that has a history's name alone.
NOT_RECOGNISED = "no record of this file is one of a listening history"

# The fields of a Play, then those derived from it.
PLAYS_SCHEMA = pa.schema(
    [
        ("played_at", pa.timestamp("us", tz="UTC")), ("track_id", pa.string()), ("track_name", pa.string()),
        ("artist_name", pa.string()), ("album_name", pa.string()), ("isrc", pa.string()), ("duration_ms", pa.int64()),
        ("ms_played", pa.int64()), ("reason_start", pa.string()), ("reason_end", pa.string()), ("skipped", pa.bool_()),
        ("shuffle", pa.bool_()), ("offline", pa.bool_()), ("incognito", pa.bool_()), ("platform", pa.string()),
        ("play_id", pa.string()), ("verdict", pa.string()), ("row_number", pa.int64()), ("source", pa.string()),
        ("source_file", pa.string()), ("listener", pa.string()),
    ]
)  # fmt: skip


@dataclass
class ExcludedRecords:
    """Records of one verdict that do not become rows: how many, and from when to when."""

    first: datetime
    last: datetime
    count: int = 0

    def add(self, played_at: datetime) -> None:
        """Count one more record."""
        self.count += 1
        self.first = min(self.first, played_at)
        self.last = max(self.last, played_at)


@dataclass
class ParsedFile:
    """A file of listening history, parsed.

    Attributes:
        file: the file.
        source: 'extended_history', 'account_history', 'spotify_api' or 'demo'.
        plays: Parquet file of its plays, in `PLAYS_SCHEMA`.
        excluded: records that are not plays of tracks, by verdict.
        rejected: records that could not be read.
        is_recognised: whether a record is one of the source, readable or not: the file's name alone may deceive.
    """

    file: DeliveredFile
    source: str
    plays: Path
    is_recognised: bool = False
    excluded: dict[str, ExcludedRecords] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def parse_all(
    files: Sequence[DeliveredFile], folder: Path, now: datetime, on_file: Callable[[str], None]
) -> list[ParsedFile | BadFile | None]:
    """Parse several files, those of a large delivery in parallel; see `parse`.

    Args:
        files: the files.
        folder: gets a Parquet file of each.
        now: the current time.
        on_file: called with each file's name before its result is awaited.

    Returns:
        The result of each file, in their order; the error where a file cannot be read.
    """
    targets = (folder / f"{number}.parquet" for number in range(len(files)))
    # Packed files of one zip share a budget of bytes, so they are read one after the other.
    is_large = sum(file.size for file in files) >= LARGE_DELIVERY and not any(file.is_packed for file in files)
    with own_processes(min(os.cpu_count() or 1, MOST_PROCESSES)) if is_large else nullcontext() as processes:
        parsing = (processes.map if processes else map)(_parse_or_refuse, files, targets, repeat(now))
        results = []
        bounds: defaultdict[Path, DeliveryBounds] = defaultdict(DeliveryBounds)
        for file in files:
            on_file(file.name)
            results.append(_within(bounds[file.root or file.path], next(parsing)))
    return results


def _within(bounds: DeliveryBounds, result: ParsedFile | BadFile | None) -> ParsedFile | BadFile | None:
    """The result, if its delivery has room for what was rejected."""
    if isinstance(result, ParsedFile):
        try:
            result.rejected = bounds.take(result.file, result.rejected)
        except BadFile as error:
            result.plays.unlink()
            return error
    return result


def _parse_or_refuse(file: DeliveredFile, target: Path, now: datetime) -> ParsedFile | BadFile | None:
    try:
        return parse(file, target, now)
    except BadFile as error:
        return error


def parse(file: DeliveredFile, target: Path, now: datetime) -> ParsedFile | None:
    """Parse one file and write its plays to the Parquet file `target`.

    Returns:
        The parsed file, or None where it is not a listening history.

    Raises:
        BadFile: it cannot be read, though it is a history by its name or its first records, or the user named this
            very file; nothing is written.
    """
    if not file.base_name.lower().endswith((".json", ".json.gz")):
        return None
    source = next((source for pattern, source in NAMES if pattern.match(file.base_name)), None)
    try:
        with file.open() as stream:
            records = json_records(stream, file.name)
            first_ones = list(islice(records, FIRST_RECORDS))
            source = _source_of(first_ones) or source
            if source is None:
                return None
            is_demo = file.is_demo or _has_demo_ids(source, first_ones, now)
            parsed = ParsedFile(file, DEMO_SOURCE if is_demo else source.SOURCE, target)
            _parse_records(parsed, source, chain(first_ones, records), now)
            if not parsed.is_recognised:
                kind = kind_of_content(file)
                parsed.rejected = [Rejected(record.row_number, NOT_RECOGNISED, kind) for record in parsed.rejected]
            return parsed
    except BadFile:
        target.unlink(missing_ok=True)
        if source is None and not file.is_named:
            return None
        raise


def _parse_records(parsed: ParsedFile, source: Source, records: Iterable[Any], now: datetime) -> None:
    with pq.ParquetWriter(parsed.plays, PLAYS_SCHEMA) as writer:
        rows = _rows(parsed, source, records, now)
        while batch := list(islice(rows, RECORDS_PER_BATCH)):
            of_file = ([value] * len(batch) for value in (parsed.source, parsed.file.name, parsed.file.listener))
            columns = [*zip(*batch, strict=True), *of_file]
            arrays = [pa.array(values, kind.type) for values, kind in zip(columns, PLAYS_SCHEMA, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=PLAYS_SCHEMA))


def _rows(parsed: ParsedFile, source: Source, records: Iterable[Any], now: datetime) -> Iterator[tuple[Any, ...]]:
    """The plays among the records, without the last three columns; `parsed` gets the other records."""
    raw_left = MOST_RAW_OF_FILE
    for row_number, record in enumerate(records):
        parsed.is_recognised = parsed.is_recognised or _recognises(source, record)
        try:
            outcome = _read(source, record, now)
            if parsed.source != DEMO_SOURCE and _is_made_up(outcome):
                raise Malformed("the track is one of the demo data, which stays apart from real listening")
        except Malformed as reason:
            raw = _raw_text(record)
            raw_left -= len(raw)
            parsed.rejected.append(Rejected(row_number, mask_text(str(reason)), raw if raw_left >= 0 else NO_ROOM))
            refuse_too_many(parsed.file, parsed.rejected, "records")
            continue
        if isinstance(outcome, Excluded):
            same_verdict = ExcludedRecords(outcome.played_at, outcome.played_at)
            parsed.excluded.setdefault(outcome.verdict, same_verdict).add(outcome.played_at)
        else:
            yield (*outcome, outcome.play_id(parsed.source), outcome.verdict, row_number)


def _read(source: Source, record: object, now: datetime) -> Play | Excluded:
    if not isinstance(record, dict):
        raise Malformed(f"the record is {kind_of(record)}, not an object")
    return source.read(record, now)


def _has_demo_ids(source: Source, records: list[Any], now: datetime) -> bool:
    """Whether all tracks among these records are made up: demo data is recognised also in a renamed file."""
    outcomes = []
    for record in records:
        with suppress(Malformed):
            outcomes.append(_read(source, record, now))
    plays = [outcome for outcome in outcomes if isinstance(outcome, Play) and outcome.track_id]
    return bool(plays) and all(_is_made_up(play) for play in plays)


def _is_made_up(outcome: Play | Excluded) -> bool:
    return isinstance(outcome, Play) and re.fullmatch(DEMO_ID, outcome.track_id or "") is not None


def _source_of(records: list[Any]) -> Source | None:
    """The source of the first record that any source recognises."""
    for record in records:
        for source in SOURCES:
            if _recognises(source, record):
                return source
    return None


def _recognises(source: Source, record: object) -> bool:
    return isinstance(record, dict) and source.recognises(record)


def _raw_text(record: object) -> str:
    try:
        text = json.dumps(mask(record), ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be kept)"
    return text[:LONGEST_RAW_RECORD].encode("utf-8", "replace").decode()
