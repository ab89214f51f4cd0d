"""The Kaggle catalogue of tracks with audio features, as delivered."""

import csv
import gzip
import io
import tempfile
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.delivered_files import BadFile, DeliveredFile, files_in, fingerprint
from lakehouse.columns import COLUMNS, UNIT_FEATURES
from lakehouse.contract import in_range, source_table
from lakehouse.ops import REJECTED_ROWS
from lakehouse.run_log import RunLog
from lakehouse.storage import Lake, Provenance, TableState

DELIVERED_COLUMNS = (
    "track_id", "artists", "album_name", "track_name", "popularity", "duration_ms", "explicit", "danceability",
    "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo", "time_signature", "track_genre",
)  # fmt: skip
# A file with more unreadable rows than this is not the catalogue, or is read in a wrong way.
MOST_REJECTED = 10_000
LONGEST_RAW = 2_000
RANGES = {name: (0, 1) for name in UNIT_FEATURES} | {"popularity": (0, 100), "key": (-1, 11), "mode": (0, 1)}

kaggle_tracks_bronze = source_table(
    "kaggle_tracks_bronze",
    __name__,
    grain="One row per row of the catalogue file that parsed; a track repeats once per genre.",
    key="track_id track_genre row_number",
    columns=f"row_number {' '.join(DELIVERED_COLUMNS)} source_file ingested_at",
    checks=[in_range(feature, 0, 1) for feature in UNIT_FEATURES],
)


def import_catalogue(
    lake: Lake, path: Path, log: RunLog, now: datetime, *, is_demo: bool = False
) -> TableState | None:
    """Replace the catalogue by a file: csv, csv.gz or Kaggle's zip.

    Returns:
        The new state, or None where the same file is in the lake already.

    Raises:
        BadFile: the file is missing, broken, empty, without a needed column, or mostly unreadable; nothing is changed.
    """
    file = _csv_in(path)
    content = fingerprint(path)
    state = lake.state(kaggle_tracks_bronze)
    if state and (state.provenance.parameters or {}).get("sha256") == content:
        return None
    with tempfile.TemporaryDirectory(prefix="lakehouse-catalogue-") as staging:
        broken = _stage(file, Path(staging) / "rows.parquet")
        rows = _typed(lake.spark.read.parquet(staging)).persist()
        try:
            unreadable = rows.where("reason IS NOT NULL").limit(MOST_REJECTED + 1).collect()
            if len(unreadable) + len(broken) > MOST_REJECTED:
                raise BadFile(f"{file.name}: more than {MOST_REJECTED} rows cannot be read: is it the Kaggle catalogue?")
            good = rows.where("reason IS NULL").drop("reason", "raw")
            if good.isEmpty():
                raise BadFile(f"{file.name} holds no row that can be read: is it the Kaggle catalogue?")
            found = [(row["row_number"], row["reason"], row["raw"]) for row in unreadable] + broken
            for row_number, reason, raw in found:
                log.add(
                    REJECTED_ROWS, source_file=file.name, row_number=row_number, reason=reason,
                    raw=raw[:LONGEST_RAW], rejected_at=now,
                )  # fmt: skip
            good = good.withColumn("source_file", F.lit(file.name)).withColumn("ingested_at", F.lit(now))
            provenance = Provenance(run_id=log.run_id, parameters={"sha256": content, "demo": str(is_demo).lower()})
            return lake.overwrite(kaggle_tracks_bronze, good, provenance).state
        finally:
            rows.unpersist()


def _csv_in(path: Path) -> DeliveredFile:
    files = [file for file in files_in(path) if file.base_name.lower().endswith((".csv", ".csv.gz"))]
    if len(files) != 1:
        raise BadFile(f"{path} holds {len(files)} csv files: name the one catalogue file")
    return files[0]


