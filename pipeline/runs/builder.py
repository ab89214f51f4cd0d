"""Carries out a plan: builds what is out of date, independent tables and models in parallel."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import Model, Node, Table
from lakehouse.contract.ops import QUALITY_RESULTS, TABLE_BUILDS
from lakehouse.errors import LostWriterError, one_line
from lakehouse.lake.checks import CheckResult
from lakehouse.lake.logs import DamagedTable
from lakehouse.lake.storage import Lake
from lakehouse.models.artifacts import Artifact, ArtifactRefusedError
from lakehouse.models.trained_models import Models
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from pipeline.registry import chain_lengths, pipeline_nodes
from pipeline.runs.plan import Snapshot, State, Step, Work, provenance_of, work_on
from pipeline.runs.recording import explain
from pipeline.runs.shared_reads import SharedReads
from pipeline.runs.summary import STOPPED, Build

PARALLEL_TABLES = 4
# Each is a process of its own with its copy of the catalogue, and keeps a core busy.
PARALLEL_TRAININGS = 2


class Builder:
    """Builds tables and trains models in one run."""

    def __init__(
        self, lake: Lake, models: Models, settings: Settings, snapshot: Snapshot, log: RunLog, *, full: bool
    ) -> None:
        """Prepare to build.

        Args:
            lake: where tables are read and written.
            models: where models are kept.
            settings: some are parameters of transforms.
            snapshot: the states of all tables and models; kept up to date with each commit.
            log: records builds and checks.
            full: build even what is up to date, and write rows even where they are the same.
        """
        self._lake = lake
        self._models = models
        self._settings = settings
        self._snapshot = snapshot
        self._log = log
        self._full = full
        self._nodes = pipeline_nodes()
        self._shared = SharedReads(lake)

    def execute(self, steps: Iterable[Step], on_build: Callable[[Build], None]) -> list[Build]:
        """Carry out all steps, inputs first; a failed one stops only those that are made from it."""
        try:
            return self._build_all([step.node for step in steps], on_build)
        finally:
            self._shared.release()

    def _build_all(self, chosen: list[Node], on_build: Callable[[Build], None]) -> list[Build]:
        names = {node.name for node in chosen}
        # Those first that most others wait for.
        lengths = chain_lengths(self._nodes)
        waiting = sorted(chosen, key=lambda node: -lengths[node.name])
        done: dict[str, Build] = {}
        running: dict[Future[Build], Node] = {}
        pool = ThreadPoolExecutor(PARALLEL_TABLES)
        try:
            while waiting or running:
                ready = [node for node in waiting if all(name in done or name not in names for name in node.inputs)]
                for node in ready:
                    trainings = sum(isinstance(other, Model) for other in running.values())
                    if isinstance(node, Model) and trainings >= PARALLEL_TRAININGS:
                        continue
                    waiting.remove(node)
                    broken = [name for name in node.inputs if name in done and done[name].status in STOPPED]
                    running[pool.submit(self._build, node, broken)] = node
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    build = future.result()
                    done[running.pop(future).name] = build
                    self._record(build)
                    on_build(build)
        finally:
            # A run that ends early, such as one that lost the lake to another writer, begins no further table.
            pool.shutdown(cancel_futures=True)
        return [done[node.name] for node in chosen]

    def _build(self, node: Node, broken_inputs: list[str]) -> Build:
        last_good = self._snapshot.states.get(node.name)
        if broken_inputs:
            return Build(node, "blocked", f"{', '.join(broken_inputs)} failed", last_good)
        started = time.monotonic()
        try:
            work = self._work(node)
            if not work:
                self._require_undamaged(node)
                return Build(node, "skipped", "up to date", last_good)
            reason = self._set_aside_damaged(node) or work.reason
            state, checks = self._make(node, work)
        except LostWriterError:  # nothing may be written any more
            raise
        except Exception as error:  # one that fails does not keep the others from being built
            return Build(node, "failed", naming(node, error), last_good, time.monotonic() - started)
        self._snapshot.replace(node.name, state)
        record_checks(self._log, node, state.provenance.rows, checks, state.committed_at)
        return Build(node, "built", reason, state, time.monotonic() - started)

    def _work(self, node: Node) -> Work | None:
        """What is built of it, now that its inputs are: their rows may have stayed the same."""
        if work := work_on(node, self._snapshot, self._settings, full=self._full):
            return work
        try:
            if isinstance(node, Model):
                self._models.read(node, self._lake.spark)
        except ArtifactRefusedError as refused:  # its card is in order, but the model cannot be used
            return Work(one_line(refused))
        return None

    def _require_undamaged(self, node: Node) -> None:
        """A damaged table that no transform can rebuild stops what is made from it."""
        if damage := self._snapshot.damage.get(node.name):
            raise damage

    def _set_aside_damaged(self, node: Node) -> str:
        """Move a damaged table out of the way; why it is built and where its files are now, or ''."""
        damage = self._snapshot.damage.get(node.name)
        if not isinstance(node, Table) or damage is None:
            return ""
        if not isinstance(damage, DamagedTable):
            raise damage
        return f"was damaged, its files are kept in {self._lake.set_aside(node, self._log.run_id)}"

    def _make(self, node: Node, work: Work) -> tuple[State, tuple[CheckResult, ...]]:
        listeners = work.listeners
        # What another program did to its columns is undone by writing all.
        if listeners is not None and isinstance(node, Table) and not self._lake.has_contract_schema(node):
            listeners = None
        provenance = provenance_of(node, self._snapshot, self._settings, run_id=self._log.run_id, listeners=listeners)
        inputs = [self._nodes[name] for name in node.inputs]
        self._lake.spark.sparkContext.setJobDescription(node.name)
        if isinstance(node, Model):
            tables = [table for table in inputs if isinstance(table, Table)]
            rows = [self._shared.sample(table, node.max_rows) for table in tables]
            return self._models.train(node, rows, provenance, self._lake.spark), ()
        frame = node(*(self._read(each, listeners) for each in inputs), **node.taken_from(self._settings))
        if listeners is not None:
            frame = frame.where(F.col("listener").isin(*listeners))
        # A table is rarely larger than its largest input.
        states = [self._snapshot.states.get(name) for name in node.inputs]
        likely_rows = max((state.provenance.rows for state in states if state), default=0)
        written = self._lake.overwrite(
            node, frame, provenance, likely_rows=likely_rows, rewrite=self._full, listeners=listeners
        )
        return written.state, written.checks

    def _read(self, node: Node, listeners: frozenset[str] | None) -> DataFrame | Artifact:
        if isinstance(node, Model):
            return self._models.read(node, self._lake.spark)
        return self._shared.read(node, listeners if node.is_by_listener else None)

    def _record(self, build: Build) -> None:
        inputs = (build.state.provenance.inputs or {}) if build.state else {}
        self._log.add(
            TABLE_BUILDS, table_name=build.table.name, status=build.status, reason=build.reason,
            row_count=build.state.provenance.rows if build.state else None,
            delta_version=build.state.version if build.state and isinstance(build.table, Table) else None,
            input_versions=", ".join(f"{name}@{number}" for name, number in inputs.items()),
            duration_ms=round(build.seconds * 1000),
        )  # fmt: skip
        if build.status == "built":
            self._log.count(tables_built=1)
        elif build.status == "skipped":
            self._log.count(tables_skipped=1)


def record_checks(log: RunLog, node: Node, rows: int, checks: Iterable[CheckResult], checked_at: datetime) -> None:
    """Record the results of a table's checks."""
    for result in checks:
        log.add(
            QUALITY_RESULTS, table_name=node.name, check_name=result.check.name, severity=result.check.severity,
            passed=result.passed, failing_rows=result.failing_rows, detail=f"{result.failing_rows} of {rows} rows",
            checked_at=checked_at,
        )  # fmt: skip


def naming(node: Node, error: BaseException) -> str:
    """An error as one line that begins with the name of the table or model that it happened with."""
    message = explain(error)
    return message if message.startswith(node.name) else f"{node.name}: {message}"
