"""The one place that builds a Spark session: for runs, tests and benchmarks alike."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyspark
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, in_bytes

# The artifact carries Spark's version beside Delta's.
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13"
# Ivy also resolves libraries that Spark ships itself; only these are missing from Spark.
DELTA_JAR_PREFIXES = ("io.delta_", "io.unitycatalog_")
JARS_FOLDER = Path(sys.prefix) / f"delta-jars-{version('delta-spark')}"
# Hadoop's S3 client and the AWS SDK that it was built with, half a gigabyte: fetched only when asked for.
HADOOP_VERSION = next((Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")).stem.rsplit("-", 1)[1]
S3_PACKAGE = f"org.apache.hadoop:hadoop-aws:{HADOOP_VERSION}"
S3_JAR_PREFIXES = ("org.apache.hadoop_hadoop-aws", "org.wildfly.", "software.amazon.")
S3_JARS_FOLDER = Path(sys.prefix) / f"s3-jars-{HADOOP_VERSION}"
# Classes of Spark and Delta, read and verified once: the JVM maps the file instead of opening jars.
CLASS_ARCHIVE = JARS_FOLDER / "classes.jsa"
OLDEST_JAVA = 17
LOG_FILE = Path(tempfile.gettempdir()) / f"lakehouse-spark-{os.getuid()}.log"

# Without a larger code cache C1 can run out of it in a run of thirty tables, and then Spark fails. A run loads 180 MB
# of classes: the default collects everything at 21 MB of them, and again and again until there. Each thread that reads
# files would keep a buffer as large as the largest piece that it ever read.
JVM_OPTIONS = (
    "-XX:ReservedCodeCacheSize=256m -XX:MetaspaceSize=256m -Djdk.nio.maxCachedBufferSize=1048576 -Duser.timezone=UTC "
    "-Duser.language=en -Duser.country=US"
)
# C1 alone and the serial collector start fastest.
SMALL_DATA_JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# C2 takes a fifth of a run of minutes, much of it for code that is hardly needed any more when it is done: what it
# compiles has to run ten times as often as by default.
LARGE_DATA_JVM_OPTIONS = (
    "-XX:+UseParallelGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
# One task per step beats any parallelism inside a step; tables build in parallel instead.
SMALL_DATA = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    # Choosing how to compress a cached table takes longer than all that is read from it.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
LARGE_DATA = {"spark.sql.shuffle.partitions": "8", "spark.sql.adaptive.enabled": "true"}
LARGE_DATA_MEMORY = 3 * 2**30

ONE_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Workers are forked from one process that has the libraries, and give their memory back.
    "spark.python.daemon.module": "lakehouse.python_workers",
    "spark.python.worker.reuse": "false",
    # What is shuffled stays on this machine, where disk and memory are trusted like everywhere.
    "spark.shuffle.checksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
}
MASTER_SECONDS, WORKERS_SECONDS = 5, 60
# Whose functions workers call.
SHIPPED_PACKAGES = ("lakehouse", "bronze", "silver", "gold")


def build_session(settings: Settings, *, app_name: str = "lakehouse", class_data: str = "") -> SparkSession:
    """Start Spark with Delta, or return the session that runs already.

    Args:
        settings: where Spark runs and how much memory it may take.
        app_name: how a cluster shows it.
        class_data: options of class-data sharing; by default the archive is used if it is there.

    Raises:
        LakehouseError: no usable Java, jars are not there, or the cluster does not answer; says what to do.
    """
    find_java()
    jars = _jars(settings)
    if settings.has_cluster:
        _require_master(settings.spark_master)
    else:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.Builder().appName(app_name).master(settings.spark_master)
    for key, value in _configuration(settings, jars, class_data or _use_of_archive()).items():
        builder = builder.config(key, value)
    with _jvm_messages_in(LOG_FILE):
        try:
            session = builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise LakehouseError(f"Spark did not start ({error}): {LOG_FILE} says why") from None
    if settings.has_cluster:
        _require_workers(session, settings.spark_master)
        _ship_code(session, settings.work_path)
    return session


def start_python_workers(session: SparkSession) -> None:
    """Start the process that Python's workers are forked from, by having one do nothing: it loads for a second."""
    with suppress(Exception):  # whatever keeps them from starting is told by the first table that needs them
        session.range(1).mapInPandas(lambda frames: frames, "id long").collect()


