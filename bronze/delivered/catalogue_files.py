"""Reads delivered files of the Kaggle catalogue: finds the csv file, checks its header, copies its rows to Parquet."""

import codecs
import csv
import io
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from bronze.delivered import rejects
from bronze.delivered.delivered_files import LONGEST_REASON, BadFile, DeliveredFile, files_at, parts_of, printable
from bronze.delivered.rejects import LONGEST_RAW_ROW, Rejected, refuse_too_many
from lakehouse.errors import one_line

DELIVERED_COLUMNS = (
    "track_id", "artists", "album_name", "track_name", "popularity", "duration_ms", "explicit", "danceability",
    "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo", "time_signature", "track_genre",
)  # fmt: skip
TEXT_SCHEMA = pa.schema([("row_number", pa.int64()), *((name, pa.string()) for name in DELIVERED_COLUMNS)])
CSV_NAMES = (".csv", ".csv.gz")
HEADER_BYTES = 100_000


def is_catalogue(path: Path) -> bool:
    """Whether a file is a catalogue by its name, or a zip with csv files and without JSON files."""
    if path.name.lower().endswith(CSV_NAMES):
        return True
    try:
        names = [part.base_name.lower() for file in files_at(path) if not path.is_dir() for part in parts_of(file)]
    except BadFile:
        return False
    return any(name.endswith(CSV_NAMES) for name in names) and not any(name.endswith(".json") for name in names)


def catalogue_at(path: Path) -> DeliveredFile:
    """The only csv file at a path: the file itself, or the one in a zip or a folder.

    Raises:
        BadFile: there is none, there are several, or the zip cannot be read.
    """
    parts = [part for file in files_at(path) for part in parts_of(file)]
    files = [part for part in parts if part.base_name.lower().endswith(CSV_NAMES)]
    if len(files) != 1:
        raise BadFile(f"{printable(path.name)} holds {len(files)} csv files: name the one catalogue file")
    return files[0]


def copy_rows(file: DeliveredFile, target: Path) -> list[Rejected]:
    """Copy the rows, as text and with their position in the file, to the Parquet file `target`.

    Blank rows are skipped, and an empty field becomes null.

    Returns:
        The rows with a wrong number of fields.

    Raises:
        BadFile: the file is broken, empty, not CSV in UTF-8, lacks a column, or most of it cannot be read.
    """
    _check_header(file)
    rejected: dict[int, Rejected] = {}
    try:
        with file.open() as stream, pq.ParquetWriter(target, TEXT_SCHEMA) as writer:
            positions = (position for position in count() if position not in rejected)
            for batch in _batches(stream, rejected):
                row_numbers = pa.array(islice(positions, batch.num_rows), pa.int64())
                writer.write_batch(pa.RecordBatch.from_arrays([row_numbers, *batch.columns], schema=TEXT_SCHEMA))
    except pa.ArrowInvalid as error:
        refuse_too_many(file, rejected.values(), "rows")
        reason = one_line(error, LONGEST_REASON)
        raise BadFile(f"{file.name} cannot be read as CSV in UTF-8 ({reason}): download it again") from None
    return list(rejected.values())


def _check_header(file: DeliveredFile) -> None:
    """Check that every column is present once; further columns, such as an unnamed row index, are allowed.

    Raises:
        BadFile: the file is empty, not UTF-8, or a column is missing or repeated.
    """
    with file.open() as stream:
        start = stream.read(HEADER_BYTES)
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(start)
        header = next((row for row in csv.reader(io.StringIO(text, newline="")) if row), [])
    except (UnicodeDecodeError, csv.Error):
        raise BadFile(f"{file.name} is not CSV in UTF-8: download it again") from None
    if not header:
        raise BadFile(f"{file.name} is empty: download it again")
    missing = [name for name in DELIVERED_COLUMNS if name not in header]
    if missing:
        raise BadFile(f"{file.name} lacks the columns {', '.join(missing)}: is it the Kaggle catalogue?")
    repeated = [name for name in DELIVERED_COLUMNS if header.count(name) > 1]
    if repeated:
        raise BadFile(f"{file.name} has the columns {', '.join(repeated)} more than once")


def _batches(stream: io.BufferedReader, rejected: dict[int, Rejected]) -> Iterator[pa.RecordBatch]:
    """The rows as text, in batches; those with a wrong number of fields are put into `rejected`, by position."""

    def reject(row: pa_csv.InvalidRow) -> str:
        position = row.number - 2  # counted from 1, with the header, without blank rows
        reason = f"{row.actual_columns} fields, not {row.expected_columns}"
        rejected[position] = Rejected(position, reason, row.text[:LONGEST_RAW_ROW])
        return "skip" if len(rejected) <= rejects.MOST_REJECTED else "error"

    # Quotes inside quoted fields are doubled. The backslash is an ordinary character: as an escape it would shift the
    # columns of rows such as "Axwell /\\ Ingrosso".
    parsing = pa_csv.ParseOptions(
        quote_char='"', double_quote=True, escape_char=False, newlines_in_values=True, invalid_row_handler=reject
    )
    conversion = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(DELIVERED_COLUMNS, pa.string()), include_columns=list(DELIVERED_COLUMNS),
        strings_can_be_null=True, null_values=[""],
    )  # fmt: skip
    # Arrow gives `InvalidRow.number` only without threads.
    yield from pa_csv.open_csv(stream, pa_csv.ReadOptions(use_threads=False), parsing, conversion)
