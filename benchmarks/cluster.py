"""The same data through Spark clusters of one and of two workers, with the lake in an object store: time against cores.

All of it runs on this machine: workers of one core each, driver, master and store share its cores.
"""

from collections.abc import Iterator
from pathlib import Path

from benchmarks.pipeline import LAKEHOUSE, MODELS, Dataset, environment
from benchmarks.processes import Measure, measured
from pipeline.registry import pipeline_nodes, pipeline_tables, with_ancestors
from tests.cluster.servers import S3Server, SparkCluster

WORKERS = (1, 2)
EXECUTOR_MB = 2048
LARGE_DATA = {"spark.executor.defaultJavaOptions": "-XX:+UseParallelGC"}


def cluster_runs(dataset: Dataset, folder: Path) -> Iterator[Measure]:
    """Both imports on the first cluster, and on each the tables that are made from all plays, in the same lake.

    Args:
        dataset: what is delivered.
        folder: an empty folder.
    """
    imports = folder / "import"
    imports.mkdir()
    dataset.deliver(imports)
    scenarios = {
        "import of the catalogue": ["catalogue", str(dataset.catalogue)],
        "import of the plays": ["import", str(imports)],
        "tables": ["run", "--full", *(part for table in _tables() for part in ("--select", table))],
    }
    store = S3Server(folder / "store")
    store.start()
    try:
        for workers in WORKERS:
            cluster = SparkCluster(folder / f"cluster-{workers}", EXECUTOR_MB, LARGE_DATA)
            try:
                cluster.start(workers)
                yield from _runs(dataset, folder, scenarios, store, cluster)
            finally:
                cluster.stop()
            scenarios = {"tables": scenarios["tables"]}
    finally:
        store.stop()


def _runs(
    dataset: Dataset, folder: Path, scenarios: dict[str, list[str]], store: S3Server, cluster: SparkCluster
) -> Iterator[Measure]:
    settings = environment(dataset, folder, folder / "import")
    settings |= cluster.client | store.environment("lake", folder / "work")
    processes = [process for worker in cluster.workers if (process := worker.process())]
    name = f"{dataset.name}, workers: {len(processes)}"
    for scenario, command in scenarios.items():
        yield measured(f"{name}: {scenario}", [str(LAKEHOUSE), *command], settings, store.folder / "objects", processes)


def _tables() -> list[str]:
    """Those that need no training but silver's: it is the driver's on any cluster, and of a bounded number of rows."""
    nodes, trained = pipeline_nodes(), set(MODELS) - {"artist_model"}
    return [name for name in pipeline_tables() if not with_ancestors({name}, nodes) & trained]
