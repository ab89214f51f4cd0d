"""Every play that any source reported, as delivered."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path

import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.delivered import spotify_api
from bronze.delivered.delivered_files import (
    DEMO_STAYS_OUT,
    BadFile,
    DeliveredFile,
    files_at,
    kind_of_content,
    parts_of,
    printable,
)
from bronze.delivered.history_files import DEMO_SOURCE, ParsedFile, parse_all
from bronze.delivered.plays import DUPLICATE, MALFORMED, PLAY_VERDICTS
from bronze.delivered.rejects import Rejected, record_rejects
from bronze.delivered.shared_exports import find_shared_exports
from lakehouse.contract import Table, accepted_values, source_table
from lakehouse.contract.ops import IMPORT_AUDIT, QUALITY_RESULTS
from lakehouse.lake.logs import DamagedTable, DeltaLogs
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.lake.uncommitted_files import statistics_of
from lakehouse.runlog.import_report import ImportReport
from lakehouse.runlog.spool import RunLog

PLAYS_PER_TASK = 250_000
# Each takes some hundred bytes of memory in every executor.
MOST_BROADCAST_DUPLICATES = 250_000

listening_history_bronze = source_table(
    "listening_history_bronze",
    __name__,
    grain="One row per listener and play that a source reported; two sources may report the same play.",
    key="listener play_id",
    columns=(
        "listener play_id track_id played_at started_at track_name artist_name album_name isrc duration_ms ms_played "
        "reason_start reason_end skipped shuffle offline incognito platform source source_file ingested_at"
    ),
    checks=[accepted_values("source", "spotify_api", "extended_history", "account_history", DEMO_SOURCE)],
)


def import_history(
    lake: Lake,
    paths: Iterable[Path],
    log: RunLog,
    now: datetime,
    *,
    listener_of: Callable[[Path], str],
    takes_demo: bool = True,
    on_file: Callable[[str], None] = lambda name: None,
) -> ImportReport:
    """Import every listening history at the paths in one commit; the import is idempotent.

    A file that cannot be read is refused as a whole, named in `errors` and recorded in `ops.rejected_rows`; the others
    are imported. The first real plays replace all demo plays; demo data is not imported into a lake of real data.

    Args:
        lake: the lake to import into.
        paths: zips, folders and files.
        log: gets the audit and the rejected records.
        now: the current time; later plays are rejected.
        listener_of: whose plays are at a path.
        takes_demo: False where the lake holds real data of another kind.
        on_file: called with each file's name before it is read.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-import-") as folder:
        intake = _Intake(Path(folder), log, now, listener_of, on_file)
        histories = intake.parse(paths)
        takes_demo = takes_demo and not holds_real(lake, listening_history_bronze)
        histories = _without_refused_demo(histories, takes_demo, intake.report)
        if histories:
            _commit(lake, histories, log, now, intake.report)
    return intake.report


def give_listener(lake: Lake, listener: str) -> None:
    """Give plays that were imported before there were listeners to one of them."""
    try:
        log, state = lake.log(listening_history_bronze), lake.state(listening_history_bronze)
    except DamagedTable:  # what is made from it says so
        return
    if log is None or state is None or "listener" in {field.name for field in log.schema().fields}:
        return
    plays = lake.read(listening_history_bronze).withColumn("listener", F.lit(listener))
    lake.overwrite(listening_history_bronze, plays, replace(state.provenance, run_id=""))


