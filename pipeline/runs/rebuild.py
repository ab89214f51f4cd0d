"""A run that may have work to do: reads all states once, plans, and where the plan is not empty starts Spark."""

from datetime import UTC, datetime
from threading import Thread

from bronze import imports
from lakehouse.contract import Model, Node
from lakehouse.errors import UsageError
from lakehouse.lake.logs import OpenLog, open_logs
from lakehouse.lake.writer import StillWriter
from lakehouse.models.trained_models import models_of
from lakehouse.runlog.spool import SPOOL, holds_unrecorded, note_run_without_news
from lakehouse.settings import Settings
from lakehouse.spark.session import start_python_workers
from pipeline.registry import pipeline_nodes, with_ancestors
from pipeline.runs.builder import Builder
from pipeline.runs.plan import Step, plan, read_snapshot
from pipeline.runs.recording import recorded_run
from pipeline.runs.summary import Progress, RunSummary
from pipeline.runs.up_to_date import remember_up_to_date


def rebuild(
    settings: Settings,
    still_writer: StillWriter,
    *,
    select: tuple[str, ...],
    full: bool,
    trigger: str,
    progress: Progress,
) -> RunSummary:
    """See `pipeline.runs.run.run`; the caller holds the writer's lock."""
    nodes = _chosen(select)
    opened: dict[str, OpenLog] = {}
    logs, models = open_logs(settings, opened=opened), models_of(settings, still_writer=still_writer)
    snapshot = read_snapshot(pipeline_nodes(), logs, models)
    steps = plan(nodes, snapshot, settings, full=full)
    waiting = [] if select else imports.waiting_files(settings)
    imports_something = bool(waiting) or (not select and imports.holds_demo_beside_real(logs))
    has_work = imports_something or any(step.reason for step in steps)
    if not has_work and not holds_unrecorded(settings.work_path / SPOOL):
        if not select:
            remember_up_to_date(settings, len(nodes))
        return RunSummary(note_run_without_news(settings, trigger, len(nodes)).run_id, up_to_date=len(nodes))

    usable = [step.node for step in steps if isinstance(step.node, Model) and not step.reason]
    Thread(target=models.load_ahead, args=(usable,), daemon=True).start()
    with recorded_run(settings, trigger, still_writer, opened=opened) as run:
        Thread(target=start_python_workers, args=(run.lake.spark,), daemon=True).start()
        if imports_something:
            run.summary.imported = imports.take_waiting(
                run.lake, settings, waiting, run.log, datetime.now(UTC), on_file=progress.on_file
            )
        # What imports fill may have changed, or exist only now.
        for node in nodes.values():
            if node.transform is None:
                snapshot.read(node, run.lake, models)
        steps = plan(nodes, snapshot, settings, full=full)
        progress.on_plan(len(steps))
        builder = Builder(run.lake, models, settings, snapshot, run.log, full=full)
        run.summary.builds = builder.execute(steps, progress.on_build)
    if not select and not run.summary.errors:
        remember_up_to_date(settings, len(nodes))
    return run.summary


def plan_now(settings: Settings, *, select: tuple[str, ...], full: bool) -> list[Step]:
    """The plan for the lake as it is now."""
    snapshot = read_snapshot(pipeline_nodes(), open_logs(settings), models_of(settings))
    return plan(_chosen(select), snapshot, settings, full=full)


def _chosen(select: tuple[str, ...]) -> dict[str, Node]:
    """The selected tables and models with all that they are made from, inputs first; () selects all."""
    nodes = pipeline_nodes()
    if unknown := sorted(set(select) - set(nodes)):
        raise UsageError(f"no table is named {', '.join(unknown)}: `lakehouse status` lists them all")
    chosen = with_ancestors(set(select), nodes) if select else set(nodes)
    return {name: node for name, node in nodes.items() if name in chosen}
