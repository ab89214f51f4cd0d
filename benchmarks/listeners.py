"""A collection of many listeners: what building all of them takes, and what new plays of one of them take.

The same new plays in a lake with that listener alone are the measure for what the others cost.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.generated import write_history, write_more
from benchmarks.pipeline import LAKEHOUSE, LARGE_MEMORY, TICK_PLAYS, Dataset, environment
from benchmarks.processes import Measure, measured

BUILT, FEW, FEW_ALONE = "full run with training", "run with few new plays", "the same in a lake of that listener alone"


def many_listeners(listeners: int, plays: int, catalogue: Path) -> Dataset:
    """So many listeners of so many plays each, all of another taste.

    Args:
        listeners: at least 1.
        plays: of each, at least 1.
        catalogue: the catalogue's csv or csv.gz file.
    """

    def deliver(place: Path) -> None:
        for number in range(listeners):
            folder = place / _name(number)
            folder.mkdir()
            write_history(folder, catalogue, plays, listener=number)

    name = f"{listeners:,} listeners of {plays:,} plays"
    return Dataset(name, catalogue, deliver, lambda place: write_more(place / _name(0), TICK_PLAYS), listeners * plays)


def collection_runs(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """Build a lake of many listeners, then take new plays of the first into it, and into a lake of theirs alone.

    Args:
        dataset: of `many_listeners`.
        folder: an empty folder.
    """

    def run(scenario: str, place: Path) -> Measure:
        lake, imports = place / "lake", place / "import"
        settings = environment(dataset, lake, imports) | {"SPARK_DRIVER_MEMORY": LARGE_MEMORY}
        return measured(f"{dataset.name}: {scenario}", [str(LAKEHOUSE), "run"], settings, lake)

    together, alone = folder / "together", folder / "alone"
    for place in (together, alone):
        (place / "import").mkdir(parents=True)
    dataset.deliver(together / "import")
    shutil.copytree(together / "import" / _name(0), alone / "import" / _name(0))
    yield run(BUILT, together)
    shutil.copytree(together / "lake" / "models", alone / "lake" / "models")
    run("unmeasured", alone)
    for scenario, place in ((FEW, together), (FEW_ALONE, alone)):
        assert dataset.deliver_more
        dataset.deliver_more(place / "import")
        yield run(scenario, place)


def _name(number: int) -> str:
    return f"listener_{number:05d}"
