"""What a run records about itself, as JSON lines in a folder of its own. Needs no Spark."""

import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lakehouse.contract import Table
from lakehouse.contract.ops import PIPELINE_RUNS
from lakehouse.settings import Settings

SPOOL = "spool"
# Files in a run's folder: its row as of its start, and empty marker files for a completed import and a finished run.
STARTED, IMPORTED, FINISHED = "started.json", "imported", "finished"
UNFINISHED = "state/unfinished"
# Batches of finished runs that are being appended to the ops tables, and those that the tables refused.
BATCH_PREFIX, REFUSED_PREFIX = "batch-", "refused-"


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
        (self._folder / STARTED).write_text(to_json(self._run), encoding="utf-8")

    def add(self, table: Table, **values: Any) -> None:
        """Record one row of an ops table; `run_id` is filled in."""
        # Names of files may hold bytes that are no text.
        with (self._folder / f"{table.name}.jsonl").open("a", encoding="utf-8", errors="replace") as lines:
            lines.write(to_json({"run_id": self.run_id, **values}) + "\n")

    def count(self, **numbers: int) -> None:
        """Add to the run's own figures: new_plays, tables_built, tables_skipped."""
        for name, number in numbers.items():
            self._run[name] = int(str(self._run[name])) + number

    def note_import_complete(self) -> None:
        """Mark the import as complete: its records stay valid even if the run fails later."""
        (self._folder / IMPORTED).touch()

    def finish(self, status: str, finished_at: datetime, error: str | None = None) -> None:
        """Close the run: 'succeeded', 'failed' or 'no_news'."""
        self.add(PIPELINE_RUNS, **{**self._run, "status": status, "finished_at": finished_at, "error": error})
        (self._folder / FINISHED).touch()


@contextmanager
def recorded_at_once(work_path: Path, trigger: str, now: datetime) -> Iterator[RunLog]:
    """A run that does not hold the writer's lock. It enters the spool when it ends, so that no run takes it for killed.

    The caller excludes others of its kind, so unfinished ones found here were killed; the next run closes them.

    Args:
        work_path: this machine's folder for work in progress.
        trigger: what it was: 'poll', 'features'.
        now: when it started.
    """
    run_id, spool = new_run_id(now), _ensured(work_path / SPOOL)
    for left in (work_path / UNFINISHED).glob(f"{trigger}-*"):
        for killed in left.iterdir():
            killed.rename(spool / killed.name)
        left.rmdir()
    with tempfile.TemporaryDirectory(dir=_ensured(work_path / UNFINISHED), prefix=f"{trigger}-") as folder:
        log = RunLog(Path(folder), run_id=run_id, trigger=trigger, code_version=version("lakehouse"), started_at=now)
        yield log
        if (Path(folder) / run_id / FINISHED).exists():
            (Path(folder) / run_id).rename(spool / run_id)


def holds_unrecorded(spool: Path) -> bool:
    """Whether records of killed or failed runs are waiting; those of runs without news may wait for other runs."""
    if next(spool.glob(f"{BATCH_PREFIX}*"), None):
        return True
    can_wait = {STARTED, FINISHED, f"{PIPELINE_RUNS.name}.jsonl"}
    contents = [{path.name for path in folder.iterdir()} for folder in run_folders(spool)]
    return any(FINISHED not in names or names - can_wait for names in contents)


def run_folders(spool: Path) -> list[Path]:
    """The folders of runs that are not in a batch yet."""
    others = (BATCH_PREFIX, REFUSED_PREFIX)
    return [path for path in spool.glob("*") if path.is_dir() and not path.name.startswith(others)]


def new_run_id(now: datetime) -> str:
    """An id that sorts by time: UTC to the second, then six random digits."""
    return f"{now:%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def _ensured(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def to_json(values: dict[str, Any]) -> str:
    """One record as a line, instants in ISO 8601."""
    return json.dumps(values, ensure_ascii=False, default=_as_text)


def _as_text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be recorded")


def note_run_without_news(settings: Settings, trigger: str, tables: int) -> RunLog:
    """Record a run that found all of so many tables and models up to date."""
    log = new_run_log(settings, trigger)
    log.count(tables_skipped=tables)
    log.finish("no_news", datetime.now(UTC))
    return log


def new_run_log(settings: Settings, trigger: str) -> RunLog:
    """The log of a run that begins now."""
    now = datetime.now(UTC)
    return RunLog(
        settings.work_path / SPOOL,
        run_id=new_run_id(now),
        trigger=trigger,
        code_version=version("lakehouse"),
        started_at=now,
    )
