"""What Spark's event log tells of a run: its jobs, their tasks, and what these sent to the driver."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# As options of Spark.
EVENT_LOG = {"spark.eventLog.enabled": "true", "spark.eventLog.compress": "false"}


@dataclass
class SparkJob:
    """One job.

    Attributes:
        purpose: the table that it was for, or what Spark says of it.
        tasks: how many it ran.
        sent: bytes that they sent to the driver as results.
        task_memory: most bytes that one of them held at once to sort, group and join.
        task_rows: most rows that one of them got from other tasks.
    """

    purpose: str
    tasks: int = 0
    sent: int = 0
    task_memory: int = 0
    task_rows: int = 0


def spark_jobs(folder: Path) -> list[SparkJob]:
    """The jobs of the run that logged below a folder."""
    jobs: list[SparkJob] = []
    by_stage: dict[int, SparkJob] = {}
    for event in _events(folder):
        if event["Event"] == "SparkListenerJobStart":
            jobs.append(SparkJob((event.get("Properties") or {}).get("spark.job.description", "")))
            by_stage |= dict.fromkeys(event["Stage IDs"], jobs[-1])
        elif event["Event"] == "SparkListenerTaskEnd":
            job = by_stage[event["Stage ID"]]
            metrics = event.get("Task Metrics") or {}
            job.tasks += 1
            job.task_memory = max(job.task_memory, metrics.get("Peak Execution Memory", 0))
            job.task_rows = max(job.task_rows, metrics.get("Shuffle Read Metrics", {}).get("Total Records Read", 0))
            if event["Task Type"] == "ResultTask":
                job.sent += metrics.get("Result Size", 0)
    return jobs


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        with file.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.startswith('{"Event"'))
