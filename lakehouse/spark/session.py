"""The one place that builds a Spark session: for runs, tests and benchmarks alike."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.java import find_java
from lakehouse.settings import Settings, in_bytes
from lakehouse.spark.cluster import cluster_configuration, require_master, require_workers, ship_code
from lakehouse.spark.jars import JARS_FOLDER, jars_for

# Classes of Spark and Delta, read and verified once: the JVM maps the file instead of opening jars.
CLASS_ARCHIVE = JARS_FOLDER / "classes.jsa"
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
    "spark.python.daemon.module": "lakehouse.spark.python_workers",
    "spark.python.worker.reuse": "false",
    # What is shuffled stays on this machine, where disk and memory are trusted like everywhere.
    "spark.shuffle.checksum.enabled": "false",
    "spark.sql.shuffle.orderIndependentChecksum.enabled": "false",
}


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
    jars = jars_for(settings)
    if settings.has_cluster:
        require_master(settings.spark_master)
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
        require_workers(session, settings.spark_master)
        ship_code(session, settings.work_path)
    return session


def start_python_workers(session: SparkSession) -> None:
    """Start the process that Python's workers are forked from, by having one do nothing: it loads for a second."""
    with suppress(Exception):  # whatever keeps them from starting is told by the first table that needs them
        session.range(1).mapInPandas(lambda frames: frames, "id long").collect()


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


def _use_of_archive() -> str:
    """Java leaves an archive alone, and starts without it, when it was made by another Java or from other jars."""
    if not CLASS_ARCHIVE.exists():
        return ""
    return f"-XX:SharedArchiveFile={CLASS_ARCHIVE} -Xlog:disable -Xlog:all=error:stderr"
