"""Runs that build nothing: imports of named files, checks of what is stored, and upkeep of the files."""

import time
from datetime import UTC, datetime
from pathlib import Path

from bronze import imports
from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Model
from lakehouse.contract.ops import QUALITY_RESULTS
from lakehouse.errors import LostWriterError
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from lakehouse.lake.writer import one_writer
from lakehouse.models.trained_models import models_of, state_of
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from pipeline.health import problems
from pipeline.registry import all_tables, pipeline_nodes
from pipeline.runs.builder import naming, record_checks
from pipeline.runs.recording import recorded_run
from pipeline.runs.summary import Build, Progress, RunSummary


def import_files(
    settings: Settings,
    paths: list[Path],
    *,
    catalogue: Path | None = None,
    listener: str | None = None,
    progress: Progress | None = None,
) -> RunSummary:
    """Import named files into bronze, without building anything on them; see `imports.take` for the arguments."""
    on_file = (progress or Progress()).on_file
    with one_writer(settings, purpose="import") as still_writer:
        with recorded_run(settings, "catalogue" if catalogue else "import", still_writer) as run:
            run.summary.imported = imports.take(
                run.lake, settings, paths, run.log, datetime.now(UTC), catalogue=catalogue, listener=listener,
                on_file=on_file,
            )  # fmt: skip
        return run.summary


def check(settings: Settings, *, progress: Progress | None = None) -> RunSummary:
    """Run every contract's checks on the tables as they are stored, and record the results.

    Returns:
        Tables that break their contract, and damaged tables and models, are 'failed' among the builds, with what is
        wrong.
    """
    progress = progress or Progress()
    with one_writer(settings, purpose="check") as still_writer:
        with recorded_run(settings, "check", still_writer) as run:
            models = models_of(settings)
            nodes = list(pipeline_nodes().values())
            progress.on_plan(len(nodes))
            for node in nodes:
                build = Build(node, "skipped", "")
                try:
                    if state_of(node, run.lake, models) is None:
                        continue
                    if not isinstance(node, Model):
                        evaluation = enforce(node, conform(node, run.lake.read(node)))
                        record_checks(run.log, node, evaluation.rows, evaluation.checks, datetime.now(UTC))
                except Exception as error:  # one that fails does not keep the others from being checked
                    build = Build(node, "failed", naming(node, error))
                    _record_finding(run.log, node.name, "contract", [build.reason])
                run.summary.builds.append(build)
                progress.on_build(build)
            stale = [problem.text for problem in problems(settings, datetime.now(UTC))]
            _record_finding(run.log, listening_history_bronze.name, "stays_fresh", stale, severity="warn")
        return run.summary


def maintain(settings: Settings, *, progress: Progress | None = None) -> RunSummary:
    """Join small files (OPTIMIZE), and delete those that no reader can need any more (VACUUM)."""
    progress = progress or Progress()
    with one_writer(settings, purpose="maintain") as still_writer:
        with recorded_run(settings, "maintain", still_writer) as run:
            tables = list(all_tables().values())
            progress.on_plan(len(tables))
            for table in tables:
                started = time.monotonic()
                try:
                    if run.lake.state(table) is None:
                        continue
                    run.lake.compact(table)
                    build = Build(table, "built", "compacted", run.lake.state(table), time.monotonic() - started)
                except LostWriterError:
                    raise
                except Exception as error:  # one that fails does not keep the others from being compacted
                    build = Build(table, "failed", naming(table, error))
                run.summary.builds.append(build)
                progress.on_build(build)
        return run.summary


def _record_finding(log: RunLog, table_name: str, name: str, findings: list[str], severity: str = "fail") -> None:
    """Record a check that does not count rows: it passes when there are no findings."""
    log.add(
        QUALITY_RESULTS, table_name=table_name, check_name=name, severity=severity, passed=not findings,
        failing_rows=0, detail="; ".join(findings) or "in order", checked_at=datetime.now(UTC),
    )  # fmt: skip
