"""A small lake that remembers what its imports recorded."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from bronze import imports
from bronze.delivered.inbox import waiting_files
from bronze.kaggle_tracks import import_catalogue
from bronze.listening_history import import_history
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.lake.provenance import TableState
from lakehouse.lake.storage import Lake
from lakehouse.runlog.import_report import ImportReport
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from tests.bronze.records import NOW
from tests.support.frames import LISTENER


def small_settings(folder: Path) -> Settings:
    """A lake and its import folders in one folder; a second writer is refused at once."""
    return Settings(
        lake_uri=f"file:{folder}/lake", kaggle_csv=folder / "dataset.csv", import_dir=folder / "import",
        lock_wait_seconds=0, _env_file=None,
    )  # fmt: skip


@dataclass
class SmallLake:
    """A lake in a folder, its settings and the log of its last import."""

    root: Path
    spark: SparkSession
    now: datetime = NOW
    run_ids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.settings = small_settings(self.root)
        self.lake = Lake(self.settings.lake_uri, self.spark)
        self.spool = self.settings.lake_path / "spool"

    def import_history(self, *paths: Path, **options: Any) -> ImportReport:
        with_log = self.new_log()
        options.setdefault("listener_of", lambda path: LISTENER)
        report = import_history(self.lake, paths, with_log, self.now, **options)
        with_log.finish("succeeded", NOW)
        return report

    def import_catalogue(self, path: Path, **options: Any) -> TableState | None:
        return import_catalogue(self.lake, path, self.new_log(), self.now, **options)

    def take(self, *paths: Path, **options: Any) -> ImportReport:
        return imports.take(self.lake, self.settings, list(paths), self.new_log(), self.now, **options)

    def take_waiting(self) -> ImportReport:
        """Import what waits, as runs do."""
        waiting = waiting_files(self.settings)
        return imports.take_waiting(
            self.lake, self.settings, waiting, self.new_log(), self.now, on_file=lambda name: None
        )

    def new_log(self) -> RunLog:
        self.run_ids.append(f"run-{len(self.run_ids)}")
        return RunLog(self.spool, run_id=self.run_ids[-1], trigger="import", code_version="0", started_at=NOW)

    def recorded(self, table: Table) -> list[dict[str, Any]]:
        """What the last import recorded for an ops table."""
        file = self.spool / self.run_ids[-1] / f"{table.name}.jsonl"
        return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []

    def audit(self) -> dict[str, dict[str, int]]:
        """Records of the last import by file and verdict; no pair occurs twice."""
        found: dict[str, dict[str, int]] = {}
        for row in self.recorded(IMPORT_AUDIT):
            by_verdict = found.setdefault(row["source_file"], {})
            assert row["verdict"] not in by_verdict
            by_verdict[row["verdict"]] = row["record_count"]
        return found

    def rejected(self) -> list[tuple[str, int, str]]:
        """File, position and reason of what the last import rejected; no pair of file and position occurs twice."""
        rows = [(row["source_file"], row["row_number"], row["reason"]) for row in self.recorded(REJECTED_ROWS)]
        assert len({row[:2] for row in rows}) == len(rows)
        return rows

    def rejected_raw(self) -> list[str]:
        """What the last import kept of records and files that it rejected."""
        return [row["raw"] for row in self.recorded(REJECTED_ROWS)]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """A table's rows, with instants in UTC, independent of the machine's time zone."""
        return [
            {
                name: value.astimezone(UTC) if isinstance(value, datetime) else value
                for name, value in row.asDict().items()
            }
            for row in self.lake.read(table).collect()
        ]

    def version(self, table: Table) -> int:
        """A table's Delta version, -1 where it was never written."""
        state = self.lake.state(table)
        return state.version if state else -1