def _jars(settings: Settings) -> list[Path]:
    jars = sorted(JARS_FOLDER.glob("*.jar"))
    if not jars:
        raise LakehouseError(f"the Delta jars are missing in {JARS_FOLDER}: run `make setup` once with a network")
    if not settings.is_in_object_store:
        return jars
    s3_jars = sorted(S3_JARS_FOLDER.glob("*.jar"))
    if not s3_jars:
        raise LakehouseError(f"Spark's S3 jars are missing in {S3_JARS_FOLDER}: run `make s3-jars` once with a network")
    return jars + s3_jars


def _require_master(master: str) -> None:
    """Make sure that a standalone cluster's master answers: Spark itself would try for minutes."""
    addresses = re.findall(r"([^/,]+):(\d+)", master) if master.startswith("spark://") else []
    for host, port in addresses:
        with suppress(OSError), socket.create_connection((host, int(port)), MASTER_SECONDS):
            return
    if addresses:
        raise LakehouseError(f"no Spark master answers at {master}: start the cluster, or check SPARK_MASTER")


def _require_workers(session: SparkSession, master: str) -> None:
    """Wait until a worker takes part: without one Spark's jobs would wait for ever."""
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


def _ship_code(session: SparkSession, folder: Path) -> None:
    """Give the workers this project's code as it is here: theirs may be of another day."""
    folder.mkdir(parents=True, exist_ok=True)
    packed, root = folder / "code.zip", Path(__file__).parents[1]
    with zipfile.ZipFile(packed, "w") as code:
        for package in SHIPPED_PACKAGES:
            for module in sorted((root / package).rglob("*.py")):
                code.write(module, module.relative_to(root))
    own_path = list(sys.path)
    session.sparkContext.addPyFile(str(packed))
    # Spark lets the driver import from the archive as well, where sources cannot be read.
    sys.path[:] = own_path


@contextmanager
def _jvm_messages_in(log_file: Path) -> Iterator[None]:
    """Let the JVM that starts meanwhile write its messages to a file: it inherits this process's standard error."""
    terminal = os.dup(2)
    try:
        # No following of links: the folder of temporary files belongs to everybody.
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
        os.dup2(log, 2)
        os.close(log)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _configuration(settings: Settings, jars: list[Path], class_data: str) -> dict[str, str]:
    is_large = in_bytes(settings.spark_driver_memory) >= LARGE_DATA_MEMORY
    jvm_options = f"{JVM_OPTIONS} {LARGE_DATA_JVM_OPTIONS if is_large else SMALL_DATA_JVM_OPTIONS} {class_data}"
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        # On the class path rather than in spark.jars: nothing is copied at each start.
        "spark.driver.extraClassPath": ":".join(str(jar) for jar in jars),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": jvm_options,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # Help for those who write Spark: where in Python each expression was made, each plan as a text, and a check of
        # each rule of the optimizer.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.lightweightPlanChangeValidation": "false",
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.maxPlanStringLength": "100",
        # Thirty tables have more pieces of generated code than it keeps by default, and would compile them anew.
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.session.timeZone": "UTC",
        # As delta-rs writes instants: Trino rounds these to milliseconds, but cuts Spark's older form.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # ICU's tables of cases take two seconds to load; Java's own rules are the same for the language set above.
        "spark.sql.icu.caseMappings.enabled": "false",
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/lakehouse-warehouse",
        # A commit carries what it was made from, also where no row changed.
        "spark.databricks.delta.skipRecordingEmptyCommits": "false",
        "spark.databricks.delta.schema.autoMerge.enabled": "false",
        # A table has a file per some million rows: its log is read by one task.
        "spark.databricks.delta.snapshotPartitions": "1",
        # Delta's own optimisation of writes and unused features stay off: Trino reads plain tables.
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
        "spark.databricks.delta.properties.defaults.minReaderVersion": "1",
        "spark.databricks.delta.properties.defaults.minWriterVersion": "2",
        **(_for_cluster(jars) if settings.has_cluster else ONE_MACHINE | (LARGE_DATA if is_large else SMALL_DATA)),
        **_for_object_store(settings),
    }


