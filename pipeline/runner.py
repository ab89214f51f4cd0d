"""One run: take what was delivered, rebuild what is out of date, record what was done."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Literal

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from bronze import imports
from lakehouse.contract import Model, Node, Table
from lakehouse.contract.ops import QUALITY_RESULTS, TABLE_BUILDS
from lakehouse.errors import LakehouseError, LostWriterError, UsageError
from lakehouse.lake.checks import CheckResult, enforce
from lakehouse.lake.provenance import Provenance, TableState
from lakehouse.lake.schema import conform
from lakehouse.lake.storage import DamagedTable, Lake, open_lake
from lakehouse.lake.writer import StillWriter, one_writer
from lakehouse.models.artifacts import Artifact, ArtifactRefusedError
from lakehouse.models.trained_models import Models, ModelState, models_of, state_of
from lakehouse.runlog.append import append_finished_runs, close_killed_runs, drop_uncommitted
from lakehouse.runlog.import_report import ImportReport
from lakehouse.runlog.spool import SPOOL, RunLog, holds_unrecorded, new_run_log, note_run_without_news
from lakehouse.settings import Settings
from lakehouse.spark.session import build_session, start_python_workers
from pipeline.fingerprint import code_fingerprint
from pipeline.health import problems
from pipeline.incremental import Incremental
from pipeline.registry import all_tables, chain_lengths, pipeline_nodes, with_ancestors
from pipeline.shared_reads import SharedReads
from pipeline.up_to_date import remember_up_to_date

PARALLEL_TABLES = 4
# Each is a process of its own, with its copy of the catalogue, and keeps a core busy.
PARALLEL_TRAININGS = 2

BuildStatus = Literal["built", "skipped", "failed", "blocked"]
STOPPED = ("failed", "blocked")
InputStates = dict[str, TableState | ModelState | None]


@dataclass(frozen=True)
class Build:
    """What a run did with one table or model."""

    table: Node
    status: BuildStatus
    reason: str
    state: TableState | ModelState | None = None
    seconds: float = 0.0


@dataclass
class RunSummary:
    """What a run did.

    Attributes:
        run_id: names the run in the ops tables.
        builds: one per table and model, in the order of the registry.
        imported: the import's report, None where nothing was imported.
        killed_runs: earlier runs that were killed and are repaired by this one.
        unrecorded: one line per ops table that refused what the run recorded.
        started_spark: whether there was anything to do.
    """

    run_id: str
    builds: list[Build] = field(default_factory=list)
    imported: ImportReport | None = None
    killed_runs: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    started_spark: bool = False

    @property
    def errors(self) -> list[str]:
        """One line per refused file, failed table and refused record."""
        refused = list(self.imported.errors) if self.imported else []
        failed = [build.reason for build in self.builds if build.status == "failed"]
        return refused + failed + self.unrecorded


@dataclass(frozen=True)
class Progress:
    """What the runner tells while it works; by default nobody."""

    on_file: Callable[[str], None] = lambda name: None
    on_plan: Callable[[int], None] = lambda tables: None
    on_build: Callable[[Build], None] = lambda build: None


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
        progress: told what happens.
    """
    nodes = pipeline_nodes()
    chosen = with_ancestors(_known(select, nodes), nodes) if select else set(nodes)
    progress = progress or Progress()
    with one_writer(settings, purpose="run") as still_writer:
        waiting = [] if select else imports.waiting_files(settings)
        takes = waiting or (not select and imports.holds_demo_beside_real(open_lake(settings)))
        models = models_of(settings, still_writer=still_writer)
        builder = _Builder(open_lake(settings), models, settings, full)
        has_work = takes or any(builder.why_build(nodes[name]) for name in chosen)
        if not has_work and not holds_unrecorded(settings.work_path / SPOOL):
            skipped = [builder.skipped(node) for name, node in nodes.items() if name in chosen]
            if not select:
                remember_up_to_date(settings, len(chosen))
            return RunSummary(note_run_without_news(settings, trigger, len(chosen)).run_id, builds=skipped)

        usable = [
            nodes[name] for name in chosen if isinstance(nodes[name], Model) and not builder.why_build(nodes[name])
        ]
        Thread(target=models.load_ahead, args=(usable,), daemon=True).start()

        def work(lake: Lake, log: RunLog, summary: RunSummary) -> None:
            Thread(target=start_python_workers, args=(lake.spark,), daemon=True).start()
            builder = _Builder(lake, models, settings, full)
            if takes:
                summary.imported = imports.take(
                    lake, settings, waiting, log, datetime.now(UTC), on_file=progress.on_file
                )
            progress.on_plan(len(chosen))
            summary.builds = builder.build_all(chosen, log, progress.on_build)

        summary = _recorded(settings, trigger, work, still_writer)
        if not select and not summary.errors:
            remember_up_to_date(settings, len(chosen))
        return summary


