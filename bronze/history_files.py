"""Reads delivered files of listening history record by record and stages the plays for one commit.

Every record is accounted for: it becomes a staged play, a verdict, or a rejected record with its raw text. A file that
breaks in the middle stages nothing.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from bronze import account_history, extended_history, spotify_api
from bronze.delivered_files import BadFile, DeliveredFile
from bronze.plays import Excluded, Malformed, Play, kind_of

DEMO_SOURCE = "demo"
DEMO_FOLDER = "Demo Streaming History"
DEMO_PREFIX = "demo_"

# Names that Spotify gives, so that a file is known even when its first records are broken.
NAMES = (
    (re.compile(r"(?:demo_)?Streaming_History_(?:Audio|Video)_|endsong_", re.IGNORECASE), extended_history),
    (re.compile(r"StreamingHistory", re.IGNORECASE), account_history),
    (re.compile(r"recently_played", re.IGNORECASE), spotify_api),
)
SOURCES: tuple[ModuleType, ...] = (extended_history, account_history, spotify_api)

RECORDS_PER_BATCH = 20_000
# A file with more unreadable records than this is no listening history.
MOST_REJECTED = 100_000
BOM = b"\xef\xbb\xbf"

PERSONAL_FIELD = re.compile(r"^(?:ip_|user_agent|username)", re.IGNORECASE)
PERSONAL_TEXT = re.compile(r'("(?:ip_|user_agent|username)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|$)', re.IGNORECASE)
MASK = "***"
LONGEST_TEXT = 200
LONGEST_RAW = 100_000

STAGED_SCHEMA = pa.schema(
    [
        ("play_id", pa.string()), ("track_id", pa.string()), ("played_at", pa.timestamp("us", tz="UTC")),
        ("started_at", pa.timestamp("us", tz="UTC")), ("track_name", pa.string()), ("artist_name", pa.string()),
        ("album_name", pa.string()), ("isrc", pa.string()), ("duration_ms", pa.int64()), ("ms_played", pa.int64()),
        ("reason_start", pa.string()), ("reason_end", pa.string()), ("skipped", pa.bool_()),
        ("shuffle", pa.bool_()), ("offline", pa.bool_()), ("incognito", pa.bool_()), ("platform", pa.string()),
        ("source", pa.string()), ("source_file", pa.string()), ("verdict", pa.string()), ("row_number", pa.int64()),
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

    count: int = 0
    first: datetime | None = None
    last: datetime | None = None

    def add(self, played_at: datetime | None) -> None:
        """Count one more record."""
        self.count += 1
        if played_at is not None:
            self.first = min(self.first or played_at, played_at)
            self.last = max(self.last or played_at, played_at)


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


def stage(file: DeliveredFile, staging: Path, now: datetime) -> StagedFile | None:
    """Read one file and write its plays to a Parquet file in `staging`.

    Returns:
        What came of it, or None where the file is no listening history at all.

    Raises:
        BadFile: it is one, by its name, but cannot be read; nothing is staged.
    """
    if not file.base_name.lower().endswith((".json", ".json.gz")):
        return None
    named_as = next((module for pattern, module in NAMES if pattern.match(file.base_name)), None)
    plays = staging / f"{len(list(staging.iterdir())):06}.parquet"
    try:
        with file.open() as stream:
            records = _records(stream, file.name)
            first_ones = list(islice(records, 10))
            module = named_as or _recognised(first_ones)
            if module is None:
                return None
            staged = StagedFile(file, _source_name(file, module), plays)
            _stage_records(staged, module, chain(first_ones, records), now)
            return staged
    except (ijson.JSONError, UnicodeDecodeError, EOFError, OSError, RecursionError, ValueError) as error:
        plays.unlink(missing_ok=True)
        if named_as is None and file.member:
            return None
        raise BadFile(f"{file.name} cannot be read as JSON in UTF-8 ({_plain(error)}): get it again") from None
    except BadFile:
        plays.unlink(missing_ok=True)
        if named_as is None and file.member:
            return None
        raise


def beginning_of(file: DeliveredFile) -> str:
    """The first characters of a file that is no JSON, personal values masked, to keep with its rejection."""
    try:
        with file.open() as stream:
            text = stream.read(10 * LONGEST_TEXT).decode("utf-8", "replace")
    except (OSError, EOFError, ValueError, BadFile):
        return ""
    return PERSONAL_TEXT.sub(rf'\1"{MASK}"', text.replace("\x00", ""))[:LONGEST_TEXT]


def _stage_records(staged: StagedFile, module: ModuleType, records: Iterator[Any], now: datetime) -> None:
    rows: list[dict[str, Any]] = []
    with pq.ParquetWriter(staged.plays, STAGED_SCHEMA) as writer:
        for row_number, record in enumerate(records):
            try:
                if not isinstance(record, dict):
                    raise Malformed(f"the record is {kind_of(record)}, not an object")
                outcome = module.read(record, now)
            except Malformed as reason:
                staged.rejected.append(Rejected(row_number, str(reason), _raw(record)))
                if len(staged.rejected) > MOST_REJECTED:
                    raise BadFile(f"{staged.file.name}: more than {MOST_REJECTED} records cannot be read") from None
                continue
            if isinstance(outcome, Excluded):
                staged.excluded.setdefault(outcome.verdict, Excludes()).add(outcome.played_at)
                continue
            rows.append(_row(outcome, staged, row_number))
            if len(rows) == RECORDS_PER_BATCH:
                writer.write_batch(pa.RecordBatch.from_pylist(rows, STAGED_SCHEMA))
                rows.clear()
        writer.write_batch(pa.RecordBatch.from_pylist(rows, STAGED_SCHEMA))


def _row(play: Play, staged: StagedFile, row_number: int) -> dict[str, Any]:
    return {
        **vars(play), "play_id": play.play_id(staged.source), "started_at": play.started_at, "source": staged.source,
        "source_file": staged.file.name, "verdict": play.verdict, "row_number": row_number,
    }  # fmt: skip


def _records(stream: IO[bytes], name: str) -> Iterator[Any]:
    """The records of a JSON list, or of the list `items` of an API answer, one at a time.

    Raises:
        BadFile: the text is empty or neither of the two.
    """
    start = stream.read(len(BOM))
    start = start.removeprefix(BOM)
    while not start.strip() and (more := stream.read(1)):
        start = more
    start = start.lstrip()
    if not start:
        raise BadFile(f"{name} is empty: get it again")
    if start[:1] not in b"[{":
        raise BadFile(f"{name} is not a JSON list of records (it starts with {start[:1]!r})")
    prefix = "item" if start[:1] == b"[" else "items.item"
    yield from ijson.items(_Prefixed(start, stream), prefix, use_float=True)


class _Prefixed:
    """A stream with the bytes put back that were read to look at it."""

    def __init__(self, start: bytes, stream: IO[bytes]) -> None:
        self._start = start
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        if self._start and size != 0:
            start, self._start = self._start, b""
            return start
        return self._stream.read(size)


def _recognised(first_records: list[Any]) -> ModuleType | None:
    for record in first_records:
        for module in SOURCES:
            if isinstance(record, dict) and module.recognises(record):
                return module
    return None


def _source_name(file: DeliveredFile, module: ModuleType) -> str:
    is_demo = file.folder == DEMO_FOLDER or file.base_name.startswith(DEMO_PREFIX)
    return DEMO_SOURCE if is_demo else str(module.SOURCE)


def _raw(record: object) -> str:
    return json.dumps(_masked(record), ensure_ascii=False, default=str)[:LONGEST_RAW].encode("utf-8", "replace").decode()


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: MASK if PERSONAL_FIELD.match(key) and item else _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
