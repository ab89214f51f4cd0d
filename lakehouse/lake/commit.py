"""One commit to one table: rows that are in memory, or files that Spark has written, with their provenance."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.transaction import create_table_with_add_actions
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakehouse.contract import Table
from lakehouse.lake.provenance import Provenance, commit_metadata
from lakehouse.lake.schema import (
    description_of,
    has_contract_schema,
    no_rows,
    partitioning_of,
    schema_of,
    with_arrow_comments,
    with_comments,
)
from lakehouse.lake.uncommitted_files import UncommittedFiles

Mode = Literal["append", "overwrite"]

ROWS_PER_FILE = 2_000_000


@dataclass(frozen=True)
class Commit:
    """What is to be committed, and where.

    Attributes:
        table: the contract of the table.
        location: URI of its folder.
        options: how delta-rs reaches that.
        provenance: stored with the commit.
        mode: whether the rows replace those of the table.
        listeners: of a table by listener, those whose rows are replaced; None for all.
        once: names the commit: a second one of the same name does nothing; None for no name.
        retries: whether a commit that another one overtook is retried. In an object store it is not: the version is
            fixed before the lease is checked, so a writer that was paused and lost its lease cannot commit (fencing).
    """

    table: Table
    location: str
    options: dict[str, str] | None
    provenance: Provenance
    mode: Mode
    listeners: Sequence[str] | None
    once: str | None
    retries: bool

    def write(self, log: DeltaTable | None, rows: pa.Table | UncommittedFiles, spark: SparkSession) -> None:
        """Commit rows.

        Args:
            log: the table's log; None creates the table.
            rows: in memory, or in files.
            spark: commits where the stored table has other columns or comments than the contract.
        """
        if log is not None and self.once and log.transaction_version(self.once) is not None:
            return
        if log is not None and not has_contract_schema(log, self.table):
            self._evolve_schema(rows, spark)
        elif isinstance(rows, UncommittedFiles):
            self._add_files(log, rows)
        else:
            target, rows = self.location if log is None else log, with_arrow_comments(self.table, rows)
            options: dict[str, Any] = {
                "partition_by": partitioning_of(self.table) or None, "description": description_of(self.table),
                "storage_options": self.options, "commit_properties": self._properties(),
            }  # fmt: skip
            if self.mode == "append":
                write_deltalake(target, rows, mode="append", **options)
            else:
                write_deltalake(target, rows, mode="overwrite", predicate=self._predicate(), **options)

    def _predicate(self) -> str | None:
        """SQL for the rows that are replaced; None for all."""
        if self.listeners is None:
            return None
        names = ", ".join(f"'{name}'" for name in self.listeners)
        return f"listener IN ({names})"

    def _properties(self) -> CommitProperties:
        return CommitProperties(
            custom_metadata={"userMetadata": commit_metadata(self.provenance)},
            max_commit_retries=None if self.retries else 0,
            app_transactions=[Transaction(self.once, 1)] if self.once else None,
        )

    def _add_files(self, log: DeltaTable | None, files: UncommittedFiles) -> None:
        schema = DeltaSchema.from_arrow(with_arrow_comments(self.table, no_rows(schema_of(self.table))).schema)
        if log is None:
            create_table_with_add_actions(
                self.location, schema, files.actions(), mode="error", description=description_of(self.table),
                partition_by=partitioning_of(self.table), storage_options=self.options,
                commit_properties=self._properties(),
            )  # fmt: skip
        else:
            replaced = None if self.listeners is None else [("listener", "in", [*self.listeners])]
            log.create_write_transaction(
                [*files.actions()], self.mode, schema, partition_by=partitioning_of(self.table),
                partition_filters=replaced, commit_properties=self._properties(),
            )  # fmt: skip
        files.is_committed = True

    def _evolve_schema(self, rows: pa.Table | UncommittedFiles, spark: SparkSession) -> None:
        """Commit rows together with the contract's columns and comments, which the stored table does not have."""
        if isinstance(rows, UncommittedFiles):
            frame = spark.read.schema(schema_of(self.table)).parquet(escaped(rows.uri))
        else:
            frame = spark.createDataFrame(rows, schema_of(self.table))
        frame = with_comments(self.table, frame.coalesce(1 + self.provenance.rows // ROWS_PER_FILE))
        metadata = commit_metadata(self.provenance)
        if self.mode == "overwrite":
            replacing = frame.writeTo(f"delta.`{self.location}`").using("delta")
            replacing = replacing.tableProperty("comment", description_of(self.table))
            for column in partitioning_of(self.table):
                replacing = replacing.partitionedBy(F.col(column))
            replacing.option("userMetadata", metadata).createOrReplace()
            return
        appending = frame.write.format("delta").mode(self.mode).option("userMetadata", metadata)
        if self.once:
            appending = appending.option("txnAppId", self.once).option("txnVersion", 1)
        appending.option("mergeSchema", "true").save(self.location)


def escaped(path: str) -> str:
    """A path for Spark's file reader, which would read it as a pattern."""
    return re.sub(r"([\\*?\[\]{}])", r"\\\1", path)
