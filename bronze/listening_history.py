"""Every play that any source reported, as delivered."""

import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from bronze.delivered_files import BadFile, DeliveredFile, files_in
from bronze.history_files import DEMO_SOURCE, StagedFile, beginning_of, stage
from lakehouse.contract import Table, accepted_values, source_table
from lakehouse.import_report import ImportReport
from lakehouse.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.run_log import RunLog
from lakehouse.storage import Lake, Provenance

DUPLICATE = "duplicate"
MALFORMED = "malformed"

listening_history_bronze = source_table(
    "listening_history_bronze",
    __name__,
    grain="One row per play that a source reported; two sources may report the same play.",
    key="play_id",
    columns=(
        "play_id track_id played_at started_at track_name artist_name album_name isrc duration_ms ms_played "
        "reason_start reason_end skipped shuffle offline incognito platform source source_file ingested_at"
    ),
    checks=[accepted_values("source", "spotify_api", "extended_history", "account_history", DEMO_SOURCE)],
)


def import_history(
    lake: Lake, paths: Iterable[Path], log: RunLog, now: datetime, *, on_file: Callable[[str], None] = lambda name: None
) -> ImportReport:
    """Import every listening history at the paths in one commit; importing anything again changes nothing.

    A file that cannot be read is refused as a whole, named in `errors` and kept in `ops.rejected_rows`; the others are
    imported. The first real listening removes all demo plays; demo data does not enter a lake of real listening.

    Args:
        lake: where to.
        paths: zips, folders and files.
        log: takes the audit and the rejected records.
        now: the current time; later plays are rejected.
        on_file: called with each file's name before it is read.
    """
    report = ImportReport()
    with tempfile.TemporaryDirectory(prefix="lakehouse-import-") as staging:
        staged = list(_stage_all(paths, Path(staging), now, log, report, on_file))
        staged = _apart_from_demo(lake, staged, report)
        if staged:
            _commit(lake, staged, log, now, report)
    return report


def _stage_all(
    paths: Iterable[Path],
    staging: Path,
    now: datetime,
    log: RunLog,
    report: ImportReport,
    on_file: Callable[[str], None],
) -> Iterable[StagedFile]:
    for path in paths:
        try:
            for file in files_in(path):
                on_file(file.name)
                try:
                    staged = stage(file, staging, now)
                except BadFile as error:
                    _refuse(file, str(error), log, report, now)
                    continue
                if staged is not None:
                    yield staged
                elif path.is_file() and not file.member:
                    report.errors.append(f"{file.name} is no listening history that is known here")
                else:
                    report.ignored.append(file.name)
        except BadFile as error:
            _refuse(DeliveredFile(path), str(error), log, report, now)


def _refuse(file: DeliveredFile, reason: str, log: RunLog, report: ImportReport, now: datetime) -> None:
    report.errors.append(reason)
    report.verdicts[file.name] = {MALFORMED: 1}
    _audit(log, file.name, "unknown", MALFORMED, 1, None, None)
    log.add(
        REJECTED_ROWS, source_file=file.name, row_number=0, reason=reason, raw=beginning_of(file), rejected_at=now
    )


def _apart_from_demo(lake: Lake, staged: list[StagedFile], report: ImportReport) -> list[StagedFile]:
    """Keep demo data out of a lake that holds, or is about to hold, real listening."""
    demo = [file for file in staged if file.source == DEMO_SOURCE]
    if demo and (len(demo) < len(staged) or holds_real(lake, listening_history_bronze)):
        report.errors.append(
            f"{demo[0].file.path.name} is demo data and this is a lake of real listening: "
            "it stays out; name another lake in LAKE_URI to try it"
        )
        return [file for file in staged if file.source != DEMO_SOURCE]
    return staged


def holds_demo(lake: Lake, table: Table) -> bool:
    """Whether a bronze table holds demo data; its commits say so."""
    state = lake.state(table)
    return bool(state and state.provenance.rows and (state.provenance.parameters or {}).get("demo") == "true")