def _stage(file: DeliveredFile, target: Path) -> list[tuple[int, str, str]]:
    """Write the rows as text with their position in the file; return the ones with a wrong number of fields."""
    broken: list[tuple[int, str, str]] = []
    try:
        header = _header(file)
        with file.open() as stream, pq.ParquetWriter(target, _staged_schema()) as writer:
            position = 0
            for batch in _batches(stream, header, broken):
                skipped = {row_number for row_number, _, _ in broken}
                positions = []
                while len(positions) < batch.num_rows:
                    if position not in skipped:
                        positions.append(position)
                    position += 1
                columns = [pa.array(positions, pa.int64()), *(batch.column(name) for name in DELIVERED_COLUMNS)]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_staged_schema()))
    except (pa.ArrowInvalid, UnicodeDecodeError, EOFError, OSError, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise BadFile(f"{file.name} cannot be read as CSV in UTF-8 ({reason}): download it again") from None
    return broken


def _header(file: DeliveredFile) -> list[str]:
    """The column names in file order; the first may be an unnamed row index.

    Raises:
        BadFile: the file is empty, or a column is missing or repeated.
    """
    with file.open() as stream:
        first_lines = io.TextIOWrapper(io.BytesIO(stream.read(100_000)), "utf-8-sig", errors="replace", newline="")
        header = next(csv.reader(first_lines), [])
    if not header:
        raise BadFile(f"{file.name} is empty: download it again")
    missing = [name for name in DELIVERED_COLUMNS if name not in header]
    if missing:
        raise BadFile(f"{file.name} lacks the columns {', '.join(missing)}: is it the Kaggle catalogue?")
    repeated = [name for name in DELIVERED_COLUMNS if header.count(name) > 1]
    if repeated:
        raise BadFile(f"{file.name} has the columns {', '.join(repeated)} more than once")
    return header


def _batches(stream: IO[bytes], header: list[str], broken: list[tuple[int, str, str]]) -> Iterator[pa.RecordBatch]:
    def keep_broken(row: pa_csv.InvalidRow) -> str:
        reason = f"{row.actual_columns} fields, not {row.expected_columns}"
        broken.append((row.number - 2, reason, row.text))  # counted from 1, with the header
        return "skip"

    # Quotes inside quoted fields are doubled. The backslash is a letter like any other: read as an escape it would
    # shift the columns of rows such as "Axwell /\\ Ingrosso".
    yield from pa_csv.open_csv(
        stream,
        read_options=pa_csv.ReadOptions(use_threads=False),
        parse_options=pa_csv.ParseOptions(
            quote_char='"', double_quote=True, escape_char=False, newlines_in_values=True,
            invalid_row_handler=keep_broken,
        ),  # fmt: skip
        convert_options=pa_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), include_columns=list(DELIVERED_COLUMNS),
            strings_can_be_null=True, null_values=[""],
        ),  # fmt: skip
    )


def _staged_schema() -> pa.Schema:
    return pa.schema([("row_number", pa.int64()), *((name, pa.string()) for name in DELIVERED_COLUMNS)])


def _typed(rows: DataFrame) -> DataFrame:
    """Text to the contract's types, with the first reason why a row cannot be read, or null, and its raw text."""
    text = F.to_csv(F.struct(*DELIVERED_COLUMNS), {"escape": '"'})
    typed = {name: _parsed(name) for name in DELIVERED_COLUMNS}
    reasons = [F.when(F.col(name).isNull(), F.lit(f"{name} is missing")) for name in ("track_id", "track_genre")]
    for name, value in typed.items():
        unreadable = F.col(name).isNotNull() & value.isNull()
        kind = COLUMNS[name].type
        reasons.append(F.when(unreadable, F.concat(F.lit(f"{name} is no {kind}: "), F.substring(name, 1, 40))))
        if name in RANGES:
            low, high = RANGES[name]
            outside = ~value.between(low, high)
            reasons.append(F.when(outside, F.concat(F.lit(f"{name} is not within {low}..{high}: "), F.col(name))))
    return rows.select(
        "row_number",
        *(value.alias(name) for name, value in typed.items()),
        F.coalesce(*reasons).alias("reason"),
        text.alias("raw"),
    )


def _parsed(name: str) -> Column:
    """The text as the column's type, null where it is none; whole numbers may be written with a fraction of zero."""
    kind = COLUMNS[name].type
    if kind in ("int", "bigint"):
        number = F.col(name).try_cast("double")
        return F.when(number == F.floor(number), number.try_cast(kind))
    parsed = F.col(name).try_cast(kind)
    return F.when(~F.isnan(parsed), parsed) if kind == "double" else parsed
