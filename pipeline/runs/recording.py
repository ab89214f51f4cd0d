"""The frame of every run that needs Spark: it repairs what killed runs left, and records what this one does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pyspark.errors import PySparkException

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import give_listener, listening_history_bronze
from lakehouse.errors import LakehouseError, one_line
from lakehouse.lake.logs import OpenLog
from lakehouse.lake.storage import Lake, open_lake
from lakehouse.lake.writer import StillWriter
from lakehouse.runlog.append import append_finished_runs, close_killed_runs, drop_uncommitted
from lakehouse.runlog.spool import SPOOL, RunLog, new_run_log
from lakehouse.settings import Settings
from lakehouse.spark.session import build_session
from pipeline.registry import all_tables
from pipeline.runs.summary import RunSummary

# Tables that imports fill: what a killed run left of them is found by name.
FILLED_BY_IMPORTS = {"history": listening_history_bronze, "catalogue": kaggle_tracks_bronze}


@dataclass(frozen=True)
class Recording:
    """A run at work: its lake, its log, and the summary that it fills."""

    lake: Lake
    log: RunLog
    summary: RunSummary


@contextmanager
def recorded_run(
    settings: Settings, trigger: str, still_writer: StillWriter, *, opened: dict[str, OpenLog] | None = None
) -> Iterator[Recording]:
    """Start Spark, let the caller work, and record the run however it ends; the caller holds the writer's lock.

    Args:
        settings: where and how.
        trigger: recorded in `ops.pipeline_runs`.
        still_writer: called before each commit.
        opened: logs that were opened under this lock already.
    """
    opened = {} if opened is None else opened
    try:
        lake = open_lake(settings, build_session(settings), opened=opened, still_writer=still_writer)
    except BaseException as error:
        new_run_log(settings, trigger).finish("failed", datetime.now(UTC), error=explain(error))
        raise
    spool = settings.work_path / SPOOL
    killed = close_killed_runs(lake, spool, **FILLED_BY_IMPORTS)
    log = new_run_log(settings, trigger)
    summary = RunSummary(log.run_id, killed_runs=killed)
    try:
        _create_missing_tables(lake)
        give_listener(lake, settings.listener)
        yield Recording(lake, log, summary)
    except BaseException as error:
        drop_uncommitted(lake, spool / log.run_id, **FILLED_BY_IMPORTS)
        log.finish("failed", datetime.now(UTC), error=explain(error))
        raise
    errors = summary.errors
    log.finish("failed" if errors else "succeeded", datetime.now(UTC), error="; ".join(errors) or None)
    summary.unrecorded = append_finished_runs(lake, spool)


def _create_missing_tables(lake: Lake) -> None:
    """Create the tables that imports and runs fill, so that SQL on them answers from the first run on.

    Their first commit belongs to no run: an import is known to be committed by its run's id.
    """
    for table in all_tables().values():
        if table.transform is None:
            try:
                is_missing = lake.state(table) is None
            except LakehouseError:  # damaged, so there is one
                continue
            if is_missing:
                lake.create(table)


def explain(error: BaseException) -> str:
    """An error as one line; one that nobody expected begins with the name of its type."""
    text, kind = one_line(error), type(error).__name__
    return text if text == kind or isinstance(error, LakehouseError | PySparkException) else f"{kind}: {text}"
