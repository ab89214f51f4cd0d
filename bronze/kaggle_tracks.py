"""The Kaggle catalogue of tracks with audio features, as delivered."""

import tempfile
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.delivered import rejects
from bronze.delivered.catalogue_files import DELIVERED_COLUMNS, catalogue_at, copy_rows
from bronze.delivered.delivered_files import DEMO_ID, DEMO_STAYS_OUT, BadFile, fingerprint
from bronze.delivered.plays import LONGEST_PLAY_MS, TRACK_ID
from bronze.delivered.rejects import LONGEST_RAW_ROW, Rejected, record_rejects, refuse_too_many
from lakehouse.contract import in_range, source_table
from lakehouse.contract.columns import COLUMNS, UNIT_FEATURES
from lakehouse.lake.provenance import Provenance, TableState
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog

# A longer field is not a name but several rows, joined by an open quote.
LONGEST_FIELD = 2_000
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
    """Replace the catalogue by a file: csv, csv.gz or Kaggle's zip; importing the same file again changes nothing.

    Args:
        lake: the lake to import into.
        path: the file, or a folder with this csv file alone.
        log: gets the rejected rows.
        now: the current time.
        takes_demo: False where the lake holds real data.

    Returns:
        The new state, or None where the lake has this very file.

    Raises:
        BadFile: the file is missing, broken, empty, without a needed column, mostly unreadable, or demo data that must
            stay out; nothing is changed.
    """
    file = catalogue_at(path)
    content = fingerprint(file)
    state = lake.state(kaggle_tracks_bronze)
    if state and (state.provenance.parameters or {}).get("sha256") == content:
        return None
    with tempfile.TemporaryDirectory(prefix="lakehouse-catalogue-") as folder, ExitStack() as resources:
        rejected = copy_rows(file, texts := Path(folder) / "rows.parquet")
        [readable] = resources.enter_context(lake.readable_by_workers([texts]))
        rows = _parse_rows(lake.spark.read.parquet(readable)).persist()
        try:
            # Counting first computes and caches all rows in parallel; `collect` after `limit` would start with a few.
            is_real = ~F.col("track_id").rlike(rf"\A{DEMO_ID}\z")
            good = rows.where("reason IS NULL").drop("reason", "raw")
            counts = good.agg(F.count("*").alias("rows"), F.count_if(is_real).alias("real")).first()
            assert counts is not None, "an aggregate without grouping has one row"
            unreadable = rows.where("reason IS NOT NULL").limit(rejects.MOST_REJECTED + 1).collect()
            rejected += [Rejected(row["row_number"], row["reason"], row["raw"]) for row in unreadable]
            refuse_too_many(file, rejected, "rows")
            if not counts["rows"]:
                raise BadFile(f"{file.name} holds no row that can be read: is it the Kaggle catalogue?")
            # Made-up tracks are demo data also in a renamed file.
            is_demo = file.is_demo or not counts["real"]
            if is_demo and not takes_demo:
                raise BadFile(f"{file.name}: {DEMO_STAYS_OUT}")
            good = good.withColumn("source_file", F.lit(file.name)).withColumn("ingested_at", F.lit(now))
            record_rejects(log, file.name, sorted(rejected), now)
            provenance = Provenance(log.run_id, parameters={"sha256": content, "demo": str(is_demo).lower()})
            return lake.overwrite(kaggle_tracks_bronze, good, provenance).state
        finally:
            rows.unpersist()


def _parse_rows(rows: DataFrame) -> DataFrame:
    """The rows in the contract's types, with the first reason why one cannot be read, or null, and its raw text."""
    text = F.to_csv(F.struct(*DELIVERED_COLUMNS), {"escape": '"'})
    parsed = {name: _parse(name) for name in DELIVERED_COLUMNS}
    reasons = [F.when(F.col(name).isNull(), F.lit(f"{name} is missing")) for name in ("track_id", "track_genre")]
    reasons.append(F.when(~F.col("track_id").rlike(rf"\A{TRACK_ID.pattern}\z"), F.lit("track_id is no Spotify id")))
    for name, value in parsed.items():
        too_long = F.length(name) > LONGEST_FIELD
        reasons.append(F.when(too_long, F.lit(f"{name} has more than {LONGEST_FIELD} characters: a quote not closed?")))
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
        *(value.alias(name) for name, value in parsed.items()),
        "reason",
        F.when(F.col("reason").isNotNull(), F.left(text, F.lit(LONGEST_RAW_ROW))).alias("raw"),
    )


def _parse(name: str) -> Column:
    """A text as its column's type, null where it is not one; whole numbers may be written with a fraction of zero."""
    kind = COLUMNS[name].type
    if kind in ("int", "bigint"):
        number = F.col(name).try_cast("double")
        return F.when(number == F.floor(number), number.try_cast(kind))
    value = F.col(name).try_cast(kind)
    # Spark casts 'NaN' and 'Infinity' to numbers.
    return F.when(F.abs(value) < float("inf"), value) if kind == "double" else value
