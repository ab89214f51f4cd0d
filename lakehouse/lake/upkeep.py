"""Upkeep of the tables' files: small ones are joined, old ones deleted, damaged tables moved out of the way."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

from deltalake import CommitProperties

from lakehouse.contract import Table
from lakehouse.lake.logs import DeltaLogs, OpenLog
from lakehouse.lake.provenance import commit_metadata
from lakehouse.lake.writer import StillWriter

if TYPE_CHECKING:
    from lakehouse.lake.object_store import ObjectStore

# Readers of an older version, such as a long query in Trino, have this long to finish.
KEEP_HOURS = 7 * 24
DAMAGED = "damaged-"


class TableUpkeep(DeltaLogs):
    """Changes the files of tables, never the rows that readers of the newest version see."""

    def __init__(
        self, uri: str, *, store: "ObjectStore | None", opened: dict[str, OpenLog] | None, still_writer: StillWriter
    ) -> None:
        """Look after the tables below `uri`; see `Lake`."""
        super().__init__(uri, store=store, opened=opened)
        self._still_writer = still_writer

    def set_aside(self, table: Table, run_id: str) -> str:
        """Move a damaged table out of the way of the one that a run makes; returns where its files are then."""
        aside = f"{table.location}.{DAMAGED}{run_id}"
        self._still_writer()
        self.closed(table)
        if self._store:
            self._store.move(table.location, aside)
        else:
            folder = Path(self.location(table).removeprefix("file://"))
            folder.rename(folder.with_name(f"{folder.name}.{DAMAGED}{run_id}"))
        return f"{self.uri}/{aside}".removeprefix("file://")

    def compact(self, table: Table) -> None:
        """Join a table's small files, and delete files that no version of the last `KEEP_HOURS` holds.

        The log is kept no longer either, and has checkpoints, so that readers open few commits one by one.

        Raises:
            DamagedTable: its log cannot be read.
        """
        if log := self.log(table):
            self._still_writer()
            upkeep = {**_retention(KEEP_HOURS), "delta.checkpointInterval": "10"}
            if not upkeep.items() <= log.metadata().configuration.items():
                log.alter.set_table_properties(upkeep)
            log.optimize.compact()
            log.vacuum(KEEP_HOURS, dry_run=False, full=True)
            self.committed(table)

    def drop_older_versions(self, table: Table) -> None:
        """Delete all that a table's older versions hold, in files and in the log; the newest one stays as it is.

        Whoever reads an older version at this moment gets an error. What was set aside as damaged goes as well.

        Raises:
            DamagedTable: its log cannot be read.
        """
        self._delete_set_aside(table)
        log, state = self.log(table), self.state(table)
        if log is None or state is None:
            return
        self._still_writer()
        log.vacuum(0, dry_run=False, full=True, enforce_retention_duration=False)
        provenance = commit_metadata(replace(state.provenance, same_as=state.version))
        same_rows = CommitProperties(custom_metadata={"userMetadata": provenance})
        log.alter.set_table_properties(_retention(0), commit_properties=same_rows)
        # The log begins with this checkpoint, which has no trace of deleted files, and the commit of the same number.
        log.create_checkpoint()
        log.cleanup_metadata()
        log.alter.set_table_properties(_retention(KEEP_HOURS), commit_properties=same_rows)
        self.committed(table)
        if not self._store:
            _delete_empty_folders(Path(urlparse(self.location(table)).path))

    def _delete_set_aside(self, table: Table) -> None:
        folder, _, name = f"{table.location}.{DAMAGED}".rpartition("/")
        if self._store:
            self._store.delete([key for key, _ in self._store.objects(folder) if key.startswith(f"{folder}/{name}")])
            return
        for aside in (Path(urlparse(self.uri).path) / folder).glob(f"{name}*"):
            shutil.rmtree(aside)


def _retention(hours: int) -> dict[str, str]:
    """How long entries of the log stay, and the names of deleted files in checkpoints."""
    names = ("delta.logRetentionDuration", "delta.deletedFileRetentionDuration")
    return dict.fromkeys(names, f"interval {hours} hours")


def _delete_empty_folders(root: Path) -> None:
    """Delete the folders of partitions that have no files any more: their names are those of listeners."""
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
