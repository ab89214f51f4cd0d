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

from bronze.delivered.delivered_files import DEMO_STAYS_OUT, BadFile, DeliveredFile, files_at, parts_of, printable
from bronze.delivered.history_files import DEMO_SOURCE, StagedFile, beginning_of, stage_all
from lakehouse.contract import Table, accepted_values, source_table
from lakehouse.contract.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.lake.uncommitted_files import statistics_of
from lakehouse.runlog.import_report import ImportReport
from lakehouse.runlog.spool import RunLog

DUPLICATE = "duplicate"
MALFORMED = "malformed"
PLAYS_PER_TASK = 250_000
# Each takes some hundred bytes in the memory of every task.
MOST_BROADCAST_REPEATS = 250_000

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
    lake: Lake,
    paths: Iterable[Path],
    log: RunLog,
    now: datetime,
    *,
    takes_demo: bool = True,
    on_file: Callable[[str], None] = lambda name: None,
) -> ImportReport:
    """Import every listening history at the paths in one commit; importing anything again changes nothing.

    A file that cannot be read is refused as a whole, named in `errors` and kept in `ops.rejected_rows`; the others are
    imported. The first real plays remove all demo plays; demo data does not enter a lake of real data.

    Args:
        lake: where to.
        paths: zips, folders and files.
        log: takes the audit and the rejected records.
        now: the current time; later plays are rejected.
        takes_demo: False where the lake holds real data of another kind.
        on_file: called with each file's name before it is read.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-import-") as staging:
        intake = _Intake(Path(staging), log, now, on_file)
        staged = intake.stage(paths)
        takes_demo = takes_demo and not holds_real(lake, listening_history_bronze)
        staged = _apart_from_demo(staged, takes_demo, intake.report)
        if staged:
            _commit(lake, staged, log, now, intake.report)
    return intake.report


@dataclass
class _Intake:
    """Stages files, gives each a name of its own, and records those that are refused."""

    staging: Path
    log: RunLog
    now: datetime
    on_file: Callable[[str], None]
    report: ImportReport = field(default_factory=ImportReport)
    names: set[str] = field(default_factory=set)

    def stage(self, paths: Iterable[Path]) -> list[StagedFile]:
        """Every listening history at the paths."""
        found = [(path, *self._files_at(path)) for path in paths]
        every_file = [file for _, files, _ in found for file in files]
        staged = stage_all(every_file, self.staging, self.now, self.on_file)
        outcomes = {file.name: outcome for file, outcome in zip(every_file, staged, strict=True)}
        for path, files, all_readable in found:
            for file in files:
                outcome = outcomes[file.name]
                if isinstance(outcome, BadFile):
                    self._refuse(file, str(outcome))
                elif outcome is None:
                    self.report.ignored.append(file.name)
            if all_readable and not any(outcomes[file.name] for file in files):
                self.report.errors.append(f"{printable(path.name)} holds no listening history that is known here")
        return [outcome for outcome in staged if isinstance(outcome, StagedFile)]

    def _files_at(self, path: Path) -> tuple[list[DeliveredFile], bool]:
        """Every file at one path, also inside zips, and whether all zips can be read."""
        files, errors_before = [], len(self.report.errors)
        for delivered in files_at(path):
            try:
                files += [self._renamed(part) for part in parts_of(delivered)]
            except BadFile as error:
                self._refuse(self._renamed(delivered), str(error))
        return files, len(self.report.errors) == errors_before

    def _refuse(self, file: DeliveredFile, reason: str) -> None:
        self.report.errors.append(reason)
        self.report.verdicts[file.name] = {MALFORMED: 1}
        _audit(self.log, file.name, "unknown", MALFORMED, 1, None, None)
        self.log.add(
            REJECTED_ROWS, source_file=file.name, row_number=0, reason=reason, raw=beginning_of(file),
            rejected_at=self.now,
        )  # fmt: skip

    def _renamed(self, file: DeliveredFile) -> DeliveredFile:
        """The file under a name that no other file of this import has: two folders may hold files of one name."""
        names = chain([file.name], (f"{file.name} ({number})" for number in count(2)))
        name = next(name for name in names if name not in self.names)
        self.names.add(name)
        return replace(file, name=name)


def _apart_from_demo(staged: list[StagedFile], takes_demo: bool, report: ImportReport) -> list[StagedFile]:
    """Keep demo data out of a lake that holds, or is about to hold, real data."""
    demo = [file for file in staged if file.source == DEMO_SOURCE]
    if demo and (len(demo) < len(staged) or not takes_demo):
        names = sorted({printable(file.file.path.name) for file in demo})
        report.errors.append(f"{', '.join(names)}: {DEMO_STAYS_OUT}")
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
    with lake.within_reach([file.plays for file in staged]) as readable:
        plays = lake.spark.read.parquet(*readable)
        # Repeats are looked for by as many tasks as the plays deserve.
        footers = [pq.read_metadata(file.plays) for file in staged]
        plays_by_id = plays.repartition(1 + sum(footer.num_rows for footer in footers) // PLAYS_PER_TASK, "play_id")
        # A play that is there already has the same id, which is made of its time among others.
        known = lake.read(listening_history_bronze).where(F.col("played_at").between(*_first_and_last(footers)))
        # Not cached: reading the staged files a second time costs a fraction of caching them.
        outcomes = _with_outcome(plays_by_id, known)
        _record(outcomes, staged, log, now, report)
        if report.new_plays:
            repeats = sum(verdicts.get(DUPLICATE, 0) for verdicts in report.verdicts.values())
            fresh = _without_repeats(plays, outcomes, repeats).withColumn("ingested_at", F.lit(now))
            # Spotify reports the end of a play and how long it was heard.
            started_at = F.timestamp_micros(F.unix_micros("played_at") - F.col("ms_played") * 1000)
            fresh = fresh.withColumn("started_at", started_at)
            fresh = fresh.select(*(column.name for column in listening_history_bronze.columns))
            _write(lake, fresh, Provenance(log.run_id, parameters={"demo": str(not is_real).lower()}), report)
    log.count(new_plays=report.new_plays)


def _first_and_last(footers: Iterable[pq.FileMetaData]) -> tuple[Column, Column]:
    """The first and the last `played_at` of staged files, null where they hold no plays."""
    told = [statistics_of(footer) for footer in footers if footer.num_rows]
    first = min((each["minValues"]["played_at"] for each in told), default=None)
    last = max((each["maxValues"]["played_at"] for each in told), default=None)
    return F.lit(first), F.lit(last)


def _write(lake: Lake, fresh: DataFrame, provenance: Provenance, report: ImportReport) -> None:
    """Add the new plays; where they are the first real ones, they replace the demo plays."""
    state = lake.state(listening_history_bronze)
    if holds_demo(lake, listening_history_bronze) and (provenance.parameters or {}).get("demo") == "false":
        lake.overwrite(listening_history_bronze, fresh, provenance)
        report.removed_demo = True
    else:
        rows_before = state.provenance.rows if state else 0
        lake.append(listening_history_bronze, fresh, provenance, rows_before=rows_before, likely_rows=report.new_plays)


def _without_repeats(plays: DataFrame, outcomes: DataFrame, count: int) -> DataFrame:
    """The staged plays that are no duplicates; whole rows are moved and sorted only where repeats are very many."""
    if not count:
        return plays
    repeats = outcomes.where(F.col("outcome") == DUPLICATE).select("source_file", "row_number")
    if count <= MOST_BROADCAST_REPEATS:
        repeats = F.broadcast(repeats)
    return plays.join(repeats, on=["source_file", "row_number"], how="left_anti")


def _with_outcome(plays: DataFrame, known: DataFrame) -> DataFrame:
    """Each staged play with its verdict, or 'duplicate' where bronze or an earlier record has it."""
    first_report = Window.partitionBy("play_id").orderBy("source_file", "row_number")
    in_bronze = known.select("play_id", F.lit(True).alias("is_known"))
    is_repeat = F.col("is_known").isNotNull() | (F.row_number().over(first_report) > 1)
    return plays.join(in_bronze, on="play_id", how="left").withColumn(
        "outcome", F.when(is_repeat, DUPLICATE).otherwise(F.col("verdict"))
    )


def _record(outcomes: DataFrame, staged: list[StagedFile], log: RunLog, now: datetime, report: ImportReport) -> None:
    """Write the audit and the rejects before the commit, so that a kill in between loses neither."""
    counts = outcomes.groupBy("source_file", "outcome").agg(
        F.count("*").alias("records"), F.min("played_at").alias("first"), F.max("played_at").alias("last")
    )
    sources = {file.file.name: file.source for file in staged}
    found = [
        (row["source_file"], row["outcome"], row["records"], row["first"].astimezone(), row["last"].astimezone())
        for row in counts.collect()  # a few verdicts per file
    ]
    report.verdicts |= {name: {} for name in sorted(sources)}
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
