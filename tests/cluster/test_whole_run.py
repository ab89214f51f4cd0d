"""The whole pipeline on two workers and an object store makes the tables that one machine makes, whatever fails.

Everything is a process of its own: driver, master, workers and store.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest

from lakehouse.contract import Model, Table
from lakehouse.errors import LakehouseError
from lakehouse.lake.logs import DeltaLogs, open_logs
from lakehouse.settings import Settings
from lakehouse.spark.session import build_session
from pipeline.demo.data import write_demo_data
from pipeline.registry import pipeline_nodes, pipeline_tables
from tests.cluster.servers import S3Server, SparkCluster, started, wait_until
from tests.support.command_line import LAKEHOUSE, environment_with, lakehouse
from tests.support.ports import free_port
from tests.support.spark_events import SparkJob, spark_jobs

pytestmark = pytest.mark.long

# On a busy machine.
RUN_SECONDS = 900
# In place of `SMALL_ROWS`. At most so large are a row, and what a task tells of itself.
FEW_ROWS, ROW_BYTES, TASK_BYTES = 50, 1_000, 25_000
# Spark keeps the bound of what a join sends around itself: 10 MB.
WITHOUT_BROADCASTS = {"spark.sql.autoBroadcastJoinThreshold": "-1"}
# Instants, which no two runs share.
OF_THE_RUN = ["ingested_at", "trained_at"]


@dataclass(frozen=True)
class Demo:
    """The made-up files, and a lake that one machine built from them."""

    sources: dict[str, str]
    lake: DeltaLogs


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Built by a local run."""
    folder = tmp_path_factory.mktemp("demo")
    files = write_demo_data(folder / "files")
    sources = {
        "KAGGLE_CSV": str(files.catalogue), "IMPORT_DIR": str(files.history.parent), "TRINO_PORT": str(free_port()),
        "SUPERSET_PORT": str(free_port()), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    done = lakehouse(folder, "run", LAKE_URI=f"file:{folder}/lake", **sources)
    assert done.returncode == 0, done.stderr
    return Demo(sources, DeltaLogs(f"file://{folder}/lake"))


@contextmanager
def two_workers(folder: Path, options: Mapping[str, str] | None = None) -> Iterator[SparkCluster]:
    """A standalone cluster of two workers."""
    spark_cluster = SparkCluster(folder, options=options or {})
    try:
        spark_cluster.start(workers=2)
        yield spark_cluster
    finally:
        spark_cluster.stop()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SparkCluster]:
    """One for a test that may harm it."""
    with two_workers(tmp_path / "cluster") as spark_cluster:
        yield spark_cluster


def rows(lake: DeltaLogs, table: Table) -> pd.DataFrame:
    """A table's rows in the order of its key."""
    log = lake.log(table)
    assert log, f"{table.name} was not written"
    return log.to_pandas().drop(columns=OF_THE_RUN, errors="ignore").sort_values(list(table.key), ignore_index=True)


def require_same_tables(demo: Demo, settings: Settings) -> None:
    """Row for row; sums of fractions differ in their last digits by the order in which they are added."""
    lake = open_logs(settings)
    for table in pipeline_tables().values():
        expected, found = rows(demo.lake, table), rows(lake, table)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=1e-12, obj=table.name)


def environment(s3: S3Server, cluster: SparkCluster, place: str, work: Path, demo: Demo) -> dict[str, str]:
    return environment_with(**s3.environment(place, work), **cluster.client, **demo.sources, COLUMNS="200")


