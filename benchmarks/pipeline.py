"""Runs of the whole pipeline: with training, with models up to date, without news, and with few new plays.

Beside them what they are compared with: the same tables by eight scripts, and ten of them by DuckDB.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.generated import write_catalogue, write_history, write_more
from benchmarks.processes import Measure, in_all, measured
from pipeline.demo.data import write_demo_data
from pipeline.registry import pipeline_tables

LAKEHOUSE = Path(sys.executable).with_name("lakehouse")
REAL_DATA_DIR = Path(os.environ.get("REAL_DATA_DIR", "../shared/data")).resolve()
REAL_HISTORY, REAL_CATALOGUE = "spotify_extended_streaming_history.zip", "kaggle_tracks_dataset.csv.gz"
TICK_PLAYS = 50
# From here on the catalogue is generated too, and Spark gets the memory for it.
LARGE_PLAYS, LARGE_CATALOGUE, LARGE_MEMORY = 100_000, 1_200_000, "3g"
MODELS = ("artist_model", "mood_model", "energy_model", "mood_class_model")
IMPORT = "import alone, with default settings"
EIGHT_STARTS = "the same tables by eight starts"
BY_DUCKDB = "descriptive and diagnostic tables by DuckDB"
# Single steps on a lake that is built; see benchmarks.gold_steps.
STEPS = {
    "diagnostic_and_cognitive": "nine diagnostic and cognitive tables",
    "descriptive_and_diagnostic": "descriptive and diagnostic tables",
    "scoring": "scoring of 1 million tracks by three models",
}


@dataclass(frozen=True)
class Dataset:
    """What a lake is built from.

    Attributes:
        name: names its rows in the results.
        catalogue: the catalogue's file.
        deliver: puts the listening history into a folder.
        deliver_more: adds a file of few later plays to it; None where there are none.
        plays: about how many plays it holds.
    """

    name: str
    catalogue: Path
    deliver: Callable[[Path], object]
    deliver_more: Callable[[Path], object] | None
    plays: int


def demo_data(folder: Path) -> Dataset:
    """The demo listener with the demo catalogue."""
    files = write_demo_data(folder / "demo")
    return Dataset(
        "demo data",
        files.catalogue,
        lambda place: shutil.copy(files.history, place),
        None,
        1_504,
    )


def generated_plays(plays: int, catalogue: Path, folder: Path) -> Dataset:
    """Made-up plays of a catalogue's tracks and of as many strangers as real listeners have."""
    if plays >= LARGE_PLAYS:
        larger = folder / "generated_tracks.csv"
        if not larger.exists():
            write_catalogue(larger, catalogue, LARGE_CATALOGUE)
        catalogue = larger
    history = folder / f"{plays}_plays"

    def deliver(place: Path) -> None:
        if not history.exists():
            history.mkdir()
            write_history(history, catalogue, plays)
        shutil.copytree(history, place, copy_function=os.link, dirs_exist_ok=True)

    return Dataset(
        f"{plays:,} plays",
        catalogue,
        deliver,
        lambda place: write_more(place, TICK_PLAYS),
        plays,
    )


def real_data() -> Dataset | None:
    """The real listener with the Kaggle catalogue; None where they are not there."""
    history, catalogue = REAL_DATA_DIR / REAL_HISTORY, REAL_DATA_DIR / REAL_CATALOGUE
    if not (history.is_file() and catalogue.is_file()):
        return None

    def more(place: Path) -> None:
        shutil.copy(REAL_DATA_DIR / "recently_played_20221103.json", place / "recently_played.json")

    return Dataset("real data", catalogue, lambda place: shutil.copy(history, place), more, 22_150)


def environment(dataset: Dataset, lake: Path, imports: Path) -> dict[str, str]:
    """The settings that build a lake from a dataset."""
    return {
        "LAKE_URI": f"file:{lake}", "KAGGLE_CSV": str(dataset.catalogue), "IMPORT_DIR": str(imports),
        "LISTENER_TIME_ZONE": "America/New_York",
        # One thread per fit, as the Makefile and the containers set it.
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        **({"SPARK_DRIVER_MEMORY": LARGE_MEMORY} if dataset.plays >= LARGE_PLAYS else {}),
    }  # fmt: skip


