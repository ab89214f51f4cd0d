"""Runs a command as a user would and measures it with everything that it starts."""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.support.spark_events import EVENT_LOG, spark_jobs

SAMPLE_SECONDS = 0.5
# Counting shared pages holds up the process that is looked at: it takes at most such a share of the time.
SHARE_OF_LOOKING = 1 / 40
MEGABYTE = 2**20
# Not by a configuration folder: it would be on the class path, and Java refuse the archive of classes.
LOGGED = " ".join(f"--conf {name}={value}" for name, value in EVENT_LOG.items())
REFERENCE_WORK = "sum(number * number for number in range(10_000_000))"


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
        to_driver_mb: most that one of them sent to the driver.
        executors_mb: most memory at once of what ran for it on a cluster; not in peak_mb.
        task_mb: most memory of one task for sorting, grouping and joining.
        task_rows: most rows that one task got from other tasks.
    """

    scenario: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    written_mb: float
    spark_jobs: int = 0
    spark_tasks: int = 0
    to_driver_mb: float = 0.0
    executors_mb: float = 0.0
    task_mb: float = 0.0
    task_rows: int = 0


def reference_s() -> float:
    """Seconds of a fixed piece of work on every core at once: how fast the machine is just now.

    Times of another day, or of another machine, compare by it.
    """
    began = time.monotonic()
    working = [subprocess.Popen([sys.executable, "-I", "-c", REFERENCE_WORK]) for _ in range(os.cpu_count() or 1)]
    for process in working:
        process.wait()
    return time.monotonic() - began


def measured(
    scenario: str,
    command: list[str],
    environment: dict[str, str],
    lake: Path,
    workers: Sequence[psutil.Process] = (),
) -> Measure:
    """Run a command to its end.

    Args:
        scenario: what it does.
        command: the command.
        environment: what it needs beside this process's.
        lake: the folder that it writes to.
        workers: of the cluster that it uses: what they start meanwhile runs for it.

    Raises:
        SystemExit: it failed; shows what it said.
    """
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-events-") as events:
        size_before, cpu_before, started = _size(lake), _cpu_of_the_ended(), time.monotonic()
        submitted = {"PYSPARK_SUBMIT_ARGS": f"{LOGGED} --conf spark.eventLog.dir=file://{events} pyspark-shell"}
        process = psutil.Popen(
            command, env=os.environ | environment | submitted, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        family = _Family(process, workers)
        _, errors = process.communicate()
        wall = time.monotonic() - started
        family.join()
        # A short process may end unseen; the JVM is no child that anybody waits for.
        cpu = max(sum(family.cpu.values()), _cpu_of_the_ended() - cpu_before)
        if process.returncode:
            raise SystemExit(f"{scenario}: {' '.join(command)} failed\n{errors.decode()}")
        jobs = spark_jobs(Path(events))
    return Measure(
        scenario,
        wall_s=wall,
        cpu_s=cpu,
        peak_mb=family.peak / MEGABYTE,
        written_mb=(_size(lake) - size_before) / MEGABYTE,
        spark_jobs=len(jobs),
        spark_tasks=sum(job.tasks for job in jobs),
        to_driver_mb=max((job.sent for job in jobs), default=0) / MEGABYTE,
        executors_mb=family.peak_of_workers / MEGABYTE,
        task_mb=max((job.task_memory for job in jobs), default=0) / MEGABYTE,
        task_rows=max((job.task_rows for job in jobs), default=0),
    )


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
        to_driver_mb=max(part.to_driver_mb for part in parts),
        executors_mb=max(part.executors_mb for part in parts),
        task_mb=max(part.task_mb for part in parts),
        task_rows=max(part.task_rows for part in parts),
    )


class _Family(threading.Thread):
    """Watches a process and its children, and the children of workers, until it ends."""

    def __init__(self, process: psutil.Popen, workers: Sequence[psutil.Process]) -> None:
        super().__init__(daemon=True)
        self._process, self._workers = process, workers
        self.cpu: dict[int, float] = {}
        self.peak = self.peak_of_workers = 0.0
        self.start()

    def run(self) -> None:
        while self._process.poll() is None:
            began = time.monotonic()
            self.peak = max(self.peak, self._memory([self._process, *_children(self._process)]))
            of_workers = [child for worker in self._workers for child in _children(worker)]
            self.peak_of_workers = max(self.peak_of_workers, self._memory(of_workers))
            time.sleep(max(SAMPLE_SECONDS, (time.monotonic() - began) / SHARE_OF_LOOKING))

    def _memory(self, members: list[psutil.Process]) -> float:
        memory = 0.0
        for member in members:
            try:
                self.cpu[member.pid] = sum(member.cpu_times()[:2])
                memory += member.memory_full_info().pss
            except psutil.Error:
                continue
        return memory


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = process.children(recursive=True)
    except psutil.Error:
        return []
    return found


def _cpu_of_the_ended() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