@dataclass
class _Intake:
    """Parses files under unique names and records those that are refused."""

    folder: Path
    log: RunLog
    now: datetime
    listener_of: Callable[[Path], str]
    on_file: Callable[[str], None]
    report: ImportReport = field(default_factory=ImportReport)
    names: set[str] = field(default_factory=set)

    def parse(self, paths: Iterable[Path]) -> list[ParsedFile]:
        """Every listening history at the paths."""
        delivered = [(path, *self._files_at(path)) for path in paths]
        all_files = [file for _, files, _ in delivered for file in files]
        results = parse_all(all_files, self.folder, self.now, self.on_file)
        result_of = {file.name: result for file, result in zip(all_files, results, strict=True)}
        for path, files, all_readable in delivered:
            for file in files:
                result = result_of[file.name]
                if isinstance(result, BadFile):
                    self._refuse(file, str(result))
                elif result is None:
                    self.report.ignored.append(file.name)
            if all_readable and not any(result_of[file.name] for file in files):
                self.report.errors.append(f"{printable(path.name)} holds no listening history that is known here")
        return [result for result in results if isinstance(result, ParsedFile)]

    def _files_at(self, path: Path) -> tuple[list[DeliveredFile], bool]:
        """Every file at one path, also inside zips, and whether all zips can be read."""
        files, errors_before = [], len(self.report.errors)
        listener = self.listener_of(path)
        for file in files_at(path):
            delivered = replace(file, listener=listener)
            try:
                files += [self._with_unique_name(part) for part in parts_of(delivered)]
            except BadFile as error:
                self._refuse(self._with_unique_name(delivered), str(error))
        return files, len(self.report.errors) == errors_before

    def _refuse(self, file: DeliveredFile, reason: str) -> None:
        self.report.errors.append(reason)
        self.report.verdicts[file.name] = {MALFORMED: 1}
        _audit(self.log, file, "unknown", MALFORMED, 1, None, None)
        record_rejects(self.log, file.name, [Rejected(0, reason, kind_of_content(file))], self.now)

    def _with_unique_name(self, file: DeliveredFile) -> DeliveredFile:
        """The file under a name that is unique in this import: two folders may hold files of the same name."""
        names = chain([file.name], (f"{file.name} ({number})" for number in count(2)))
        name = next(name for name in names if name not in self.names)
        self.names.add(name)
        return replace(file, name=name)


def _without_refused_demo(histories: list[ParsedFile], takes_demo: bool, report: ImportReport) -> list[ParsedFile]:
    """Leave out demo data where the lake holds real data, or is about to."""
    demo = [history for history in histories if history.source == DEMO_SOURCE]
    if demo and (len(demo) < len(histories) or not takes_demo):
        names = sorted({printable(history.file.path.name) for history in demo})
        report.errors.append(f"{', '.join(names)}: {DEMO_STAYS_OUT}")
        return [history for history in histories if history.source != DEMO_SOURCE]
    return histories


def holds_demo(lake: DeltaLogs, table: Table) -> bool:
    """Whether a bronze table holds demo data, by the provenance of its last commit."""
    state = lake.state(table)
    return bool(state and state.provenance.rows and (state.provenance.parameters or {}).get("demo") == "true")


def holds_real(lake: DeltaLogs, table: Table) -> bool:
    """Whether a bronze table holds real data."""
    state = lake.state(table)
    return bool(state and state.provenance.rows and (state.provenance.parameters or {}).get("demo") != "true")


