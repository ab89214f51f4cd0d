"""An S3-compatible server and a Spark cluster for tests: real ones, plain processes on loopback, stopped at the end."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyspark
import requests
from trino.dbapi import connect

from lakehouse.lake.object_store import ObjectStore
from lakehouse.settings import Settings
from lakehouse.spark.jars import S3_JARS_FOLDER
from lakehouse.stack.processes import LOOPBACK, Background, wait_until_it_answers
from lakehouse.stack.trino_registration import local_session
from tests.stack.services import require_program
from tests.support.ports import free_port
from tests.support.spark_events import EVENT_LOG

SERVICE_SECONDS = 60
KEY, SECRET, BUCKET = "a-key-for-tests", "a-secret-for-tests", "listening"
KEYS = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
# C1 alone starts fastest.
FOR_FEW_CORES = {"spark.sql.shuffle.partitions": "8", "spark.executor.defaultJavaOptions": "-XX:TieredStopAtLevel=1"}
SPARK_CLASS = Path(pyspark.__file__).parent / "bin" / "spark-class"


@dataclass
class S3Server:
    """Versity's gateway over a folder, with one bucket; a restarted one has the same objects."""

    folder: Path
    port: int = field(default_factory=free_port)
    background: Background = field(init=False)

    def __post_init__(self) -> None:
        self.background = Background("s3", self.folder)

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        built = sorted(Path(sys.prefix, "bin").glob("versitygw-*"))
        program = require_program(built[-1] if built else None, "Versity's S3 gateway", "make object-store")
        objects, metadata = self.folder / "objects", self.folder / "metadata"
        (objects / BUCKET).mkdir(parents=True, exist_ok=True)
        metadata.mkdir(exist_ok=True)
        command = [str(program), "--quiet", "--port", f"{LOOPBACK}:{self.port}", "posix", "--sidecar", str(metadata)]
        keys = {"ROOT_ACCESS_KEY": KEY, "ROOT_SECRET_KEY": SECRET}
        self.background.start([*command, str(objects)], os.environ | keys)
        wait_until_it_answers(
            self.background, "the S3 server", self._answers, SERVICE_SECONDS, lambda log: log.read_text()[-300:]
        )

    def _answers(self) -> bool:
        try:
            local_session().get(self.endpoint, timeout=1)
        except requests.RequestException:
            return False
        return True

    def stop(self) -> None:
        """Stop it."""
        self.background.stop()

    def objects(self) -> list[str]:
        """The keys of all objects, told by the files that hold them."""
        root = self.folder / "objects" / BUCKET
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def store(self, place: str) -> ObjectStore:
        """A client of ours for a prefix."""
        return ObjectStore(f"s3a://{BUCKET}/{place}", endpoint=self.endpoint, region="us-east-1")

    def environment(self, place: str, work: Path, **settings: str) -> dict[str, str]:
        """What a process needs that works on a lake in this server."""
        return {
            "LAKE_URI": f"s3a://{BUCKET}/{place}", "AWS_ENDPOINT_URL": self.endpoint, "WORK_DIR": str(work),
            **KEYS, **settings,
        }  # fmt: skip

    def settings(self, place: str, work: Path, **settings: Any) -> Settings:
        """The same as settings of this process."""
        return Settings(
            lake_uri=f"s3a://{BUCKET}/{place}", aws_endpoint_url=self.endpoint, work_dir=work, _env_file=None,
            **settings,
        )  # fmt: skip


@dataclass
class SparkCluster:
    """A standalone cluster: a master and workers of one core each; its runs' event logs are in `events`."""

    folder: Path
    executor_mb: int = 1024
    options: Mapping[str, str] = field(default_factory=dict)
    workers: list[Background] = field(default_factory=list)
    port: int = field(default_factory=free_port)

    @property
    def master(self) -> str:
        """Its URL."""
        return f"spark://{LOOPBACK}:{self.port}"

    @property
    def events(self) -> Path:
        """Where drivers log Spark's events."""
        return self.folder / "events"

    @property
    def client(self) -> dict[str, str]:
        """What a driver's environment needs."""
        return {"SPARK_MASTER": self.master, "SPARK_LOCAL_IP": LOOPBACK, "SPARK_CONF_DIR": str(self.folder)}

    def start(self, workers: int) -> None:
        """Start it and wait until the workers have joined."""
        require_program(next(S3_JARS_FOLDER.glob("*.jar"), None), "Spark's S3 client", "make s3-jars")
        self.events.mkdir(parents=True)
        # What is the cluster's affair.
        options = {
            "spark.executor.memory": f"{self.executor_mb}m",
            "spark.eventLog.dir": f"file://{self.events}",
            **FOR_FEW_CORES, **EVENT_LOG, **self.options,
        }  # fmt: skip
        lines = [f"{name} {value}\n" for name, value in options.items()]
        (self.folder / "spark-defaults.conf").write_text("".join(lines))
        self._master = Background("master", self.folder)
        self._start(self._master, "master.Master", "--port", str(self.port))
        _wait_for(self._master, "I have been elected leader", 1)
        for _ in range(workers):
            self.add_worker()
        _wait_for(self._master, "Registering worker", workers)

    def add_worker(self) -> None:
        """Let one more worker join."""
        worker = Background(f"worker-{len(self.workers)}", self.folder)
        options = [
            "--cores",
            "1",
            "--memory",
            f"{self.executor_mb}m",
            "--work-dir",
            str(self.folder / worker.name),
            self.master,
        ]
        self._start(worker, "worker.Worker", *options)
        self.workers.append(worker)

    def _start(self, background: Background, program: str, *options: str) -> None:
        command = [str(SPARK_CLASS), f"org.apache.spark.deploy.{program}", "--host", LOOPBACK, "--webui-port", "0"]
        environment = os.environ | KEYS | {"SPARK_LOCAL_IP": LOOPBACK, "SPARK_DAEMON_MEMORY": "256m"}
        background.start([*command, *options], environment)

    def stop(self) -> None:
        """Stop all of it."""
        for background in [*self.workers, self._master]:
            background.stop()


def _wait_for(background: Background, line: str, times: int) -> None:
    wait_until_it_answers(
        background, background.name, lambda: background.log.read_text().count(line) >= times, SERVICE_SECONDS,
        lambda log: log.read_text()[-300:],
    )  # fmt: skip


def answer(port: int, sql: str, user: str = "reader") -> tuple[list[Any], int]:
    """The rows of a query to Trino, and how many servers took part in it."""
    connection = connect(host=LOOPBACK, port=port, user=user, source="tests")  # type: ignore[no-untyped-call]
    cursor = connection.cursor()
    rows = cursor.execute(sql).fetchall()
    return rows, int(cursor.stats["nodes"])


@contextmanager
def started(command: list[str], folder: Path, environment: Mapping[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process that is killed at the end if it still runs."""
    process = subprocess.Popen(
        command, cwd=folder, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(happened: Any, seconds: float, what: str) -> None:
    """Wait for something that another process does."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)