def import_files(
    settings: Settings, paths: list[Path], *, catalogue: Path | None = None, progress: Progress | None = None
) -> RunSummary:
    """Import named files into bronze, without building anything on them."""
    progress = progress or Progress()

    def work(lake: Lake, log: RunLog, summary: RunSummary) -> None:
        summary.imported = imports.take(
            lake, settings, paths, log, datetime.now(UTC), catalogue=catalogue, on_file=progress.on_file
        )

    with one_writer(settings, purpose="import") as still_writer:
        return _recorded(settings, "catalogue" if catalogue else "import", work, still_writer)


def check(settings: Settings, *, progress: Progress | None = None) -> RunSummary:
    """Run every contract's checks on the tables as they are stored, and record the results.

    Returns:
        Tables that break their contract, and damaged tables and models, are 'failed' among the builds, with what is
        wrong.
    """
    progress = progress or Progress()

    def work(lake: Lake, log: RunLog, summary: RunSummary) -> None:
        models = models_of(settings)
        stored = [node for node in pipeline_nodes().values() if _is_stored(partial(state_of, node, lake, models))]
        progress.on_plan(len(stored))
        for node in stored:
            try:
                if isinstance(node, Model):
                    state_of(node, lake, models)
                else:
                    looked = enforce(node, conform(node, lake.read(node)))
                    _record_checks(log, node, looked.rows, looked.checks, datetime.now(UTC))
                build = Build(node, "skipped", "")
            except Exception as error:  # whatever is wrong with one, the others are checked
                build = Build(node, "failed", _named(node, error))
                _record_check(log, node.name, "contract", [build.reason])
            summary.builds.append(build)
            progress.on_build(build)
        told = [problem.text for problem in problems(settings, datetime.now(UTC))]
        _record_check(log, imports.listening_history_bronze.name, "stays_fresh", told, severity="warn")

    with one_writer(settings, purpose="check") as still_writer:
        return _recorded(settings, "check", work, still_writer)


def maintain(settings: Settings, *, progress: Progress | None = None) -> RunSummary:
    """Join small files (OPTIMIZE), and delete those that no reader can need any more (VACUUM)."""
    progress = progress or Progress()

    def work(lake: Lake, log: RunLog, summary: RunSummary) -> None:
        stored = [table for table in all_tables().values() if _is_stored(partial(lake.state, table))]
        progress.on_plan(len(stored))
        for table in stored:
            started = time.monotonic()
            try:
                lake.compact(table)
                build = Build(table, "built", "compacted", lake.state(table), time.monotonic() - started)
            except LostWriterError:
                raise
            except Exception as error:  # whatever goes wrong with one, the others are compacted
                build = Build(table, "failed", _named(table, error))
            summary.builds.append(build)
            progress.on_build(build)

    with one_writer(settings, purpose="maintain") as still_writer:
        return _recorded(settings, "maintain", work, still_writer)


def _is_stored(state: Callable[[], TableState | ModelState | None]) -> bool:
    """Whether there is anything of a table or model whose state this tells, damaged or not."""
    try:
        return state() is not None
    except LakehouseError:
        return True


def _known(select: Iterable[str], nodes: dict[str, Node]) -> set[str]:
    names = set(select)
    if unknown := sorted(names - set(nodes)):
        raise UsageError(f"no table is named {', '.join(unknown)}: `lakehouse status` lists them all")
    return names


def _recorded(
    settings: Settings, trigger: str, work: Callable[[Lake, RunLog, RunSummary], None], still_writer: StillWriter
) -> RunSummary:
    """Do the work in a Spark session and record the run, whatever becomes of it."""
    try:
        lake = open_lake(settings, build_session(settings), still_writer=still_writer)
    except BaseException as error:
        new_run_log(settings, trigger).finish("failed", datetime.now(UTC), error=_one_line(error))
        raise
    spool = settings.work_path / SPOOL
    bronze = {"history": imports.listening_history_bronze, "catalogue": imports.kaggle_tracks_bronze}
    killed = close_killed_runs(lake, spool, **bronze)
    log = new_run_log(settings, trigger)
    summary = RunSummary(log.run_id, killed_runs=killed, started_spark=True)
    try:
        _create_missing(lake)
        work(lake, log, summary)
    except BaseException as error:
        drop_uncommitted(lake, spool / log.run_id, **bronze)
        log.finish("failed", datetime.now(UTC), error=_one_line(error))
        raise
    errors = summary.errors
    log.finish("failed" if errors else "succeeded", datetime.now(UTC), error="; ".join(errors) or None)
    summary.unrecorded = append_finished_runs(lake, spool)
    return summary


