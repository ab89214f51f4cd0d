"""What a run records about itself, kept as JSON lines until Spark appends it to the ops tables.

A run writes to a folder of its own below `spool/`. It is appended when the run is finished, in batches that are applied
exactly once; a folder that a killed run left behind is closed by the next run. So nothing recorded is lost, and runs
without news need no Spark.
"""

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from lakehouse.contract import Table
from lakehouse.ops import IMPORT_AUDIT, OPS_TABLES, PIPELINE_RUNS, REJECTED_ROWS
from lakehouse.storage import Lake, Provenance, new_run_id, schema_of

# Marks a run's folder as complete; its text is the run's row in `pipeline_runs`.
STARTED, FINISHED = "started.json", "finished"
BATCH_PREFIX = "batch-"


class RunLog:
    """The records of one run."""

    def __init__(self, spool: Path, *, run_id: str, trigger: str, code_version: str, started_at: datetime) -> None:
        """Open the run's folder.

        Args:
            spool: folder for the records of all runs.
            run_id: names the run.
            trigger: what started it: 'manual', 'import', 'catalogue', 'schedule' ...
            code_version: version of the program.
            started_at: when it started.
        """
        self.run_id = run_id
        self._folder = spool / run_id
        self._folder.mkdir(parents=True)
        self._run = {
            "run_id": run_id, "started_at": started_at, "trigger": trigger, "code_version": code_version,
            "new_plays": 0, "tables_built": 0, "tables_skipped": 0,
        }  # fmt: skip
        (self._folder / STARTED).write_text(_to_json(self._run), encoding="utf-8")

    def add(self, table: Table, **values: Any) -> None:
        """Record one row of an ops table; `run_id` is filled in."""
        with (self._folder / f"{table.name}.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(_to_json({"run_id": self.run_id, **values}) + "\n")

    def count(self, **numbers: int) -> None:
        """Add to the run's own figures: new_plays, tables_built, tables_skipped."""
        for name, number in numbers.items():
            self._run[name] = int(str(self._run[name])) + number

    def finish(self, status: str, finished_at: datetime, error: str | None = None) -> None:
        """Close the run: 'succeeded', 'failed' or 'no_news'."""
        self.add(PIPELINE_RUNS, **{**self._run, "status": status, "finished_at": finished_at, "error": error})
        (self._folder / FINISHED).touch()


def close_killed_runs(lake: Lake, spool: Path, history: Table) -> list[str]:
    """Close what killed runs left behind; the caller holds the writer's lock, so nobody else is running.

    The audit of an import counts only if the import itself was committed.

    Returns:
        The ids of the killed runs.
    """
    killed = []
    for folder in sorted(_run_folders(spool)):
        if (folder / FINISHED).exists():
            continue
        killed.append(folder.name)
        state = lake.state(history)
        if state is None or state.provenance.run_id != folder.name:
            for table in (IMPORT_AUDIT, REJECTED_ROWS):
                (folder / f"{table.name}.jsonl").unlink(missing_ok=True)
        started = folder / STARTED
        if started.exists():
            run = {**json.loads(started.read_text(encoding="utf-8")), "status": "killed"}
            (folder / f"{PIPELINE_RUNS.name}.jsonl").write_text(_to_json(run) + "\n", encoding="utf-8")
        (folder / FINISHED).touch()
    return killed


def append_finished_runs(lake: Lake, spool: Path) -> None:
    """Append the records of all finished runs to the ops tables, exactly once however often it is interrupted."""
    _make_batch(spool)
    for batch in sorted(spool.glob(f"{BATCH_PREFIX}*")):
        for table in OPS_TABLES:
            files = sorted(str(path) for path in batch.glob(f"*/{table.name}.jsonl"))
            if files:
                frame = lake.spark.read.schema(schema_of(table)).json(files)
                state = lake.state(table)
                rows_before = state.provenance.rows if state else 0
                provenance = Provenance(run_id=batch.name)
                lake.append(table, frame, provenance, rows_before=rows_before, once=f"{batch.name}-{table.name}")
        shutil.rmtree(batch)


def _make_batch(spool: Path) -> None:
    """Move finished runs into a new batch: from then on the batch never changes, so it can be applied once."""
    finished = [folder for folder in _run_folders(spool) if (folder / FINISHED).exists()]
    if finished:
        batch = spool / f"{BATCH_PREFIX}{new_run_id(datetime.now(UTC))}"
        batch.mkdir()
        for folder in finished:
            folder.rename(batch / folder.name)


def _run_folders(spool: Path) -> list[Path]:
    return [path for path in spool.glob("*") if path.is_dir() and not path.name.startswith(BATCH_PREFIX)]


def _to_json(values: dict[str, Any]) -> str:
    return json.dumps(values, ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be recorded")
