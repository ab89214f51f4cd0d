"""How fast Trino starts, how large it is at rest, and how fast it answers every ready query."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.processes import MEGABYTE
from lakehouse.settings import Settings
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.processes import Background
from pipeline.registry import all_tables
from tests.stack.conftest import run_query, settings_in
from tests.stack.documents import sql_blocks

REPEATS = 20
REST_SECONDS = 60


@dataclass(frozen=True)
class QueryTimes:
    """Times of one query in seconds, warm: after it ran once."""

    query: str
    median_s: float
    p95_s: float


@dataclass(frozen=True)
class TrinoFigures:
    """Trino on one lake.

    Attributes:
        lake: which one.
        healthy_s: seconds from `stack up` to the tables' registration.
        resident_mb: memory of the server when nobody asks.
        queries: every SQL block of the documents.
    """

    lake: str
    healthy_s: float
    resident_mb: float
    queries: list[QueryTimes]


def trino_figures(name: str, lake: Path, folder: Path, downloads: Path) -> TrinoFigures:
    """Start Trino on a lake, ask everything, and stop it.

    Args:
        name: of the lake.
        lake: its folder; it is linked, not copied.
        folder: an empty folder for the server's files.
        downloads: where server and client lie.
    """
    settings = settings_in(folder, downloads)
    settings.lake_path.parent.mkdir(parents=True, exist_ok=True)
    settings.lake_path.symlink_to(lake)
    silent = Console(quiet=True)
    began = time.monotonic()
    try:
        stack_up(settings, all_tables().values(), silent, superset=False)
        healthy = time.monotonic() - began
        time.sleep(REST_SECONDS)
        process = Background("trino", settings.stack_dir).process()
        resident = process.memory_info().rss / MEGABYTE if process else 0.0
        queries = []
        for block in sql_blocks():
            times = [_seconds(block.sql, settings) for _ in range(REPEATS + 1)][1:]
            queries.append(QueryTimes(block.heading, float(np.median(times)), float(np.quantile(times, 0.95))))
        return TrinoFigures(name, healthy, resident, queries)
    finally:
        stack_down(settings, silent)


def _seconds(sql: str, settings: Settings) -> float:
    began = time.monotonic()
    run_query(settings, sql)
    return time.monotonic() - began
