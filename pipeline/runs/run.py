"""One run: take what was delivered, rebuild what is out of date, record what was done.

A run that finds nothing to do loads neither Spark nor the tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bronze.delivered.inbox import waiting_files
from lakehouse.lake.writer import one_writer
from lakehouse.runlog.spool import note_run_without_news
from lakehouse.settings import Settings
from pipeline.runs.summary import Progress, RunSummary
from pipeline.runs.up_to_date import known_up_to_date

if TYPE_CHECKING:
    from pipeline.runs.plan import Step


def run(
    settings: Settings,
    *,
    select: Iterable[str] = (),
    full: bool = False,
    trigger: str = "manual",
    progress: Progress | None = None,
) -> RunSummary:
    """Take waiting files and bring every table and model up to date; without news nothing starts.

    Args:
        settings: where and how.
        select: build only these tables and models and what they are made from; () is all.
        full: rebuild them even where nothing changed.
        trigger: recorded in `ops.pipeline_runs`.
        progress: called while the run works.
    """
    select = tuple(select)
    with one_writer(settings, purpose="run") as still_writer:
        if not (select or full) and (tables := known_up_to_date(settings)):
            return RunSummary(note_run_without_news(settings, trigger, tables).run_id, up_to_date=tables)
        from pipeline.runs.rebuild import rebuild

        return rebuild(
            settings, still_writer, select=select, full=full, trigger=trigger, progress=progress or Progress()
        )


@dataclass(frozen=True)
class DryRun:
    """What a run would do now.

    Attributes:
        waiting: files that it would take first.
        steps: what it would build; empty where everything is up to date.
        up_to_date: how many tables and models are up to date where that is all of them.
    """

    waiting: list[Path]
    steps: "list[Step]"
    up_to_date: int


def dry_run(settings: Settings, *, select: Iterable[str] = (), full: bool = False) -> DryRun:
    """Plan a run without starting Spark or writing anything; see `run` for the arguments.

    It takes no lock: a run that is at work meanwhile changes what is to be done.
    """
    select = tuple(select)
    if not (select or full) and (tables := known_up_to_date(settings)):
        return DryRun([], [], tables)
    from pipeline.runs.rebuild import plan_now

    steps = plan_now(settings, select=select, full=full)
    waiting = [] if select else waiting_files(settings)
    is_up_to_date = not waiting and not any(step.reason for step in steps)
    return DryRun(waiting, [] if is_up_to_date else steps, len(steps) if is_up_to_date else 0)