def _commit(lake: Lake, histories: list[ParsedFile], log: RunLog, now: datetime, report: ImportReport) -> None:
    is_real = histories[0].source != DEMO_SOURCE
    with lake.readable_by_workers([history.plays for history in histories]) as readable:
        plays = lake.spark.read.parquet(*readable)
        # The number of tasks that look for duplicates grows with the number of plays.
        footers = [pq.read_metadata(history.plays) for history in histories]
        count = sum(footer.num_rows for footer in footers)
        plays_by_id = plays.repartition(1 + count // PLAYS_PER_TASK, "play_id")
        # The time is part of the id, so a known play is within the time range of the new ones.
        in_time_range = F.col("played_at").between(*_time_range(footers))
        listeners = {history.file.listener for history in histories}
        known = lake.read(listening_history_bronze, listeners).where(in_time_range)
        # Not cached: reading the Parquet files a second time costs a fraction of caching them.
        outcomes = _with_outcome(plays_by_id, known)
        _record(outcomes, histories, log, now, report)
        has_exports = any(history.source != spotify_api.SOURCE for history in histories)
        if has_exports and len(listeners | _listeners_in(lake)) > 1:
            others = lake.read(listening_history_bronze).where(in_time_range)
            report.warnings = find_shared_exports(plays, others, count)
            _record_warnings(report.warnings, log, now)
        if report.new_plays:
            duplicates = sum(verdicts.get(DUPLICATE, 0) for verdicts in report.verdicts.values())
            new_plays = _without_duplicates(plays, outcomes, duplicates).withColumn("ingested_at", F.lit(now))
            # Spotify reports the end of a play and how long it was heard.
            started_at = F.timestamp_micros(F.unix_micros("played_at") - F.col("ms_played") * 1000)
            new_plays = new_plays.withColumn("started_at", started_at)
            new_plays = new_plays.select(*(column.name for column in listening_history_bronze.columns))
            _write(lake, new_plays, Provenance(log.run_id, parameters={"demo": str(not is_real).lower()}), report)
    log.count(new_plays=report.new_plays)


def _time_range(footers: Iterable[pq.FileMetaData]) -> tuple[Column, Column]:
    """The first and the last `played_at` of Parquet files, null where they hold no plays."""
    statistics = [statistics_of(footer) for footer in footers if footer.num_rows]
    first = min((each["minValues"]["played_at"] for each in statistics), default=None)
    last = max((each["maxValues"]["played_at"] for each in statistics), default=None)
    return F.lit(first), F.lit(last)


def _write(lake: Lake, new_plays: DataFrame, provenance: Provenance, report: ImportReport) -> None:
    """Append the new plays; if they are the first real ones, they replace the demo plays."""
    state = lake.state(listening_history_bronze)
    if holds_demo(lake, listening_history_bronze) and (provenance.parameters or {}).get("demo") == "false":
        lake.overwrite(listening_history_bronze, new_plays, provenance)
        report.removed_demo = True
    else:
        rows_before, likely_rows = state.provenance.rows if state else 0, report.new_plays
        lake.append(listening_history_bronze, new_plays, provenance, rows_before=rows_before, likely_rows=likely_rows)


def _without_duplicates(plays: DataFrame, outcomes: DataFrame, count: int) -> DataFrame:
    """The plays that are not duplicates; rows are shuffled only where the duplicates are too many to broadcast."""
    if not count:
        return plays
    duplicates = outcomes.where(F.col("outcome") == DUPLICATE).select("source_file", "row_number")
    if count <= MOST_BROADCAST_DUPLICATES:
        duplicates = F.broadcast(duplicates)
    return plays.join(duplicates, on=["source_file", "row_number"], how="left_anti")


def _with_outcome(plays: DataFrame, known: DataFrame) -> DataFrame:
    """Each play with its verdict, or 'duplicate' where bronze or an earlier record has it."""
    first_report = Window.partitionBy("listener", "play_id").orderBy("source_file", "row_number")
    in_bronze = known.select("listener", "play_id", F.lit(True).alias("is_known"))
    is_duplicate = F.col("is_known").isNotNull() | (F.row_number().over(first_report) > 1)
    return plays.join(in_bronze, on=["listener", "play_id"], how="left").withColumn(
        "outcome", F.when(is_duplicate, DUPLICATE).otherwise(F.col("verdict"))
    )


def _listeners_in(lake: DeltaLogs) -> set[str]:
    state = lake.state(listening_history_bronze)
    return set((state.provenance.parts or {}) if state else {})


def _record_warnings(warnings: list[str], log: RunLog, now: datetime) -> None:
    log.add(
        QUALITY_RESULTS, table_name=listening_history_bronze.name, check_name="exports_of_one_listener",
        severity="warn", passed=not warnings, failing_rows=0, checked_at=now,
        detail="; ".join(warnings) or "no export is that of two listeners",
    )  # fmt: skip


def _record(outcomes: DataFrame, histories: list[ParsedFile], log: RunLog, now: datetime, report: ImportReport) -> None:
    """Write the audit and the rejects before the commit, so that a kill in between loses neither."""
    counts = outcomes.groupBy("source_file", "outcome").agg(
        F.count("*").alias("records"), F.min("played_at").alias("first"), F.max("played_at").alias("last")
    )
    entries = [
        (row["source_file"], row["outcome"], row["records"], row["first"].astimezone(), row["last"].astimezone())
        for row in counts.collect()  # a few verdicts per file
    ]
    delivered = {history.file.name: history for history in histories}
    report.verdicts |= {name: {} for name in sorted(delivered)}
    for history in histories:
        name = history.file.name
        entries += [(name, verdict, each.count, each.first, each.last) for verdict, each in history.excluded.items()]
        if history.rejected:
            entries.append((name, MALFORMED, len(history.rejected), None, None))
        record_rejects(log, name, history.rejected, now)
    for name, verdict, records, first, last in sorted(entries, key=lambda entry: entry[:2]):
        _audit(log, delivered[name].file, delivered[name].source, verdict, records, first, last)
        report.verdicts.setdefault(name, {})[verdict] = records
        report.new_plays += records if verdict in PLAY_VERDICTS else 0


def _audit(
    log: RunLog,
    file: DeliveredFile,
    source: str,
    verdict: str,
    records: int,
    first: datetime | None,
    last: datetime | None,
) -> None:
    log.add(
        IMPORT_AUDIT, listener=file.listener, source_file=file.name, source=source, verdict=verdict,
        record_count=records, first_played_at=first, last_played_at=last,
    )  # fmt: skip
