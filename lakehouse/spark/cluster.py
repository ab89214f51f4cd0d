"""What differs on a Spark cluster."""

import re
import socket
import sys
import time
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from lakehouse import PACKAGES, PROJECT
from lakehouse.errors import LakehouseError

MASTER_SECONDS, WORKERS_SECONDS = 5, 60


def require_master(master: str) -> None:
    """Check that a standalone cluster's master answers: Spark itself would retry for minutes."""
    addresses = re.findall(r"([^/,]+):(\d+)", master) if master.startswith("spark://") else []
    for host, port in addresses:
        with suppress(OSError), socket.create_connection((host, int(port)), MASTER_SECONDS):
            return
    if addresses:
        raise LakehouseError(f"no Spark master answers at {master}: start the cluster, or check SPARK_MASTER")


def require_workers(session: SparkSession, master: str) -> None:
    """Wait until a worker has joined: without one, Spark's jobs would wait for ever."""
    context: Any = session.sparkContext._jsc
    deadline = time.monotonic() + WORKERS_SECONDS
    # The driver counts as one.
    while context.sc().getExecutorMemoryStatus().size() < 2:
        if time.monotonic() > deadline:
            session.stop()
            raise LakehouseError(
                f"no worker of {master} joined within {WORKERS_SECONDS} s: are there any, with free cores and memory?"
            )
        time.sleep(0.2)


def ship_code(session: SparkSession, folder: Path) -> None:
    """Ship this project's code to the workers, whose own copy may be another version."""
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / "code.zip"
    with zipfile.ZipFile(archive, "w") as code:
        for package in PACKAGES:
            for module in sorted((PROJECT / package).rglob("*.py")):
                code.write(module, module.relative_to(PROJECT))
    own_path = list(sys.path)
    session.sparkContext.addPyFile(str(archive))
    # Spark puts the archive on the driver's path as well, from which our sources cannot be read.
    sys.path[:] = own_path


def cluster_configuration(jars: list[Path]) -> dict[str, str]:
    """The options for a cluster; others, such as the memory of executors, belong in its `spark-defaults.conf`."""
    return {
        # Workers have the same environment at the same path.
        "spark.executor.extraClassPath": ":".join(str(jar) for jar in jars),
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC -Duser.language=en -Duser.country=US",
        # Adaptive execution fits the number of tasks per step to its data.
        "spark.sql.adaptive.enabled": "true",
    }