def _create_missing(lake: Lake) -> None:
    """The tables that imports and runs fill exist from the first run on, so that SQL on them answers.

    Their first commit belongs to no run: an import is known to be committed by its run's id.
    """
    for table in all_tables().values():
        if table.transform is None and not _is_stored(partial(lake.state, table)):
            lake.create(table)


class _Builder:
    """Decides what is out of date and builds it, independent tables in parallel."""

    def __init__(self, lake: Lake, models: Models, settings: Settings, full: bool) -> None:
        self._lake = lake
        self._settings = settings
        self._full = full
        self._models = models
        self._nodes = pipeline_nodes()
        self._shared = SharedReads(lake)
        self._incremental = Incremental(lake, self._nodes, self._read, settings)

    def why_build(self, node: Node) -> str:
        """Why a node is out of date, or '' where it is not; tables without a transform never are."""
        if node.transform is None:
            return ""
        if self._full:
            return "full run"
        try:
            state, wanted = self._state(node), self._making_of(node, self._input_states(node))
        except LakehouseError as damaged:
            return _one_line(damaged)
        if state is None:
            return "first build"
        stored = state.provenance
        if stored.code != wanted.code:
            return "code changed"
        if stored.parameters != wanted.parameters:
            return "settings changed"
        changed = [name for name, number in (wanted.inputs or {}).items() if (stored.inputs or {}).get(name) != number]
        return f"new {', '.join(changed)}" if changed else ""

    def _state(self, node: Node) -> TableState | ModelState | None:
        return self._models.state(node) if isinstance(node, Model) else self._lake.state(node)

    def skipped(self, node: Node) -> Build:
        """A table or model that needs no work."""
        return Build(node, "skipped", "up to date", self._state(node))

    def build_all(self, chosen: set[str], log: RunLog, on_build: Callable[[Build], None]) -> list[Build]:
        """Build the chosen tables and models, inputs first; a failed one stops only those that are made from it."""
        try:
            return self._built(chosen, log, on_build)
        finally:
            self._shared.release()

    def _built(self, chosen: set[str], log: RunLog, on_build: Callable[[Build], None]) -> list[Build]:
        # Those first that most others wait for.
        lengths = chain_lengths(self._nodes)
        waiting = sorted((node for name, node in self._nodes.items() if name in chosen), key=lambda n: -lengths[n.name])
        done: dict[str, Build] = {}
        running: dict[Future[Build], Node] = {}
        pool = ThreadPoolExecutor(PARALLEL_TABLES)
        try:
            while waiting or running:
                ready = [n for n in waiting if all(name in done or name not in chosen for name in n.inputs)]
                for node in ready:
                    trainings = sum(isinstance(other, Model) for other in running.values())
                    if isinstance(node, Model) and trainings >= PARALLEL_TRAININGS:
                        continue
                    waiting.remove(node)
                    broken = [name for name in node.inputs if name in done and done[name].status in STOPPED]
                    running[pool.submit(self._build, node, broken, log)] = node
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    build = future.result()
                    done[running.pop(future).name] = build
                    self._record(build, log)
                    on_build(build)
        finally:
            # A run that ends early, such as one that lost the lake to another writer, begins no table any more.
            pool.shutdown(cancel_futures=True)
        return [done[name] for name in self._nodes if name in done]

    def _build(self, node: Node, broken: list[str], log: RunLog) -> Build:
        if broken:
            return Build(node, "blocked", f"{', '.join(broken)} failed", self._last_good(node))
        started = time.monotonic()
        try:
            reason = self.why_build(node) or self._why_refused(node)
            if not reason:
                return self.skipped(node)
            reason = self._set_aside(node, log.run_id) or reason
            state, checks = self._made(node, log)
        except LostWriterError:  # nothing may be written any more
            raise
        except Exception as error:  # whatever goes wrong with one, the others are built
            return Build(node, "failed", _named(node, error), self._last_good(node), time.monotonic() - started)
        _record_checks(log, node, state.provenance.rows, checks, state.committed_at)
        return Build(node, "built", reason, state, time.monotonic() - started)

    def _set_aside(self, node: Node, run_id: str) -> str:
        """Move a damaged table out of the way of the new one; why it is built and where the old files are, or ''."""
        if isinstance(node, Model):
            return ""
        try:
            self._lake.state(node)
        except DamagedTable:
            return f"was damaged, its files are kept in {self._lake.set_aside(node, f'damaged-{run_id}')}"
        return ""

    def _last_good(self, node: Node) -> TableState | ModelState | None:
        try:
            return self._state(node)
        except LakehouseError:
            return None

    def _why_refused(self, node: Node) -> str:
        """Why an artifact cannot be used though its card is in order, or ''; it is trained again."""
        try:
            if isinstance(node, Model):
                self._models.read(node, self._lake.spark)
        except ArtifactRefusedError as refused:
            return _one_line(refused)
        return ""

    def _made(self, node: Node, log: RunLog) -> tuple[TableState | ModelState, tuple[CheckResult, ...]]:
        states = self._input_states(node)
        making = self._making_of(node, states, log.run_id)
        inputs = [self._nodes[name] for name in node.inputs]
        self._lake.spark.sparkContext.setJobDescription(node.name)
        if isinstance(node, Model):
            tables = [table for table in inputs if isinstance(table, Table)]
            rows = [self._shared.sample(table, node.max_rows) for table in tables]
            return self._models.train(node, rows, making, self._lake.spark), ()
        if not self._full and (written := self._incremental.build(node, making)):
            return written.state, written.checks
        frame = node(*map(self._read, inputs), **node.taken_from(self._settings))
        # A table is rarely larger than the largest that it is made from.
        likely_rows = max((state.provenance.rows for state in states.values() if state), default=0)
        written = self._lake.overwrite(node, frame, making, likely_rows=likely_rows, anew=self._full)
        return written.state, written.checks

    def _read(self, node: Node) -> DataFrame | Artifact:
        return self._models.read(node, self._lake.spark) if isinstance(node, Model) else self._shared.read(node)

    def _input_states(self, node: Node) -> InputStates:
        return {name: self._state(self._nodes[name]) for name in node.inputs}

    def _making_of(self, node: Node, states: InputStates, run_id: str = "") -> Provenance:
        return Provenance(
            run_id=run_id,
            code=code_fingerprint(node),
            parameters={name: str(getattr(self._settings, name)) for name in node.parameters},
            inputs={name: state.version if state else -1 for name, state in states.items()},
        )

    @staticmethod
    def _record(build: Build, log: RunLog) -> None:
        inputs = (build.state.provenance.inputs or {}) if build.state else {}
        log.add(
            TABLE_BUILDS, table_name=build.table.name, status=build.status, reason=build.reason,
            row_count=build.state.provenance.rows if build.state else None,
            delta_version=build.state.version if build.state and isinstance(build.table, Table) else None,
            input_versions=", ".join(f"{name}@{number}" for name, number in inputs.items()),
            duration_ms=round(build.seconds * 1000),
        )  # fmt: skip
        if build.status == "built":
            log.count(tables_built=1)
        elif build.status == "skipped":
            log.count(tables_skipped=1)


def _record_checks(log: RunLog, node: Node, rows: int, checks: Iterable[CheckResult], checked_at: datetime) -> None:
    for result in checks:
        log.add(
            QUALITY_RESULTS, table_name=node.name, check_name=result.check.name, severity=result.check.severity,
            passed=result.passed, failing_rows=result.failing_rows, detail=f"{result.failing_rows} of {rows} rows",
            checked_at=checked_at,
        )  # fmt: skip


def _record_check(log: RunLog, table_name: str, name: str, told: list[str], severity: str = "fail") -> None:
    """A check that is no count of rows: it passes when there is nothing to tell."""
    log.add(
        QUALITY_RESULTS, table_name=table_name, check_name=name, severity=severity, passed=not told,
        failing_rows=0, detail="; ".join(told) or "in order", checked_at=datetime.now(UTC),
    )  # fmt: skip


def _named(node: Node, error: BaseException) -> str:
    """What went wrong, with the name of the table or model that it went wrong with."""
    message = _one_line(error)
    return message if message.startswith(node.name) else f"{node.name}: {message}"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if not isinstance(error, LakehouseError | PySparkException):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return text[:500]
