"""Reads and writes the lake. The writer here is the only one: it enforces contracts before it commits.

What a commit was made from (`Provenance`) is stored in the commit itself, so that a table and the record of its making
can never disagree. Table states are read from the Delta logs with delta-rs, which needs no Spark.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError, TableNotFoundError
from deltalake.transaction import create_table_with_add_actions
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakehouse.contract import Table
from lakehouse.errors import LakehouseError
from lakehouse.lake.checks import (
    DIGEST,
    CheckResult,
    Evaluation,
    collect_with_checks,
    enforce,
    evaluate_rows,
    row_digest,
)
from lakehouse.lake.provenance import Provenance, TableState, commit_metadata, newest_state
from lakehouse.lake.schema import (
    conform,
    description_of,
    has_contract_schema,
    no_rows,
    schema_of,
    with_arrow_comments,
    with_comments,
)
from lakehouse.lake.uncommitted_files import StagedFiles, are_there
from lakehouse.lake.writer import StillWriter
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.lake.object_store import ObjectStore

# Up to here rows come to the driver, and delta-rs writes them: Spark plans a write for most of a second.
SMALL_ROWS = 250_000
ROWS_PER_FILE = 2_000_000
# Readers of an older version, such as a long query in Trino, have this long to finish.
KEEP_HOURS = 7 * 24


class DamagedTable(LakehouseError):
    """A table whose log cannot be read; says what to do."""

    def __init__(self, table: Table, location: str, reason: str) -> None:
        """Tell of a table that was made from others, and can be again, or of one whose rows came from outside."""
        if table.transform is None:
            remedy = "restore a backup, or move this folder away and import again"
        else:
            remedy = "the next `lakehouse run` makes it anew"
        super().__init__(f"{table.name} is damaged, {location} cannot be read ({reason}): {remedy}")


@dataclass(frozen=True)
class Written:
    """A commit and the checks it passed, warnings included."""

    state: TableState
    checks: tuple[CheckResult, ...]


class Lake:
    """The Delta tables below one URI.

    Reading a table that was never written gives an empty frame of the contract's schema.
    """

    def __init__(
        self,
        uri: str,
        spark: SparkSession | None = None,
        *,
        store: "ObjectStore | None" = None,
        still_writer: StillWriter = lambda: None,
    ) -> None:
        """Open the lake; `open_lake` does so by the settings.

        Args:
            uri: where it is.
            spark: without it only states can be read.
            store: the object store that it is in; None for a folder.
            still_writer: asked before each commit; raises where somebody else writes by now.
        """
        self.uri = uri.rstrip("/")
        self._spark = spark
        self._store = store
        self._still_writer = still_writer

    @property
    def spark(self) -> SparkSession:
        """The run's session."""
        if self._spark is None:
            raise RuntimeError("this lake was opened without Spark, for looking at states only")
        return self._spark

    def location(self, table: Table) -> str:
        """Where a table lies."""
        return f"{self.uri}/{table.location}"

    def state(self, table: Table) -> TableState | None:
        """The newest commit of ours, or None where the table was never written.

        Commits that change no rows (OPTIMIZE) are passed over, so a table's version here moves only when its rows may
        have changed. A commit that somebody else made does move it; then `code` is '', as nobody knows how it was made.

        Raises:
            DamagedTable: its log cannot be read.
        """
        log = self.log(table)
        if log is None:
            return None
        try:
            return newest_state(log)
        except (DeltaError, OSError) as error:
            raise self._told(table, error) from None

    def log(self, table: Table) -> DeltaTable | None:
        """A table's log, which also reads its rows without Spark; None where it was never written.

        Raises:
            DamagedTable: it cannot be read.
        """
        try:
            return DeltaTable(self.location(table), storage_options=self._options())
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise self._told(table, error) from None

    def exists(self, table: Table) -> bool:
        """Whether a table was ever written, damaged or not."""
        return DeltaTable.is_deltatable(self.location(table), storage_options=self._options())

    def newest_commit(self, table: Table) -> dict[str, Any]:
        """The newest commit of a table that exists, whatever it did.

        Raises:
            DamagedTable: its log cannot be read.
        """
        log = self.log(table)
        try:
            return log.history(1)[0] if log else {}
        except (DeltaError, OSError) as error:
            raise self._told(table, error) from None

    def _options(self) -> dict[str, str] | None:
        return self._store.delta_options() if self._store else None

    def _told(self, table: Table, error: Exception) -> Exception:
        """What to raise for a log that could not be read, which is no damage when the object store is to blame."""
        reason = str(error).splitlines()[0]
        if isinstance(error, DeltaError):
            return DamagedTable(table, self.location(table), reason)
        if self._store:
            self._store.require()
            return LakehouseError(f"{table.name} could not be read from {self._store.uri} ({reason}): run it again")
        return error

    def set_aside(self, table: Table, name: str) -> str:
        """Move a damaged table out of the way of a new one; returns where its files are then."""
        aside = f"{table.location}.{name}"
        self._still_writer()
        if self._store:
            self._store.move(table.location, aside)
        else:
            folder = Path(self.location(table).removeprefix("file://"))
            folder.rename(folder.with_name(f"{folder.name}.{name}"))
        return f"{self.uri}/{aside}".removeprefix("file://")

    @contextmanager
    def within_reach(self, files: Sequence[Path]) -> Iterator[list[str]]:
        """Local files as Spark can read them, for a while: workers of a cluster see no file of this machine."""
        if self._store:
            with self._store.staged(files) as staged:
                yield staged
        else:
            yield [str(file) for file in files]

    def read(self, table: Table) -> DataFrame:
        """The table's rows, or none where it was never written."""
        log = self.log(table)
        if log is None:
            return self._nothing(schema_of(table))
        if not _is_plain(log):
            return self.spark.read.format("delta").load(self.location(table))
        # Spark's Delta would find these files by a job or two per query.
        return self._of_files(table, log, _files_of(log))

    def _of_files(self, table: Table, log: DeltaTable, names: list[str]) -> DataFrame:
        """The rows of some of a table's files."""
        stored = T.StructType.fromJson(json.loads(log.schema().to_json()))
        if not names:
            return self._nothing(stored)
        return self.spark.read.schema(stored).parquet(*(_literal(f"{self.location(table)}/{name}") for name in names))

    def _nothing(self, schema: T.StructType) -> DataFrame:
        # From Arrow: an empty list would be read by a Python worker.
        return self.spark.createDataFrame(no_rows(schema), schema)

    def create(self, table: Table) -> None:
        """Write a table without rows; its commit is made from nothing."""
        self._commit(table, no_rows(schema_of(table)), Provenance(run_id=""), mode="overwrite")

    def overwrite(
        self,
        table: Table,
        frame: DataFrame,
        provenance: Provenance,
        *,
        likely_rows: int = 0,
        anew: bool = False,
    ) -> Written:
        """Replace all rows of a table, if the new ones keep the contract.

        Where they are the rows that are there already, only the provenance is committed: the table keeps its version,
        and nothing that is made from it has news.

        Args:
            table: the table to write.
            frame: its rows.
            provenance: stored with the commit; rows and digest are set here.
            likely_rows: about how many there are, where the table has none yet to tell; a wrong guess costs time only.
            anew: write the rows also where they are the same: files that were harmed are replaced.

        Raises:
            ContractViolation: names every difference; the last good version stays.
        """
        state = self.state(table)
        likely_rows = state.provenance.rows if state else likely_rows
        with self._looked_at(table, conform(table, frame), likely_rows) as (rows, looked):
            provenance = replace(provenance, rows=looked.rows, digest=looked.digest)
            if state and not anew and self._holds(table, state, provenance):
                self._commit_same(table, state, provenance)
            else:
                self._commit(table, rows, provenance, mode="overwrite")
        return self._written(table, looked.checks)

    def append(
        self,
        table: Table,
        frame: DataFrame,
        provenance: Provenance,
        *,
        rows_before: int = 0,
        once: str | None = None,
        likely_rows: int = 0,
    ) -> Written:
        """Add rows to a table, if they keep the contract; keys already there are the caller's business.

        Args:
            table: the table to add to.
            frame: the new rows.
            provenance: stored with the commit; its `rows` is set to `rows_before` plus the new ones.
            rows_before: rows in the table now.
            once: names this append: a second one of the same name does nothing.
            likely_rows: about how many are added; a wrong guess costs time only.

        Raises:
            ContractViolation: names every difference; nothing was added.
        """
        with self._looked_at(table, conform(table, frame), likely_rows) as (rows, looked):
            provenance = replace(provenance, rows=rows_before + looked.rows)
            self._commit(table, rows, provenance, mode="append", once=once)
        return self._written(table, looked.checks)

    def keep(self, table: Table, provenance: Provenance) -> Written:
        """Record that a table's rows are still those that its inputs make: it keeps its version.

        Args:
            table: the table; it was written before.
            provenance: stored with the commit; rows and digest are set here.
        """
        state = self.state(table)
        assert state is not None, f"{table.name} was never made"
        stored = state.provenance
        self._commit_same(table, state, replace(provenance, rows=stored.rows, digest=stored.digest))
        return self._written(table, ())

    def _commit_same(self, table: Table, state: TableState, provenance: Provenance) -> None:
        nothing = no_rows(schema_of(table))
        self._commit(table, nothing, replace(provenance, same_as=state.version), mode="append")

    def appended(self, table: Table, since: int) -> DataFrame | None:
        """The rows that were added after a version; None where that is not all that happened to the table's files."""
        if (versions := self._files_then_and_now(table, since)) is None:
            return None
        (_, gone), (log, new) = versions
        return None if gone else self._of_files(table, log, new)

    def changed_keys(self, table: Table, since: int) -> DataFrame | None:
        """The keys of rows that came, went or changed after a version; None where its files are no longer there."""
        versions = self._files_then_and_now(table, since)
        if versions is None or not are_there(self.location(table), self._options(), versions[0][1]):
            return None
        frames = [self._of_files(table, log, names) for log, names in versions]
        before, now = (frame.selectExpr(*table.key, f"{row_digest(frame)} AS {DIGEST}") for frame in frames)
        by_key = before.unionAll(now).groupBy(*table.key)
        found = by_key.agg(F.count(F.lit(1)).alias("rows"), F.min(DIGEST).alias("least"), F.max(DIGEST).alias("most"))
        return found.where("rows = 1 OR least <> most").select(*table.key)

    def _files_then_and_now(
        self, table: Table, since: int
    ) -> tuple[tuple[DeltaTable, list[str]], tuple[DeltaTable, list[str]]] | None:
        """A table's log at a version and now, each with the files that the other has not; None where that tells less.

        That is where the log no longer reaches back so far, or rows are not those of the files alone.
        """
        now = self.log(table)
        # An input that was not there has the version -1.
        if now is None or since < 0:
            return None
        try:
            then = DeltaTable(self.location(table), version=since, storage_options=self._options())
        except DeltaError:
            return None
        if not (_is_plain(now) and _is_plain(then)):
            return None
        names_then, names_now = set(_files_of(then)), set(_files_of(now))
        return (then, sorted(names_then - names_now)), (now, sorted(names_now - names_then))

    def grow(self, table: Table, frame: DataFrame, since: int, provenance: Provenance) -> Written | None:
        """Add the rows of a frame that a table has not, where the frame has all that the table has from an instant on.

        Args:
            table: the table, with a `growth`.
            frame: its rows from that instant on.
            since: the instant, in microseconds since 1970.
            provenance: stored with the commit; rows and digest are set here.

        Returns:
            None where the table has other rows from then on, or there are too many to tell: nothing was written.

        Raises:
            ContractViolation: names every difference; nothing was added.
        """
        state, growth = self.state(table), table.growth
        assert state is not None and growth is not None, f"{table.name} was never made, or does not grow"
        stored = self.read(table).where(F.col(growth.by) >= F.timestamp_micros(F.lit(since)))
        known = stored.selectExpr(f"{row_digest(stored)} AS {DIGEST}").limit(SMALL_ROWS + 1).toArrow()[DIGEST]
        seen = collect_with_checks(table, conform(table, frame), SMALL_ROWS)
        if seen is None or len(known) > SMALL_ROWS or not pc.all(pc.is_in(known, seen[DIGEST]), min_count=0).as_py():
            return None
        added = seen.filter(pc.invert(pc.is_in(seen[DIGEST], known)))
        looked = evaluate_rows(table, added)
        digest = int(state.provenance.digest, 16) ^ int(looked.digest, 16)
        provenance = replace(provenance, rows=state.provenance.rows + looked.rows, digest=f"{digest:x}")
        if not looked.rows:
            provenance = replace(provenance, same_as=state.version)
        self._commit(table, added.select(frame.columns), provenance, mode="append")
        return self._written(table, looked.checks)

    def _holds(self, table: Table, state: TableState, provenance: Provenance) -> bool:
        """Whether the table has these rows already, and the contract's columns and comments."""
        stored = state.provenance
        log = self.log(table)
        is_same = (stored.digest, stored.rows) == (provenance.digest, provenance.rows)
        return is_same and log is not None and has_contract_schema(log, table)

    def compact(self, table: Table) -> None:
        """Join a table's small files, and delete files that no version of the last `KEEP_HOURS` holds.

        The log is kept no longer either, and from then on readers open few commits one by one.

        Raises:
            DamagedTable: its log cannot be read.
        """
        if log := self.log(table):
            self._still_writer()
            upkeep = {"delta.logRetentionDuration": f"interval {KEEP_HOURS} hours", "delta.checkpointInterval": "10"}
            if not upkeep.items() <= log.metadata().configuration.items():
                log.alter.set_table_properties(upkeep)
            log.optimize.compact()
            log.vacuum(KEEP_HOURS, dry_run=False, full=True)

    @contextmanager
    def _looked_at(
        self, table: Table, frame: DataFrame, likely_rows: int
    ) -> Iterator[tuple[pa.Table | StagedFiles, Evaluation]]:
        """The rows of a frame, computed once, and what `enforce` tells of them.

        Few rows come to the driver. Many are written to files, looked at there, and are deleted if nobody commits them.
        """
        if likely_rows <= SMALL_ROWS and (seen := collect_with_checks(table, frame, SMALL_ROWS)) is not None:
            yield seen.select(frame.columns), evaluate_rows(table, seen)
            return
        staged = StagedFiles(self.location(table), self._options())
        try:
            # Few files of a good size, whatever the number of partitions was.
            cores = self.spark.sparkContext.defaultParallelism
            staged.write(frame.coalesce(max(cores, 1 + likely_rows // ROWS_PER_FILE)))
            yield staged, enforce(table, self.spark.read.schema(frame.schema).parquet(_literal(staged.uri)))
        finally:
            if not staged.is_committed:
                staged.delete()

    def _commit(
        self,
        table: Table,
        rows: pa.Table | StagedFiles,
        provenance: Provenance,
        *,
        mode: Literal["append", "overwrite"],
        once: str | None = None,
    ) -> None:
        # In an object store the version to commit is fixed before the lease is asked for, and tried once: a writer who
        # stood still and lost it meanwhile cannot commit after the new one.
        log = self.log(table)
        self._still_writer()
        if log is not None and once and log.transaction_version(once) is not None:
            return
        if log is not None and not has_contract_schema(log, table):
            self._redescribe(table, rows, provenance, mode=mode, once=once)
            return
        properties = CommitProperties(
            custom_metadata={"userMetadata": commit_metadata(provenance)},
            max_commit_retries=0 if self._store else None,
            app_transactions=[Transaction(once, 1)] if once else None,
        )
        if isinstance(rows, StagedFiles):
            self._take_in(table, log, rows, properties, mode=mode)
        else:
            write_deltalake(
                self.location(table) if log is None else log, with_arrow_comments(table, rows), mode=mode,
                description=description_of(table), storage_options=self._options(), commit_properties=properties,
            )  # fmt: skip

    def _take_in(
        self,
        table: Table,
        log: DeltaTable | None,
        staged: StagedFiles,
        properties: CommitProperties,
        *,
        mode: Literal["append", "overwrite"],
    ) -> None:
        schema = DeltaSchema.from_arrow(with_arrow_comments(table, no_rows(schema_of(table))).schema)
        if log is None:
            create_table_with_add_actions(
                self.location(table), schema, staged.actions(), mode="error", description=description_of(table),
                storage_options=self._options(), commit_properties=properties,
            )  # fmt: skip
        else:
            log.create_write_transaction([*staged.actions()], mode, schema, commit_properties=properties)
        staged.is_committed = True

    def _redescribe(
        self,
        table: Table,
        rows: pa.Table | StagedFiles,
        provenance: Provenance,
        *,
        mode: Literal["append", "overwrite"],
        once: str | None,
    ) -> None:
        """Commit rows together with the contract's columns and comments, which the stored table does not have."""
        if isinstance(rows, StagedFiles):
            frame = self.spark.read.schema(schema_of(table)).parquet(_literal(rows.uri))
        else:
            frame = self.spark.createDataFrame(rows, schema_of(table))
        frame, metadata = (
            with_comments(table, frame.coalesce(1 + provenance.rows // ROWS_PER_FILE)),
            commit_metadata(provenance),
        )
        if mode == "overwrite":
            writer = frame.writeTo(f"delta.`{self.location(table)}`").using("delta")
            writer = writer.tableProperty("comment", description_of(table))
            writer.option("userMetadata", metadata).createOrReplace()
            return
        writer_to = frame.write.format("delta").mode(mode).option("userMetadata", metadata)
        if once:
            writer_to = writer_to.option("txnAppId", once).option("txnVersion", 1)
        writer_to.option("mergeSchema", "true").save(self.location(table))

    def _written(self, table: Table, checks: Iterable[CheckResult]) -> Written:
        state = self.state(table)
        assert state is not None, f"{table.name} was written just now"
        return Written(state, tuple(checks))


def open_lake(
    settings: Settings, spark: SparkSession | None = None, *, still_writer: StillWriter = lambda: None
) -> Lake:
    """The lake that the settings name.

    Raises:
        LakehouseError: it is in an object store that does not answer, or refuses.
    """
    if not settings.is_in_object_store:
        return Lake(settings.lake_uri, spark, still_writer=still_writer)
    from lakehouse.lake.object_store import store_of

    store = store_of(settings)
    store.require()
    return Lake(settings.lake_uri, spark, store=store, still_writer=still_writer)


def _literal(path: str) -> str:
    """A path as Spark's file reader takes it, which reads patterns."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)


def _files_of(log: DeltaTable) -> list[str]:
    """Names of a table's files, below its folder."""
    return [str(name) for name in log.get_add_actions()["path"].to_pylist()]


def _is_plain(log: DeltaTable) -> bool:
    """Whether a table's rows are those of its files, and no more: nobody switched on, say, deletion vectors."""
    protocol = log.protocol()
    features = set(protocol.reader_features or ())
    return protocol.min_reader_version == 1 or (protocol.min_reader_version == 3 and features <= {"timestampNtz"})