def holds_real(lake: Lake, table: Table) -> bool:
    """Whether a bronze table holds anything but demo data."""
    state = lake.state(table)
    return bool(state and state.provenance.rows and (state.provenance.parameters or {}).get("demo") != "true")


def _commit(lake: Lake, staged: list[StagedFile], log: RunLog, now: datetime, report: ImportReport) -> None:
    is_real = staged[0].source != DEMO_SOURCE
    report.removed_demo = is_real and holds_demo(lake, listening_history_bronze)
    known = lake.read(listening_history_bronze)
    known = known.where(F.lit(False)) if report.removed_demo else known
    outcomes = _with_outcome(lake.spark.read.parquet(*(str(file.plays) for file in staged)), known).persist()
    try:
        _record(outcomes, staged, log, now, report)
        fresh = outcomes.where(F.col("outcome") != DUPLICATE).withColumn("ingested_at", F.lit(now))
        fresh = fresh.select(*(column.name for column in listening_history_bronze.columns))
        provenance = Provenance(run_id=log.run_id, parameters={"demo": str(not is_real).lower()})
        if report.removed_demo:
            lake.overwrite(listening_history_bronze, fresh, provenance)
        elif report.new_plays:
            state = lake.state(listening_history_bronze)
            rows_before = state.provenance.rows if state else 0
            lake.append(listening_history_bronze, fresh, provenance, rows_before=rows_before)
    finally:
        outcomes.unpersist()
    log.count(new_plays=report.new_plays)


def _with_outcome(plays: DataFrame, known: DataFrame) -> DataFrame:
    """Each staged play with its verdict, or 'duplicate' where bronze or an earlier record has it."""
    first_report = Window.partitionBy("play_id").orderBy("source_file", "row_number")
    in_bronze = known.select("play_id", F.lit(True).alias("is_known"))
    is_repeat = F.col("is_known").isNotNull() | (F.row_number().over(first_report) > 1)
    return plays.join(in_bronze, on="play_id", how="left").withColumn(
        "outcome", F.when(is_repeat, DUPLICATE).otherwise(F.col("verdict"))
    )


def _record(
    outcomes: DataFrame, staged: list[StagedFile], log: RunLog, now: datetime, report: ImportReport
) -> None:
    """Write the audit and the rejects before the commit, so that a kill in between loses neither."""
    counts = outcomes.groupBy("source_file", "outcome").agg(
        F.count("*").alias("records"), F.min("played_at").alias("first"), F.max("played_at").alias("last")
    )
    sources = {file.file.name: file.source for file in staged}
    found = [
        (row["source_file"], row["outcome"], row["records"], _utc(row["first"]), _utc(row["last"]))
        for row in counts.collect()  # a few verdicts per file
    ]
    for file in staged:
        found += [
            (file.file.name, verdict, excluded.count, excluded.first, excluded.last)
            for verdict, excluded in file.excluded.items()
        ]
        if file.rejected:
            found.append((file.file.name, MALFORMED, len(file.rejected), None, None))
        for rejected in file.rejected:
            log.add(REJECTED_ROWS, source_file=file.file.name, rejected_at=now, **vars(rejected))
    for name, verdict, records, first, last in sorted(found, key=lambda item: item[:2]):
        _audit(log, name, sources[name], verdict, records, first, last)
        report.verdicts.setdefault(name, {})[verdict] = records
        report.new_plays += records if verdict in ("counted", "too_short") else 0


def _audit(
    log: RunLog,
    name: str,
    source: str,
    verdict: str,
    records: int,
    first: datetime | None,
    last: datetime | None,
) -> None:
    log.add(
        IMPORT_AUDIT, source_file=name, source=source, verdict=verdict, record_count=records, first_played_at=first,
        last_played_at=last,
    )  # fmt: skip


def _utc(moment: datetime | None) -> datetime | None:
    """A timestamp that Spark collected, as an aware one."""
    return moment.astimezone() if moment else None
