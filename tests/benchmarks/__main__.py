"""`make bench`: how long runs take and how much memory they need, as whole processes.

Each figure is measured several times and shown as median with minimum and maximum; the JSON beside the table holds all
of them with the machine and its load.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from lakehouse.demo_data import write_demo_data

REAL_DATA_DIR = Path(os.environ.get("REAL_DATA_DIR", "../shared/data")).resolve()
LAKEHOUSE = Path(sys.executable).with_name("lakehouse")
# What is measured on the real listener's lake beside whole runs; see tests.benchmarks.gold_steps.
GOLD_STEPS = {
    "diagnostic_and_cognitive": "nine diagnostic and cognitive tables",
    "scoring": "scoring of 1 million rows",
}
MODELS = ("artist_model", "mood_model", "energy_model", "mood_class_model")
SAMPLE_SECONDS = 0.1
MEGABYTE = 2**20


@dataclass(frozen=True)
class Measure:
    """One process: seconds of wall time and CPU, peak memory with its children, size of the lake afterwards."""

    scenario: str
    wall_s: float
    cpu_s: float
    peak_mb: float
    lake_mb: float


def measured(scenario: str, command: list[str], environment: dict[str, str], lake: Path) -> Measure:
    """Run a command to its end and measure it with everything it starts."""
    started = time.monotonic()
    process = psutil.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, cpu = [0.0], {}

    def sample() -> None:
        while process.poll() is None:
            try:
                family = [process, *process.children(recursive=True)]
                peak[0] = max(peak[0], sum(member.memory_info().rss for member in family))
                cpu.update({member.pid: sum(member.cpu_times()[:2]) for member in family})
            except psutil.NoSuchProcess:
                pass
            time.sleep(SAMPLE_SECONDS)

    watcher = threading.Thread(target=sample)
    watcher.start()
    _, errors = process.communicate()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"{scenario}: {' '.join(command)} failed\n{errors.decode()}")
    lake_bytes = sum(path.stat().st_size for path in lake.rglob("*") if path.is_file())
    wall = time.monotonic() - started
    return Measure(scenario, wall, sum(cpu.values()), peak[0] / MEGABYTE, lake_bytes / MEGABYTE)


def full_and_idle(name: str, environment: dict[str, str], runs: int) -> list[Measure]:
    """A full run into an empty lake, then a run without news."""
    measures = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
            lake = Path(folder) / "lake"
            settings = environment | {"LAKE_URI": f"file:{lake}"}
            measures.append(measured(f"{name}: full run", [str(LAKEHOUSE), "run"], settings, lake))
            measures.append(measured(f"{name}: run without news", [str(LAKEHOUSE), "run"], settings, lake))
    return measures


def gold_steps(environment: dict[str, str], runs: int) -> list[Measure]:
    """Training, and single steps, on a lake that is built."""
    measures = []
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
        lake = Path(folder) / "lake"
        settings = environment | {"LAKE_URI": f"file:{lake}"}
        run = [str(LAKEHOUSE), "run"]
        measured("all", run, settings, lake)
        for _ in range(runs):
            shutil.rmtree(lake / "models")
            train = [*run, *(part for name in MODELS for part in ("--select", name))]
            measures.append(measured("real data: training", train, settings, lake))
            for step, told in GOLD_STEPS.items():
                command = [sys.executable, "-m", "tests.benchmarks.gold_steps", step]
                measures.append(measured(f"real data: {told}", command, settings, lake))
    return measures


def demo_environment(folder: Path) -> dict[str, str]:
    """Settings that make a run take the demo data."""
    files = write_demo_data(folder / "demo")
    return {"KAGGLE_CSV": str(files.catalogue), "IMPORT_DIR": str(files.history.parent)}


def real_environment(folder: Path) -> dict[str, str] | None:
    """Settings that make a run take the real data, None where there is none."""
    history = REAL_DATA_DIR / "spotify_extended_streaming_history.zip"
    if not history.is_file():
        return None
    imports = folder / "real"
    imports.mkdir()
    shutil.copy(history, imports)
    return {
        "KAGGLE_CSV": str(REAL_DATA_DIR / "kaggle_tracks_dataset.csv.gz"),
        "IMPORT_DIR": str(imports),
        "LISTENER_TIME_ZONE": "America/New_York",
    }


def main() -> None:
    """Measure, print a table, write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each scenario")
    parser.add_argument("--output", type=Path, default=Path("data/bench/results.json"))
    arguments = parser.parse_args()
    console = Console()
    machine = {
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        "load_before": os.getloadavg(),
    }
    measures: list[Measure] = []
    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-") as folder:
        with console.status("demo data"):
            measures += full_and_idle("demo data", demo_environment(Path(folder)), arguments.runs)
        real = real_environment(Path(folder))
        if real is None:
            console.print(f"real data: skipped, {REAL_DATA_DIR} is missing")
        else:
            with console.status("real data"):
                measures += full_and_idle("real data", real, arguments.runs)
                measures += gold_steps(real, arguments.runs)
    _show(console, measures)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine, "load_after": os.getloadavg(), "measures": [asdict(m) for m in measures]}
    arguments.output.write_text(json.dumps(results, indent=1), encoding="utf-8")
    console.print(f"{arguments.output} holds every single figure; load before {machine['load_before']}")


def _show(console: Console, measures: list[Measure]) -> None:
    grid = Table(title="median (minimum to maximum)", title_justify="left")
    for name in ("scenario", "wall s", "CPU s", "peak MB", "lake MB"):
        grid.add_column(name, justify="left" if name == "scenario" else "right")
    for scenario in dict.fromkeys(measure.scenario for measure in measures):
        of_scenario = [asdict(measure) for measure in measures if measure.scenario == scenario]
        cells = []
        for figure in ("wall_s", "cpu_s", "peak_mb", "lake_mb"):
            values = [measure[figure] for measure in of_scenario]
            cells.append(f"{statistics.median(values):,.1f} ({min(values):,.1f} to {max(values):,.1f})")
        grid.add_row(scenario, *cells)
    console.print(grid)


if __name__ == "__main__":
    main()
