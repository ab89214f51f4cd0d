"""Trino with a worker beside the coordinator reads a lake in an object store by its native S3 file system."""

import os
from collections.abc import Iterator

import pytest
from rich.console import Console

from lakehouse.java import trino_java_home
from lakehouse.lake.logs import open_logs
from lakehouse.settings import Settings
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.processes import LOOPBACK, Background
from lakehouse.stack.trino_registration import USER, built
from lakehouse.stack.trino_server import CONFIGURATION, get_cli, get_server, trino_process
from pipeline.demo.data import write_demo_data
from pipeline.registry import all_tables
from tests.cluster.servers import BUCKET, KEYS, S3Server, answer, wait_until
from tests.support.command_line import lakehouse
from tests.support.ports import free_port

pytestmark = pytest.mark.long

START_SECONDS = 120


@pytest.fixture(scope="module")
def served(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A coordinator and a worker over a few tables of demo data."""
    folder = tmp_path_factory.mktemp("trino")
    files = write_demo_data(folder / "files")
    sources = {"KAGGLE_CSV": str(files.catalogue), "IMPORT_DIR": str(files.history.parent)}
    variables = s3_server.environment("served", folder / "work", SPARK_MASTER="local[2]", **sources)
    done = lakehouse(folder, "run", "--select", "temporal_trends", **variables, TRINO_PORT=str(free_port()))
    imported = lakehouse(folder, "import", str(files.history), **variables)
    assert (done.returncode, imported.returncode) == (0, 0), done.stderr + imported.stderr
    downloads = Settings(stack_dir=os.environ.get("STACK_DIR") or "data/stack", _env_file=None)
    settings = s3_server.settings(
        "served", folder / "work", stack_dir=downloads.stack_dir, trino_port=free_port(), trino_memory="1g"
    )
    get_server(settings, Console()), get_cli(settings, Console())
    own = settings.model_copy(update={"stack_dir": folder / "stack"})
    own.stack_dir.mkdir()
    for path in downloads.stack_dir.resolve().glob("trino-*-*"):
        (own.stack_dir / path.name).symlink_to(path)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in KEYS.items():
            environment.setenv(name, value)
        worker = Background("worker", folder / "worker")
        try:
            stack_up(own, all_tables().values(), Console(), superset=False)
            start_worker(worker, own)
            yield own
        finally:
            worker.stop()
            stack_down(own, Console())


def start_worker(worker: Background, settings: Settings) -> None:
    """A second server that the coordinator gives work to."""
    worker.folder.mkdir()
    options = {
        "node.bind-ip": LOOPBACK, "node.internal-address": LOOPBACK, "http-server.http.port": str(free_port()),
        "catalog.config-dir": str(CONFIGURATION / "catalog-s3"), "node.data-dir": str(worker.folder / "data"),
    }  # fmt: skip
    launcher = get_server(settings, Console()) / "bin" / "launcher"
    command = [str(launcher), "run", "-etc-dir", str(CONFIGURATION), "-data-dir", str(worker.folder / "data")]
    command += ["-config", str(CONFIGURATION / "worker.properties"), "-jvm-dir", str(trino_java_home())]
    variables = {
        "TRINO_COORDINATOR": f"http://{LOOPBACK}:{settings.trino_port}", "TRINO_LAKE": str(worker.folder),
        "AWS_ENDPOINT_URL": str(settings.aws_endpoint_url), "AWS_REGION": settings.aws_region,
        "JDK_JAVA_OPTIONS": "-Xmx1g", "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    worker.start([*command, *(f"-D{name}={value}" for name, value in options.items())], os.environ | variables)
    wait_until(lambda: "SERVER STARTED" in worker.log.read_text(), START_SECONDS, "the worker starts")


def test_every_table_is_read_with_all_its_rows(served: Settings) -> None:
    lake = open_logs(served)
    tables = built(served, all_tables().values())
    assert len(tables) > 5
    for table in tables:
        [[count]], _ = answer(served.trino_port, f"SELECT count(*) FROM delta.{table.trino_schema}.{table.name}")
        log = lake.log(table)
        assert log and count == log.to_pyarrow_dataset().count_rows(), table.name


def test_the_worker_takes_part(served: Settings) -> None:
    by_track = "SELECT track_id, count(*) FROM delta.default.listening_history_bronze GROUP BY 1"
    wait_until(lambda: answer(served.trino_port, by_track)[1] == 2, START_SECONDS, "two servers work on a query")


def test_no_key_is_told(served: Settings) -> None:
    table, _ = answer(served.trino_port, "SHOW CREATE TABLE delta.default.temporal_trends", USER)
    told = f"{trino_process(served).log.read_text()} {table}"
    assert f"s3a://{BUCKET}/served/" in told
    assert not any(key in told for key in KEYS.values())
