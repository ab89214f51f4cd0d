"""Runs a command as a user would and measures it with everything that it starts."""

import json
import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

# Looking more often takes a noticeable part of two cores.
SAMPLE_SECONDS = 0.5
MEGABYTE = 2**20
# For the number of jobs and tasks; without the texts of plans, which take longer to write than all else. Not by a
# configuration folder: it would be on the class path, and Java refuse the archive of classes.
EVENT_LOG = (
    "--conf spark.eventLog.enabled=true --conf spark.eventLog.dir=file://{folder} --conf spark.eventLog.compress=false "
    "--conf spark.sql.ui.explainMode=simple --conf spark.sql.maxPlanStringLength=100 pyspark-shell"
)


@dataclass(frozen=True)
class Measure:
    """One process to its end.

    Attributes:
        scenario: what it did.
        wall_s: seconds of time.
        cpu_s: seconds of processor time, all processes.
        peak_mb: most memory at once, shared pages counted once (PSS).
        written_mb: what the lake grew by.
        spark_jobs: jobs that Spark ran.
        spark_tasks: tasks in them.
    """

    scenario: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    written_mb: float
    spark_jobs: int = 0
    spark_tasks: int = 0


def measured(scenario: str, command: list[str], environment: dict[str, str], lake: Path) -> Measure:
    """Run a command to its end.

    Raises:
        SystemExit: it failed; shows what it said.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-events-") as events:
        size_before, cpu_before, started = _size(lake), _cpu_of_the_ended(), time.monotonic()
        process = psutil.Popen(
            command, env=os.environ | environment | {"PYSPARK_SUBMIT_ARGS": EVENT_LOG.format(folder=events)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        family = _Family(process)
        _, errors = process.communicate()
        wall = time.monotonic() - started
        family.join()
        # A short process may end unseen; the JVM is no child that anybody waits for.
        cpu = max(sum(family.cpu.values()), _cpu_of_the_ended() - cpu_before)
        if process.returncode:
            raise SystemExit(f"{scenario}: {' '.join(command)} failed\n{errors.decode()}")
        jobs, tasks = _jobs_and_tasks(Path(events))
    written = (_size(lake) - size_before) / MEGABYTE
    return Measure(scenario, wall, cpu, family.peak / MEGABYTE, written, jobs, tasks)


def in_all(scenario: str, parts: Sequence[Measure]) -> Measure:
    """Several processes, one after the other, as one measure."""
    return Measure(
        scenario,
        wall_s=sum(part.wall_s for part in parts),
        cpu_s=sum(part.cpu_s for part in parts),
        peak_mb=max(part.peak_mb for part in parts),
        written_mb=sum(part.written_mb for part in parts),
        spark_jobs=sum(part.spark_jobs for part in parts),
        spark_tasks=sum(part.spark_tasks for part in parts),
    )


class _Family(threading.Thread):
    """Watches a process and its children until it ends."""

    def __init__(self, process: psutil.Popen) -> None:
        super().__init__(daemon=True)
        self._process = process
        self.cpu: dict[int, float] = {}
        self.peak = 0.0
        self.start()

    def run(self) -> None:
        while self._process.poll() is None:
            memory = 0.0
            for member in self._members():
                try:
                    self.cpu[member.pid] = sum(member.cpu_times()[:2])
                    memory += member.memory_full_info().pss
                except psutil.Error:
                    continue
            self.peak = max(self.peak, memory)
            time.sleep(SAMPLE_SECONDS)

    def _members(self) -> list[psutil.Process]:
        try:
            return [self._process, *self._process.children(recursive=True)]
        except psutil.Error:
            return []


def _jobs_and_tasks(events: Path) -> tuple[int, int]:
    kinds = [
        json.loads(line)["Event"]
        for file in events.rglob("*")
        if file.is_file()
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.startswith('{"Event"')
    ]
    return kinds.count("SparkListenerJobStart"), kinds.count("SparkListenerTaskEnd")


def _cpu_of_the_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
