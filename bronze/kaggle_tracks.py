"""The Kaggle catalogue of tracks with audio features, as delivered."""

import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.delivered.catalogue_files import (
    DELIVERED_COLUMNS,
    LONGEST_RAW,
    MOST_REJECTED,
    RejectedRow,
    catalogue_at,
    refuse_too_many,
    stage,
)
from bronze.delivered.delivered_files import DEMO_ID, DEMO_STAYS_OUT, BadFile, fingerprint
from bronze.delivered.plays import LONGEST_PLAY_MS
from lakehouse.contract import in_range, source_table
from lakehouse.contract.columns import COLUMNS, UNIT_FEATURES
from lakehouse.contract.ops import REJECTED_ROWS
from lakehouse.lake.provenance import Provenance, TableState
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog

# Beyond this a text is no name but rows that a quote without its partner swallowed.
LONGEST_TEXT = 2_000
TRACK_ID = r"\A[0-9A-Za-z]{22}\z"
RANGES = {name: (0, 1) for name in UNIT_FEATURES} | {
    "popularity": (0, 100), "duration_ms": (0, LONGEST_PLAY_MS), "key": (-1, 11), "loudness": (-100, 100),
    "mode": (0, 1), "tempo": (0, 1_000), "time_signature": (0, 100),
}  # fmt: skip

kaggle_tracks_bronze = source_table(
    "kaggle_tracks_bronze",
    __name__,
    grain="One row per row of the catalogue file that parsed; a track repeats once per genre.",
    key="track_id track_genre row_number",
    columns=f"row_number {' '.join(DELIVERED_COLUMNS)} source_file ingested_at",
    checks=[in_range(feature, 0, 1) for feature in UNIT_FEATURES],
)


def import_catalogue(
    lake: Lake, path: Path, log: RunLog, now: datetime, *, takes_demo: bool = True
) -> TableState | None:
    """Replace the catalogue by a file: csv, csv.gz or Kaggle's zip; the same file again changes nothing.

    Args:
        lake: where to.
        path: the file, or a folder that holds just this one csv file.
        log: takes the rejected rows.
        now: the current time.
        takes_demo: False where the lake holds real data.

    Returns:
        The new state, or None where the same file is in the lake already.

    Raises:
        BadFile: the file is missing, broken, empty, without a needed column, mostly unreadable, or demo data that must
            stay out; nothing is changed.
    """
    file = catalogue_at(path)
    content = fingerprint(file.path)
    state = lake.state(kaggle_tracks_bronze)
    if state and (state.provenance.parameters or {}).get("sha256") == content:
        return None
    with tempfile.TemporaryDirectory(prefix="lakehouse-catalogue-") as staging, ExitStack() as staged:
        rejected = stage(file, parsed := Path(staging) / "rows.parquet")
        [readable] = staged.enter_context(lake.within_reach([parsed]))
        rows = _typed(lake.spark.read.parquet(readable)).persist()
        try:
            # Counted first: that computes all rows at once, where a look at some computes them in turn.
            is_real = ~F.col("track_id").rlike(rf"\A{DEMO_ID}\z")
            good = rows.where("reason IS NULL").drop("reason", "raw")
            counts = good.agg(F.count("*").alias("rows"), F.count_if(is_real).alias("real")).first()
            assert counts is not None, "an aggregate without grouping has one row"
            unreadable = rows.where("reason IS NOT NULL").limit(MOST_REJECTED + 1).collect()
            rejected += [RejectedRow(row["row_number"], row["reason"], row["raw"]) for row in unreadable]
            refuse_too_many(file, rejected)
            if not counts["rows"]:
                raise BadFile(f"{file.name} holds no row that can be read: is it the Kaggle catalogue?")
            # Invented tracks are demo data whatever the file is called now.
            is_demo = file.is_demo or not counts["real"]
            if is_demo and not takes_demo:
                raise BadFile(f"{file.name}: {DEMO_STAYS_OUT}")
            good = good.withColumn("source_file", F.lit(file.name)).withColumn("ingested_at", F.lit(now))
            for row in sorted(rejected):
                log.add(REJECTED_ROWS, source_file=file.name, rejected_at=now, **row._asdict())
            provenance = Provenance(log.run_id, parameters={"sha256": content, "demo": str(is_demo).lower()})
            return lake.overwrite(kaggle_tracks_bronze, good, provenance).state
        finally:
            rows.unpersist()


def _typed(rows: DataFrame) -> DataFrame:
    """Text to the contract's types, with the first reason why a row cannot be read, or null, and its raw text."""
    text = F.to_csv(F.struct(*DELIVERED_COLUMNS), {"escape": '"'})
    typed = {name: _parsed(name) for name in DELIVERED_COLUMNS}
    reasons = [F.when(F.col(name).isNull(), F.lit(f"{name} is missing")) for name in ("track_id", "track_genre")]
    reasons.append(F.when(~F.col("track_id").rlike(TRACK_ID), F.lit("track_id is no Spotify id")))
    for name, value in typed.items():
        too_long = F.length(name) > LONGEST_TEXT
        reasons.append(F.when(too_long, F.lit(f"{name} has more than {LONGEST_TEXT} characters: a quote not closed?")))
        unreadable = F.col(name).isNotNull() & value.isNull()
        kind = COLUMNS[name].type
        reasons.append(F.when(unreadable, F.concat(F.lit(f"{name} is no {kind}: "), F.substring(name, 1, 40))))
        if name in RANGES:
            low, high = RANGES[name]
            outside = ~value.between(low, high)
            reasons.append(F.when(outside, F.concat(F.lit(f"{name} is not within {low}..{high}: "), F.col(name))))
    reason = F.coalesce(*reasons)
    return rows.withColumn("reason", reason).select(
        "row_number",
        *(value.alias(name) for name, value in typed.items()),
        "reason",
        F.when(F.col("reason").isNotNull(), F.left(text, F.lit(LONGEST_RAW))).alias("raw"),
    )


def _parsed(name: str) -> Column:
    """The text as the column's type, null where it is none; whole numbers may be written with a fraction of zero."""
    kind = COLUMNS[name].type
    if kind in ("int", "bigint"):
        number = F.col(name).try_cast("double")
        return F.when(number == F.floor(number), number.try_cast(kind))
    parsed = F.col(name).try_cast(kind)
    # Spark reads 'NaN' and 'Infinity' as numbers.
    return F.when(F.abs(parsed) < float("inf"), parsed) if kind == "double" else parsed
