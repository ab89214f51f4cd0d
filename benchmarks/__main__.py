"""`make bench`: times, memory and bytes of whole runs, and of Trino's answers.

Each figure is measured several times and shown as median with minimum and maximum; the JSON beside the table holds all
of them with the machine and its load. Exit code 1 when a median is over its limit.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import psutil
import pytest
from rich.console import Console
from rich.table import Table

from benchmarks.cluster import cluster_runs
from benchmarks.dashboards import SupersetFigures, superset_figures
from benchmarks.limits import Verdict, judge, medians
from benchmarks.listeners import collection_runs, many_listeners
from benchmarks.pipeline import (
    REAL_DATA_DIR,
    Dataset,
    compared_with_duckdb,
    demo_data,
    generated_plays,
    gold_steps,
    pipeline_runs,
    real_data,
)
from benchmarks.processes import Measure, reference_s
from benchmarks.queries import TrinoFigures, trino_figures
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack.trino_server import get_cli, get_server

DATASETS = ("demo", "generated", "real")
# Generated plays too; only when asked for.
CLUSTER, LISTENERS = "cluster", "listeners"
SEED_PLAYS = 1_504
GIGABYTE = 2**30
# What a run takes at least, and per million plays.
MEMORY_GB, MEMORY_GB_PER_MILLION = 2.0, 0.5
DISK_GB, DISK_GB_PER_MILLION = 1.0, 2.0
# Of the largest cluster.
EXECUTORS_GB = 8.0
# A file has no width of its own.
FILE_COLUMNS = 160
SHOWN = {
    "wall_s": "wall s", "cpu_s": "CPU s", "peak_mb": "peak MB", "written_mb": "written MB", "spark_jobs": "jobs",
    "spark_tasks": "tasks", "to_driver_mb": "to driver MB", "executors_mb": "executors MB",
    "task_mb": "task MB", "task_rows": "task rows",
}  # fmt: skip


@dataclass
class Results:
    """What was measured so far; kept after each measure, for all of them take hours."""

    machine: dict[str, Any]
    reference_s: list[float] = field(default_factory=list)
    runs: list[Measure] = field(default_factory=list)
    trino: list[TrinoFigures] = field(default_factory=list)
    superset: list[SupersetFigures] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def verdicts(self) -> list[Verdict]:
        """On every limit."""
        return judge(medians(self.runs, self.trino, self.superset))

    def keep(self, file: Path) -> None:
        """Write all of it."""
        limits = [asdict(verdict) | {"verdict": verdict.word} for verdict in self.verdicts()]
        file.parent.mkdir(parents=True, exist_ok=True)
        measured = asdict(self) | {"load_after": os.getloadavg(), "limits": limits}
        file.write_text(json.dumps(measured, indent=1), encoding="utf-8")


def main() -> None:
    """Measure, print tables, write the JSON."""
    arguments = _arguments()
    console = Console(width=None if sys.stdout.isatty() else FILE_COLUMNS)
    machine = {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / GIGABYTE, 1),
        "python": platform.python_version(),
        "load_before": os.getloadavg(),
    }
    results = Results(machine)
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
        _measure(arguments, Path(folder), results, console)
    _show_runs(console, results.runs)
    for queried in results.trino:
        _show_queries(console, queried)
    for shown in results.superset:
        _show_dashboards(console, shown)
    verdicts = results.verdicts()
    _show_verdicts(console, verdicts)
    for line in results.skipped:
        console.print(f"skipped {line}", markup=False, highlight=False)
    results.keep(arguments.output)
    console.print(f"{arguments.output} holds every single figure; load before {machine['load_before']}")
    if results.reference_s:
        speed = _median_and_spread(results.reference_s)
        console.print(f"fixed work on every core took {speed} s: figures of other days and machines compare by it")
    if any(verdict.is_missed for verdict in verdicts):
        sys.exit(1)


def _measure(arguments: argparse.Namespace, folder: Path, results: Results, console: Console) -> None:
    def run(measures: Iterable[Measure]) -> None:
        for measure in measures:
            results.runs.append(measure)
            results.keep(arguments.output)
            line = f"{measure.scenario}: {measure.wall_s:.1f} s, {measure.cpu_s:.1f} CPU s, {measure.peak_mb:,.0f} MB"
            console.print(line, highlight=False)

    for dataset in _datasets(folder, arguments.only, arguments.plays, results.skipped):
        if missing := _missing(dataset, folder):
            results.skipped.append(f"{dataset.name}: {missing}")
            continue
        place = folder / "lakes" / dataset.name
        for number in range(arguments.runs):
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir(parents=True)
            results.reference_s.append(reference_s())
            with console.status(f"{dataset.name}, run {number + 1} of {arguments.runs}"):
                run(pipeline_runs(dataset, place))
                run(compared_with_duckdb(dataset, place))
                if dataset.name == "real data":
                    run(gold_steps(dataset, place))
        if dataset.name in ("demo data", "real data") and not arguments.no_trino:
            with console.status(f"{dataset.name}: Trino"):
                results.trino += _trino(dataset.name, place / "lake", folder, results.skipped)
            with console.status(f"{dataset.name}: Superset"):
                results.superset += _superset(dataset.name, place / "lake", folder, results.skipped)
            results.keep(arguments.output)
    if LISTENERS in arguments.only:
        with console.status("many listeners"):
            run(_many_listeners(folder, arguments.listeners, arguments.plays, results))
    if CLUSTER in arguments.only:
        with console.status("clusters"):
            run(_on_clusters(folder, arguments.listeners, arguments.plays, results.skipped))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=(*DATASETS, LISTENERS, CLUSTER),
        default=DATASETS,
        help="measure these datasets alone",
    )
    parser.add_argument("--runs", type=int, default=3, help="runs of each scenario")
    parser.add_argument(
        "--plays", type=int, nargs="*", default=[SEED_PLAYS], help="sizes of generated listening histories"
    )
    parser.add_argument("--listeners", type=int, default=100, help="number of them, each of so many plays")
    parser.add_argument("--no-trino", action="store_true", help="leave out the queries and the dashboards")
    parser.add_argument("--output", type=Path, default=Path("data/bench/results.json"))
    return parser.parse_args()


def _datasets(folder: Path, only: Iterable[str], sizes: list[int], skipped: list[str]) -> Iterable[Dataset]:
    """The demo listener, generated ones with the largest catalogue there is, and the real one."""
    demo, real = demo_data(folder), real_data()
    if real is None and set(only) != {"demo"}:
        skipped.append(f"real data: {REAL_DATA_DIR} is missing; generated plays take the demo catalogue")
    if "demo" in only:
        yield demo
    for plays in sizes if "generated" in only else ():
        yield generated_plays(plays, (real or demo).catalogue, folder)
    if real and "real" in only:
        yield real


def _many_listeners(folder: Path, listeners: int, sizes: list[int], results: Results) -> Iterable[Measure]:
    """Many listeners in one lake, once: it takes long."""
    for plays in sizes:
        dataset = many_listeners(listeners, plays, (real_data() or demo_data(folder)).catalogue)
        if missing := _missing(dataset, folder):
            results.skipped.append(f"{dataset.name}: {missing}")
            continue
        results.reference_s.append(reference_s())
        yield from collection_runs(dataset, folder / "listeners" / str(plays))


def _on_clusters(folder: Path, listeners: int, sizes: list[int], skipped: list[str]) -> Iterable[Measure]:
    """Many listeners on clusters, once: it takes long."""
    for plays in sizes:
        dataset = many_listeners(listeners, plays, (real_data() or demo_data(folder)).catalogue)
        place = folder / "clusters" / dataset.name
        place.mkdir(parents=True)
        if missing := _missing(dataset, folder, beside_gb=EXECUTORS_GB):
            skipped.append(f"{dataset.name} on clusters: {missing}")
            continue
        try:
            yield from cluster_runs(dataset, place)
        except pytest.skip.Exception as missing_program:
            skipped.append(f"{dataset.name} on clusters: {missing_program}")


def _missing(dataset: Dataset, folder: Path, *, beside_gb: float = 0.0) -> str:
    """What the machine lacks for a dataset, or ''; `beside_gb` of memory is taken by other processes."""
    millions = dataset.plays / 1_000_000
    memory, disk = beside_gb + MEMORY_GB + MEMORY_GB_PER_MILLION * millions, DISK_GB + DISK_GB_PER_MILLION * millions
    free_memory = psutil.virtual_memory().available / GIGABYTE
    free_disk = shutil.disk_usage(folder).free / GIGABYTE
    if free_memory < memory:
        return f"needs {memory:.1f} GB of memory, {free_memory:.1f} are free"
    return f"needs {disk:.1f} GB of disk at {folder}, {free_disk:.1f} are free" if free_disk < disk else ""


def _trino(name: str, lake: Path, folder: Path, skipped: list[str]) -> Iterable[TrinoFigures]:
    settings = Settings(stack_dir=os.environ.get("STACK_DIR") or "data/stack", _env_file=None)
    server = folder / "trino" / name
    server.mkdir(parents=True)
    try:
        get_server(settings, Console())
        get_cli(settings, Console())
        yield trino_figures(name, lake, server, settings.stack_dir.resolve())
    except LakehouseError as error:
        skipped.append(f"Trino on {name}: {error}")


def _superset(name: str, lake: Path, folder: Path, skipped: list[str]) -> Iterable[SupersetFigures]:
    settings = Settings(stack_dir=os.environ.get("STACK_DIR") or "data/stack", _env_file=None)
    servers = folder / "superset" / name
    servers.mkdir(parents=True)
    try:
        yield superset_figures(name, lake, servers, settings.stack_dir.resolve())
    except LakehouseError as error:
        skipped.append(f"Superset on {name}: {error}")


def _show_runs(console: Console, measures: list[Measure]) -> None:
    """A table per dataset."""
    for dataset, of_dataset in groupby(measures, lambda measure: measure.scenario.split(": ")[0]):
        grid = Table(title=f"{dataset}: median (minimum to maximum)", title_justify="left")
        for title in ("scenario", *SHOWN.values()):
            grid.add_column(title, justify="left" if title == "scenario" else "right")
        by_scenario: dict[str, list[dict[str, Any]]] = {}
        for measure in of_dataset:
            by_scenario.setdefault(measure.scenario.removeprefix(f"{dataset}: "), []).append(asdict(measure))
        for scenario, runs in by_scenario.items():
            grid.add_row(scenario, *(_median_and_spread([run[figure] for run in runs]) for figure in SHOWN))
        console.print(grid)


def _median_and_spread(values: list[float]) -> str:
    least, middle, most = (
        f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
        for value in (min(values), statistics.median(values), max(values))
    )
    return middle if least == most else f"{middle} ({least} to {most})"


def _show_queries(console: Console, figures: TrinoFigures) -> None:
    title = f"Trino on {figures.lake}: healthy after {figures.healthy_s:.0f} s, {figures.resident_mb:.0f} MB at rest"
    grid = Table(title=title, title_justify="left")
    for name in ("query", "median ms", "p95 ms"):
        grid.add_column(name, justify="left" if name == "query" else "right")
    for query in figures.queries:
        grid.add_row(query.query, f"{1000 * query.median_s:,.0f}", f"{1000 * query.p95_s:,.0f}")
    console.print(grid)


def _show_dashboards(console: Console, figures: SupersetFigures) -> None:
    memory = ", ".join(f"{name} {size:,.0f}" for name, size in figures.resident_mb.items())
    title = (
        f"Superset on {figures.lake}: ready after {figures.ready_s:.1f} s, home drawn after {figures.rendered_s:.1f}, "
        f"all charts computed in {figures.refreshed_s:.1f}; resident MB: {memory}"
    )
    grid = Table(title=title, title_justify="left")
    for name in ("dashboard", "charts", "cold s", "warm s", "drawn s"):
        grid.add_column(name, justify="left" if name == "dashboard" else "right")
    for times in figures.dashboards:
        seconds = (f"{value:.2f}" for value in (times.cold_s, times.warm_s, times.drawn_s))
        grid.add_row(times.dashboard, str(times.charts), *seconds)
    console.print(grid)


def _show_verdicts(console: Console, verdicts: list[Verdict]) -> None:
    grid = Table(title="limits", title_justify="left")
    for name in ("figure", "median", "at most", "verdict"):
        grid.add_column(name, justify="right" if name in ("median", "at most") else "left")
    for verdict in verdicts:
        measured = "" if verdict.measured is None else f"{verdict.measured:,.2f}"
        word = f"[bold red]{verdict.word}[/]" if verdict.is_missed else verdict.word
        grid.add_row(verdict.figure, measured, f"{verdict.most:,.2f}", word)
    console.print(grid)


if __name__ == "__main__":
    main()
