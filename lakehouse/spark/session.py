"""The only builder of Spark sessions, for runs, tests and benchmarks alike."""

import atexit
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.java import find_java
from lakehouse.settings import Settings, in_bytes
from lakehouse.spark.cluster import cluster_configuration, require_master, require_workers, ship_code
from lakehouse.spark.jars import JARS_FOLDER, jars_for
from lakehouse.spark.java_names import keep_java_names
from lakehouse.state_files import PRIVATE

# Classes of Spark and Delta, loaded and verified once: the JVM maps the file instead of opening jars.
CLASS_ARCHIVE = JARS_FOLDER / "classes.jsa"

# Code cache: where C1, the JVM's quick compiler, works alone, the default can fill up in a run of thirty tables, which
# makes Spark fail. Metaspace: a run loads 180 MB of classes; by default a full garbage collection comes at 21 MB, and
# again at each step up. Buffers: else each thread that reads files keeps one as large as its largest read.
JVM_OPTIONS = (
    "-XX:ReservedCodeCacheSize=256m -XX:MetaspaceSize=256m -Djdk.nio.maxCachedBufferSize=1048576 -Duser.timezone=UTC "
    "-Duser.language=en -Duser.country=US"
)
# C1 alone, without the optimizing compiler C2, and the serial garbage collector start fastest.
SMALL_DATA_JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# C2 takes a fifth of the CPU time of a run of minutes, much of it for code that hardly runs afterwards. So the
# thresholds at which it compiles a method are ten times the defaults.
LARGE_DATA_JVM_OPTIONS = (
    "-XX:+UseParallelGC -XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 "
    "-XX:Tier4CompileThreshold=150000 -XX:Tier4BackEdgeThreshold=400000"
)
# One task per step is faster than parallel tasks on few rows; tables are built in parallel instead.
SMALL_DATA = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    # Choosing a compression for a cached table takes longer than reading it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
LARGE_DATA = {"spark.sql.shuffle.partitions": "8", "spark.sql.adaptive.enabled": "true"}
LARGE_DATA_MEMORY = 3 * 2**30

ONE_MACHINE = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    # Workers are forked from a daemon that has loaded the libraries, and end after a task to free their memory.
    "spark.python.daemon.module": "lakehouse.spark.python_workers",
    "spark.python.worker.reuse": "false",
    # Shuffle files stay on this machine, whose disk and memory are trusted as for everything else.
    "spark.shuffle.checksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
}


def build_session(settings: Settings, *, app_name: str = "lakehouse", class_data: str = "") -> SparkSession:
    """Start Spark with Delta, or return the running session.

    Args:
        settings: where Spark runs and how much memory it may use.
        app_name: its name on a cluster.
        class_data: JVM options of class-data sharing; by default the archive is used if it exists.

    Raises:
        LakehouseError: no usable Java, missing jars, or a cluster that does not answer; says what to do.
    """
    find_java()
    keep_java_names()
    jars = jars_for(settings)
    if settings.has_cluster:
        require_master(settings.spark_master)
    else:
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.Builder().appName(app_name).master(settings.spark_master)
    for key, value in _configuration(settings, jars, class_data or _class_data_options()).items():
        builder = builder.config(key, value)
    log_file = _scratch_folder() / "spark.log"
    with _jvm_messages_in(log_file):
        try:
            session = builder.getOrCreate()
        except PySparkRuntimeError as error:
            atexit.unregister(_delete_scratch_folder)
            raise LakehouseError(f"Spark did not start ({error}): {log_file} says why") from None
    if settings.has_cluster:
        require_workers(session, settings.spark_master)
        ship_code(session, settings.work_path)
    return session


def start_python_workers(session: SparkSession) -> None:
    """Start the daemon of the Python workers by a task that does nothing: it loads its libraries for a second."""
    with suppress(Exception):  # the first table that needs workers reports what keeps them from starting
        session.range(1).mapInPandas(lambda frames: frames, "id long").collect()


@cache
def _scratch_folder() -> Path:
    """A folder of this process alone, deleted at its end: a name that others know, they can take before us."""
    folder = Path(tempfile.mkdtemp(prefix="lakehouse-spark-"))
    atexit.register(_delete_scratch_folder)
    return folder


def _delete_scratch_folder() -> None:
    shutil.rmtree(_scratch_folder(), ignore_errors=True)


@contextmanager
def _jvm_messages_in(log_file: Path) -> Iterator[None]:
    """Redirect this process's standard error to a file while the JVM starts and inherits it."""
    terminal = os.dup(2)
    try:
        log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE)
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
        # On the class path, not in spark.jars, whose files are copied at each start.
        "spark.driver.extraClassPath": ":".join(str(jar) for jar in jars),
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.driver.extraJavaOptions": jvm_options,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        # Debugging aids: the Python call site of each expression, each plan as text, and a check after each rule of the
        # optimizer.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.lightweightPlanChangeValidation": "false",
        "spark.sql.ui.explainMode": "simple",
        "spark.sql.maxPlanStringLength": "100",
        # Thirty tables generate more code than the cache holds by default, and would compile it again.
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.sql.session.timeZone": "UTC",
        # As delta-rs writes timestamps: Trino rounds these to milliseconds, but truncates Spark's older INT96.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # ICU's case mappings take two seconds to load; Java's own are the same for the language set above.
        "spark.sql.icu.caseMappings.enabled": "false",
        "spark.sql.warehouse.dir": str(_scratch_folder() / "warehouse"),
        # A commit records its provenance, even if no row changed.
        "spark.databricks.delta.skipRecordingEmptyCommits": "false",
        "spark.databricks.delta.schema.autoMerge.enabled": "false",
        # A table has one file per several million rows, so one task is enough to read its log.
        "spark.databricks.delta.snapshotPartitions": "1",
        # Features that we do not use stay off: Trino reads plain tables.
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
        "spark.databricks.delta.properties.defaults.minReaderVersion": "1",
        "spark.databricks.delta.properties.defaults.minWriterVersion": "2",
        **(
            cluster_configuration(jars)
            if settings.has_cluster
            else ONE_MACHINE | (LARGE_DATA if is_large else SMALL_DATA)
        ),
        **_for_object_store(settings),
    }


def _for_object_store(settings: Settings) -> dict[str, str]:
    if not settings.is_in_object_store:
        return {}
    from lakehouse.lake.object_store import store_of

    return store_of(settings).spark_options()


def _class_data_options() -> str:
    """JVM options that use the archive; Java ignores one that was made by another Java or from other jars."""
    if not CLASS_ARCHIVE.exists():
        return ""
    return f"-XX:SharedArchiveFile={CLASS_ARCHIVE} -Xlog:disable -Xlog:all=error:stderr"