def test_every_table_is_that_of_one_machine(
    s3_server: S3Server, cluster: SparkCluster, demo: Demo, tmp_path: Path
) -> None:
    variables = environment(s3_server, cluster, "whole", tmp_path / "work", demo)
    done = lakehouse(tmp_path, "run", **variables)
    assert done.returncode == 0, done.stderr
    require_same_tables(demo, s3_server.settings("whole", tmp_path / "work"))
    again = lakehouse(tmp_path, "run", **variables)
    assert (again.returncode, again.stdout.startswith("no news")) == (0, True)
    # Another machine knows of nothing but the lake.
    elsewhere = lakehouse(tmp_path, "check", **variables | {"WORK_DIR": str(tmp_path / "another")})
    assert (elsewhere.returncode, elsewhere.stderr.strip()) == (0, "")
    files = (path for path in cluster.folder.rglob("*") if path.is_file())
    told = "".join(path.read_text(errors="replace") for path in files)
    assert "secret-for-tests" not in told + done.stdout + done.stderr


@dataclass(frozen=True)
class LargeRun:
    """Runs where more than `FEW_ROWS` are many: the place of their lake, and their jobs."""

    settings: Settings
    jobs: list[SparkJob]


@pytest.fixture(scope="module")
def large_run(s3_server: S3Server, demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> LargeRun:
    """Imports, a whole run, and one table once more."""
    folder = tmp_path_factory.mktemp("large")
    program = f"import lakehouse.lake.storage as s; s.SMALL_ROWS = {FEW_ROWS}; from pipeline.cli import main; main()"
    commands = (
        ["catalogue", demo.sources["KAGGLE_CSV"]], ["import", demo.sources["IMPORT_DIR"]], ["run"],
        ["run", "--full", "--select", "listening_with_features"],
    )  # fmt: skip
    with two_workers(folder / "cluster", WITHOUT_BROADCASTS) as cluster:
        variables = environment(s3_server, cluster, "large", folder / "work", demo)
        for arguments in commands:
            command = [sys.executable, "-c", program, *arguments]
            done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        jobs = [job for run in cluster.events.iterdir() for job in spark_jobs(run)]
    return LargeRun(s3_server.settings("large", folder / "work"), jobs)


def test_large_tables_are_written_by_the_workers(demo: Demo, large_run: LargeRun) -> None:
    lake, table = open_logs(large_run.settings), pipeline_tables()["listening_with_features"]
    pd.testing.assert_frame_equal(rows(lake, table), rows(demo.lake, table), rtol=1e-9)
    log = lake.log(table)
    assert log and log.version() == 1
    assert all("/rows-" in file for file in log.file_uris()), "the driver wrote it"


def test_no_more_rows_come_to_the_driver_than_are_few(large_run: LargeRun) -> None:
    """However many a table has; what a model is trained on has a bound of its own, its `max_rows`."""
    tables = [job for job in large_run.jobs if not isinstance(pipeline_nodes().get(job.purpose), Model)]
    assert len(tables) > len(pipeline_tables())
    too_much = [job for job in tables if job.sent > (FEW_ROWS + 1) * ROW_BYTES + job.tasks * TASK_BYTES]
    assert not too_much


def test_a_run_survives_the_death_of_a_worker(
    s3_server: S3Server, cluster: SparkCluster, demo: Demo, tmp_path: Path
) -> None:
    variables = environment(s3_server, cluster, "worker", tmp_path / "work", demo)
    with started([str(LAKEHOUSE), "run"], tmp_path, variables) as run:
        wait_until(lambda: has_table(s3_server, "worker/silver"), RUN_SECONDS, "a table in silver")
        assert run.poll() is None
        kill(cluster.workers[0].process())
        _, errors = run.communicate(timeout=RUN_SECONDS)
    assert run.returncode == 0, errors
    require_same_tables(demo, s3_server.settings("worker", tmp_path / "work"))


def test_when_the_store_was_away_the_next_run_is_right(
    own_server: S3Server, cluster: SparkCluster, demo: Demo, tmp_path: Path
) -> None:
    variables = environment(own_server, cluster, "away", tmp_path / "work", demo)
    with started([str(LAKEHOUSE), "run"], tmp_path, variables) as run:
        wait_until(lambda: has_table(own_server, "away/silver"), RUN_SECONDS, "a table in silver")
        own_server.stop()
        wait_until(lambda: run.poll() is not None, RUN_SECONDS, "the run gives up")
        _, errors = run.communicate()
    assert run.returncode == 1
    assert errors.strip() and all(line.startswith("error ") for line in errors.strip().splitlines()), errors
    own_server.start()
    done = lakehouse(tmp_path, "run", **variables | {"LOCK_WAIT_SECONDS": "60"})
    assert done.returncode == 0, done.stderr
    require_same_tables(demo, own_server.settings("away", tmp_path / "work"))


def test_a_killed_driver_is_followed_by_one_elsewhere(
    s3_server: S3Server, cluster: SparkCluster, demo: Demo, tmp_path: Path
) -> None:
    variables = environment(s3_server, cluster, "driver", tmp_path / "work", demo)
    with started([str(LAKEHOUSE), "run"], tmp_path, variables) as run:
        wait_until(lambda: has_table(s3_server, "driver/silver"), RUN_SECONDS, "a table in silver")
        kill(psutil.Process(run.pid))
    other = variables | {"WORK_DIR": str(tmp_path / "elsewhere")}
    at_once = lakehouse(tmp_path, "run", **other | {"LOCK_WAIT_SECONDS": "0"})
    assert at_once.returncode == 1
    assert at_once.stderr.strip().startswith("error another run is writing to this lake (run, process ")
    done = lakehouse(tmp_path, "run", **other)
    assert done.returncode == 0, done.stderr
    require_same_tables(demo, s3_server.settings("driver", tmp_path / "elsewhere"))


def test_of_two_drivers_one_wins(s3_server: S3Server, cluster: SparkCluster, demo: Demo, tmp_path: Path) -> None:
    command = [str(LAKEHOUSE), "run", "--select", "catalogue_tracks"]
    one = environment(s3_server, cluster, "two", tmp_path / "one", demo) | {"LOCK_WAIT_SECONDS": "0"}
    with (
        started(command, tmp_path, one) as first,
        started(command, tmp_path, one | {"WORK_DIR": str(tmp_path / "two")}) as second,
    ):
        told = [run.communicate(timeout=RUN_SECONDS)[1] for run in (first, second)]
    assert sorted((first.returncode, second.returncode)) == [0, 1]
    [line] = [errors.strip() for errors in told if errors.strip()]
    assert line.startswith("error another run is writing to this lake (run, process ")
    assert line.endswith("UTC): try again later")


def test_a_master_that_is_not_there_is_told_in_one_line(
    s3_server: S3Server, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = s3_server.settings(place, tmp_path / "work", spark_master=f"spark://127.0.0.1:{free_port()}")
    with pytest.raises(LakehouseError, match=r"no Spark master answers at spark://127\.0\.0\.1:"):
        build_session(settings)
    assert not any(name.startswith(place) for name in s3_server.objects())


def test_a_cluster_without_workers_is_told_in_one_line(s3_server: S3Server, demo: Demo, tmp_path: Path) -> None:
    empty = SparkCluster(tmp_path / "cluster")
    try:
        empty.start(workers=0)
        done = lakehouse(tmp_path, "run", **environment(s3_server, empty, "idle", tmp_path / "work", demo))
    finally:
        empty.stop()
    assert done.returncode == 1
    assert done.stderr.strip().startswith(f"error no worker of {empty.master} joined within 60 s")
    assert not any(name.startswith("idle/bronze") for name in s3_server.objects())


def has_table(s3: S3Server, folder: str) -> bool:
    """Whether any table below a folder has its first commit."""
    return any(name.startswith(f"{folder}/") and "_delta_log/" in name for name in s3.objects())


def kill(process: psutil.Process | None) -> None:
    """End a process and all that it started at once, as a machine does that loses its power."""
    assert process
    for one in [process, *process.children(recursive=True)]:
        one.send_signal(signal.SIGKILL)
