"""Runs of the whole pipeline: with training, with models up to date, without news, and with few new plays."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lakehouse.demo_data import write_demo_data
from tests.benchmarks.generated import write_history, write_more
from tests.benchmarks.processes import Measure, measured

LAKEHOUSE = Path(sys.executable).with_name("lakehouse")
REAL_DATA_DIR = Path(os.environ.get("REAL_DATA_DIR", "../shared/data")).resolve()
REAL_HISTORY, REAL_CATALOGUE = "spotify_extended_streaming_history.zip", "kaggle_tracks_dataset.csv.gz"
TICK_PLAYS = 50
MODELS = ("artist_model", "mood_model", "energy_model", "mood_class_model")
# Single steps on a lake that is built; see tests.benchmarks.gold_steps.
STEPS = {
    "diagnostic_and_cognitive": "nine diagnostic and cognitive tables",
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


def generated_plays(plays: int, catalogue: Path) -> Dataset:
    """Made-up plays of a catalogue's tracks and of as many strangers as real listeners have."""
    return Dataset(
        f"{plays:,} plays",
        catalogue,
        lambda place: write_history(place, catalogue, plays),
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
    yield run("full run with training")
    yield run("run without news")
    if dataset.deliver_more:
        dataset.deliver_more(imports)
        yield run("run with few new plays")
    models = (lake / "models").rename(folder / "models")
    _emptied(lake)
    models.rename(lake / "models")
    _emptied(imports)
    dataset.deliver(imports)
    yield run("full run, models up to date")


def gold_steps(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """Training alone, and single steps, on the lake that `pipeline_runs` left."""
    lake = folder / "lake"
    settings = environment(dataset, lake, folder / "import")
    shutil.rmtree(lake / "models")
    train = [str(LAKEHOUSE), "run", *(part for name in MODELS for part in ("--select", name))]
    yield measured(f"{dataset.name}: training of all models", train, settings, lake)
    for step, told in STEPS.items():
        command = [sys.executable, "-m", "tests.benchmarks.gold_steps", step]
        yield measured(f"{dataset.name}: {told}", command, settings, lake)


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
