"""Reads and writes the lake. The writer here is the only one: it enforces contracts before it commits."""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lakehouse.contract import Table
from lakehouse.lake.checks import CheckResult, Evaluation, collect_with_checks, enforce, evaluate_rows
from lakehouse.lake.commit import ROWS_PER_FILE, Commit, Mode, escaped
from lakehouse.lake.logs import OpenLog, store_for
from lakehouse.lake.parts import next_version, rows_of, with_more_rows, with_results
from lakehouse.lake.provenance import Provenance, TableState
from lakehouse.lake.schema import conform, has_contract_schema, no_rows, partitioning_of, schema_of
from lakehouse.lake.uncommitted_files import UncommittedFiles, folder_of_partitions
from lakehouse.lake.upkeep import TableUpkeep
from lakehouse.lake.writer import StillWriter
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.lake.object_store import ObjectStore

# Up to this size rows come to the driver and delta-rs writes them: planning a write takes Spark most of a second.
SMALL_ROWS = 250_000


@dataclass(frozen=True)
class Written:
    """A commit and the checks it passed, warnings included."""

    state: TableState
    checks: tuple[CheckResult, ...]


class Lake(TableUpkeep):
    """The Delta tables below one URI, with a Spark session that reads and writes them.

    Reading a table that was never written gives an empty frame of the contract's schema.
    """

    def __init__(
        self,
        uri: str,
        spark: SparkSession,
        *,
        store: "ObjectStore | None" = None,
        opened: dict[str, OpenLog] | None = None,
        still_writer: StillWriter = lambda: None,
    ) -> None:
        """Open the lake; `open_lake` does so by the settings.

        Args:
            uri: the lake's root.
            spark: the run's session.
            store: the object store that it is in; None for a folder.
            opened: keeps open logs, see `DeltaLogs`.
            still_writer: called before each commit; raises where another writer took over.
        """
        super().__init__(uri, store=store, opened=opened, still_writer=still_writer)
        self.spark = spark

    @contextmanager
    def readable_by_workers(self, files: Sequence[Path]) -> Iterator[list[str]]:
        """URIs of local files for Spark to read: workers of a cluster do not see this machine's files."""
        if self._store:
            with self._store.uploaded(files) as uris:
                yield uris
        else:
            yield [str(file) for file in files]

    def read(self, table: Table, listeners: Collection[str] | None = None) -> DataFrame:
        """The table's rows, or none where it was never written.

        Args:
            table: the table.
            listeners: of a table by listener, only these listeners' rows; None for all.
        """
        log = self.open(table)
        if log is None:
            return self._no_rows(schema_of(table))
        if not log.is_plain:
            rows = self.spark.read.format("delta").load(self.location(table))
            return rows if listeners is None else rows.where(F.col("listener").isin(*listeners))
        # To find these files, Spark's Delta would run a job or two per query.
        names = [name for name, of in log.files.items() if listeners is None or of is None or of in listeners]
        stored = T.StructType.fromJson(json.loads(log.delta.schema().to_json()))
        if not names:
            return self._no_rows(stored)
        # Spark takes partitions from paths, and wants all paths of a frame below one folder.
        by_folder: dict[str, list[str]] = {}
        for name in names:
            by_folder.setdefault(folder_of_partitions(name), []).append(f"{self.location(table)}/{name}")
        frames = [
            self.spark.read.schema(stored)
            .option("basePath", f"{self.location(table)}/{folder}")
            .parquet(*map(escaped, paths))
            # Columns of partitions come last.
            .select(*stored.names)
            for folder, paths in by_folder.items()
        ]
        return reduce(DataFrame.unionAll, frames)

    def _no_rows(self, schema: T.StructType) -> DataFrame:
        # From Arrow: a Python worker would read an empty list.
        return self.spark.createDataFrame(no_rows(schema), schema)

    def create(self, table: Table) -> None:
        """Write a table without rows; its commit has no inputs."""
        self.commit(table, no_rows(schema_of(table)), Provenance(run_id=""), mode="overwrite")

    def overwrite(
        self,
        table: Table,
        frame: DataFrame,
        provenance: Provenance,
        *,
        likely_rows: int = 0,
        rewrite: bool = False,
        listeners: Collection[str] | None = None,
    ) -> Written:
        """Replace rows of a table, if the new ones keep the contract.

        Where they equal the stored rows, only the provenance is committed: the table keeps its version, and nothing
        downstream is out of date. In a table by listener the same holds for each listener.

        Args:
            table: the table to write.
            frame: its rows.
            provenance: stored with the commit; rows and digest are set here, of its parts as well.
            likely_rows: estimate of their number for a new table; a wrong guess costs only time.
            rewrite: write equal rows too, which replaces files that were harmed.
            listeners: those that the rows are about, whose rows are replaced; None for all.

        Raises:
            ContractViolation: names every difference; the last good version stays.
        """
        state, log = self.state(table), self.log(table)
        likely_rows = rows_of(state, listeners) if state else likely_rows
        with self._computed(table, conform(table, frame), likely_rows) as (rows, evaluation):
            keeps = state is not None and not rewrite and self.has_contract_schema(table)
            version = next_version(log)
            provenance = with_results(table, provenance, evaluation, state if keeps else None, version, listeners)
            if keeps and state and (state.provenance.digest, state.provenance.rows) == (
                provenance.digest, provenance.rows,
            ):  # fmt: skip
                self._commit_provenance(table, state, provenance)
            else:
                self.commit(table, rows, provenance, mode="overwrite", listeners=listeners)
        return self.written(table, evaluation.checks)

    def has_contract_schema(self, table: Table) -> bool:
        """Whether a table is stored as its contract says, so that rows of some listeners can be replaced."""
        log = self.log(table)
        return log is not None and has_contract_schema(log, table)

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
        """Add rows to a table, if they keep the contract; the caller has left out keys that it holds already.

        Args:
            table: the table to add to.
            frame: the new rows.
            provenance: stored with the commit; its `rows` is set to `rows_before` plus the new ones.
            rows_before: rows in the table now.
            once: names this append: a second one of the same name does nothing.
            likely_rows: estimate of the number of new rows; a wrong guess costs only time.

        Raises:
            ContractViolation: names every difference; nothing was added.
        """
        state = self.state(table)
        with self._computed(table, conform(table, frame), likely_rows) as (rows, evaluation):
            provenance = replace(
                provenance,
                rows=rows_before + evaluation.rows,
                parts=with_more_rows(table, evaluation, state, next_version(self.log(table))),
            )
            self.commit(table, rows, provenance, mode="append", once=once)
        return self.written(table, evaluation.checks)

    def commit(
        self,
        table: Table,
        rows: pa.Table | UncommittedFiles,
        provenance: Provenance,
        *,
        mode: Mode,
        listeners: Collection[str] | None = None,
        once: str | None = None,
    ) -> None:
        """Commit rows that were checked; see `Commit`."""
        # The log first: in an object store the commit is bound to this version, and the lease is checked after it.
        log = self.log(table)
        self._still_writer()
        location, options = self.location(table), self.options
        replaced = None if listeners is None else sorted(listeners)
        commit = Commit(table, location, options, provenance, mode, replaced, once, retries=self._store is None)
        commit.write(log, rows, self.spark)
        self.committed(table)

    def written(self, table: Table, checks: Iterable[CheckResult]) -> Written:
        """The result of a commit that was made just now."""
        state = self.state(table)
        assert state is not None, f"{table.name} was written just now"
        return Written(state, tuple(checks))

    def _commit_provenance(self, table: Table, state: TableState, provenance: Provenance) -> None:
        provenance = replace(provenance, same_as=state.version)
        self.commit(table, no_rows(schema_of(table)), provenance, mode="append")

    @contextmanager
    def _computed(
        self, table: Table, frame: DataFrame, likely_rows: int
    ) -> Iterator[tuple[pa.Table | UncommittedFiles, Evaluation]]:
        """The rows of a frame, computed once, with the results of all checks.

        Few rows come to the driver. Many are written to files and checked there; files that are not committed are
        deleted.
        """
        if likely_rows <= SMALL_ROWS and (rows := collect_with_checks(table, frame, SMALL_ROWS)) is not None:
            yield rows.select(frame.columns), evaluate_rows(table, rows)
            return
        files = UncommittedFiles(self.location(table), self.options)
        try:
            # Few files of a good size, whatever the number of partitions was.
            cores = self.spark.sparkContext.defaultParallelism
            partitioning = partitioning_of(table)
            # Tasks that made listeners' rows wrote them apart already.
            few = frame if partitioning else frame.coalesce(max(cores, 1 + likely_rows // ROWS_PER_FILE))
            files.write(few, partitioning)
            yield files, enforce(table, self.spark.read.schema(frame.schema).parquet(escaped(files.uri)))
        finally:
            if not files.is_committed:
                files.delete()


def open_lake(
    settings: Settings,
    spark: SparkSession,
    *,
    opened: dict[str, OpenLog] | None = None,
    still_writer: StillWriter = lambda: None,
) -> Lake:
    """The lake that the settings name, for reading and writing.

    Raises:
        LakehouseError: it is in an object store that does not answer, or refuses.
    """
    return Lake(settings.lake_uri, spark, store=store_for(settings), opened=opened, still_writer=still_writer)