def pipeline_runs(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """Every kind of run once; leaves the lake in `folder`/lake.

    Args:
        dataset: what is delivered.
        folder: an empty folder.
    """
    lake, imports = folder / "lake", folder / "import"
    settings = environment(dataset, lake, imports)

    def run(scenario: str) -> Measure:
        return measured(f"{dataset.name}: {scenario}", [str(LAKEHOUSE), "run"], settings, lake)

    _emptied(imports)
    dataset.deliver(imports)
    if dataset.plays >= LARGE_PLAYS:
        defaults = settings | {"SPARK_DRIVER_MEMORY": ""}
        yield measured(f"{dataset.name}: {IMPORT}", [str(LAKEHOUSE), "import", str(imports)], defaults, lake)
        _emptied(lake)
    yield run("full run with training")
    yield run("run without news")
    if dataset.deliver_more:
        dataset.deliver_more(imports)
        yield run("run with few new plays")
    _start_over(dataset, folder)
    # With many plays seven starts more are nothing.
    if dataset.plays < LARGE_PLAYS:
        yield eight_starts(dataset, folder)
        _start_over(dataset, folder)
    yield run("full run, models up to date")


def _start_over(dataset: Dataset, folder: Path) -> None:
    """Empty the lake except for its models, and deliver anew."""
    lake, imports = folder / "lake", folder / "import"
    models = (lake / "models").rename(folder / "models")
    _emptied(lake)
    models.rename(lake / "models")
    _emptied(imports)
    dataset.deliver(imports)


def eight_starts(dataset: Dataset, folder: Path) -> Measure:
    """What a full run does, as eight scripts one after the other: two imports, silver, and the five kinds of gold.

    Each starts its own engine, and builds what is not up to date by then; so nothing is done twice.
    """
    lake, imports = folder / "lake", folder / "import"
    settings = environment(dataset, lake, imports)
    tables = pipeline_tables().values()
    groups = ("descriptive", "diagnostic", "predictive", "cognitive", "prescriptive")
    chosen = [[table.name for table in tables if table.layer == "silver"]]
    chosen += [[table.name for table in tables if table.group == group] for group in groups]
    scripts = [["catalogue", str(dataset.catalogue)], ["import", str(imports)]]
    scripts += [["run", *(part for name in names for part in ("--select", name))] for names in chosen]
    assert len(scripts) == 8
    parts = [measured("script", [str(LAKEHOUSE), *script], settings, lake) for script in scripts]
    return in_all(f"{dataset.name}: {EIGHT_STARTS}", parts)


def compared_with_duckdb(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """The descriptive and diagnostic tables by one process of ours and by one of DuckDB's, from the same silver."""
    lake = folder / "lake"
    settings = environment(dataset, lake, folder / "import")
    ours = [sys.executable, "-m", "benchmarks.gold_steps", "descriptive_and_diagnostic"]
    yield measured(f"{dataset.name}: {STEPS['descriptive_and_diagnostic']}", ours, settings, lake)
    with tempfile.TemporaryDirectory(prefix="lakehouse-duckdb-") as place:
        theirs = [sys.executable, "-m", "benchmarks.yardstick", place]
        yield measured(f"{dataset.name}: {BY_DUCKDB}", theirs, settings, lake)


def gold_steps(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """Training alone, and single steps, on the lake that `pipeline_runs` left."""
    lake = folder / "lake"
    settings = environment(dataset, lake, folder / "import")
    shutil.rmtree(lake / "models")
    train = [str(LAKEHOUSE), "run", *(part for name in MODELS for part in ("--select", name))]
    yield measured(f"{dataset.name}: training of all models", train, settings, lake)
    for step in ("diagnostic_and_cognitive", "scoring"):
        command = [sys.executable, "-m", "benchmarks.gold_steps", step]
        yield measured(f"{dataset.name}: {STEPS[step]}", command, settings, lake)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