def _for_cluster(jars: list[Path]) -> dict[str, str]:
    """What differs on a cluster; all else, such as the memory of executors, is for its `spark-defaults.conf`."""
    return {
        # Workers have the same environment at the same place.
        "spark.executor.extraClassPath": ":".join(str(jar) for jar in jars),
        "spark.executor.extraJavaOptions": "-Duser.timezone=UTC -Duser.language=en -Duser.country=US",
        # As many tasks per step as its data deserve, which Spark sees only while it works.
        "spark.sql.adaptive.enabled": "true",
    }


def _for_object_store(settings: Settings) -> dict[str, str]:
    if not settings.is_in_object_store:
        return {}
    from lakehouse.object_store import store_of

    return store_of(settings).spark_options()


def _use_of_archive() -> str:
    """Java leaves an archive alone, and starts without it, when it was made by another Java or from other jars."""
    if not CLASS_ARCHIVE.exists():
        return ""
    return f"-XX:SharedArchiveFile={CLASS_ARCHIVE} -Xlog:disable -Xlog:all=error:stderr"


def find_java() -> Path:
    """The `java` that Spark will use: from JAVA_HOME, else the PATH.

    Raises:
        LakehouseError: there is none, or it is older than Spark needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "")
    if not java.is_file():
        place = f"JAVA_HOME={home}" if home else "the PATH"
        raise LakehouseError(f"no Java found by {place}: install Java {OLDEST_JAVA} or newer")
    found = _java_version(java)
    if found is not None and found < OLDEST_JAVA:
        raise LakehouseError(f"{java} is Java {found}: install Java {OLDEST_JAVA} or newer, or name it in JAVA_HOME")
    return java


def _java_version(java: Path) -> int | None:
    """The major version, None where it cannot be told. The file beside Java says it without starting Java."""
    release = java.resolve().parents[1] / "release"
    if release.is_file():
        told = release.read_text(encoding="utf-8", errors="replace")
    else:
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    # Java 8 calls itself 1.8.
    number = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', told)
    return int(number.group(1)) if number else None


def fetch_delta_jars() -> int:
    """Put the Delta jars beside the Python environment, once per version; later sessions start offline.

    Returns:
        The number of jars there now.
    """
    return _fetch(f"{DELTA_PACKAGE}:{version('delta-spark')}", DELTA_JAR_PREFIXES, JARS_FOLDER)


def fetch_s3_jars() -> int:
    """The same for the jars by which Spark reaches an object store."""
    return _fetch(S3_PACKAGE, S3_JAR_PREFIXES, S3_JARS_FOLDER)


def _fetch(package: str, prefixes: tuple[str, ...], folder: Path) -> int:
    kind = folder.name.partition("-jars")[0]
    if not list(folder.glob("*.jar")):
        with tempfile.TemporaryDirectory() as ivy:
            # A session that is asked for packages resolves and downloads them as it starts.
            builder = SparkSession.Builder().master("local[1]").config("spark.ui.enabled", "false")
            try:
                builder.config("spark.jars.packages", package).config("spark.jars.ivy", ivy).getOrCreate().stop()
            except PySparkRuntimeError as error:
                raise LakehouseError(f"could not download {package}; is there a network? See above.") from error
            fetched = [jar for jar in Path(ivy, "jars").glob("*.jar") if jar.name.startswith(prefixes)]
            complete = folder.with_name(f"{kind}-jars.partial")
            shutil.rmtree(complete, ignore_errors=True)
            complete.mkdir(parents=True)
            for jar in fetched:
                shutil.copy(jar, complete / jar.name)
            complete.rename(folder)
        for older in folder.parent.glob(f"{kind}-jars*"):
            if older.is_dir() and older != folder:
                shutil.rmtree(older)
    return len(list(folder.glob("*.jar")))


if __name__ == "__main__":
    fetch_s3_jars() if sys.argv[1:] == ["s3"] else fetch_delta_jars()
