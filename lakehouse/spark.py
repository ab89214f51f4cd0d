"""The one place that builds a Spark session: for runs, tests and benchmarks alike."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, in_bytes

# The artifact carries Spark's version beside Delta's.
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13"
# Ivy also resolves libraries that Spark ships itself; only these are missing from Spark.
DELTA_JAR_PREFIXES = ("io.delta_", "io.unitycatalog_")
JARS_FOLDER = Path(sys.prefix) / f"delta-jars-{version('delta-spark')}"
# Classes of Spark and Delta, read and verified once: the JVM maps the file instead of opening jars.
CLASS_ARCHIVE = JARS_FOLDER / "classes.jsa"
OLDEST_JAVA = 17
LOG_FILE = Path(tempfile.gettempdir()) / f"lakehouse-spark-{os.getuid()}.log"

# Without a larger code cache C1 can run out of it in a run of thirty tables, and then Spark fails. A run loads 180 MB
# of classes: the default collects everything at 21 MB of them, and again and again until there.
JVM_OPTIONS = (
    "-XX:ReservedCodeCacheSize=256m -XX:MetaspaceSize=256m -Duser.timezone=UTC -Duser.language=en -Duser.country=US"
)
# C1 alone and the serial collector start fastest.
SMALL_DATA_JVM_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
LARGE_DATA_JVM_OPTIONS = "-XX:+UseParallelGC"
# One task per step beats any parallelism inside a step; tables build in parallel instead.
SMALL_DATA = {
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.adaptive.enabled": "false",
    # Choosing how to compress a cached table takes longer than all that is read from it.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
}
LARGE_DATA = {"spark.sql.shuffle.partitions": "8", "spark.sql.adaptive.enabled": "true"}
LARGE_DATA_MEMORY = 4 * 2**30


def build_session(settings: Settings, *, app_name: str = "lakehouse", class_data: str = "") -> SparkSession:
    """Start Spark with Delta, or return the session that runs already.

    Args:
        settings: where Spark runs and how much memory it may take.
        app_name: how a cluster shows it.
        class_data: options of class-data sharing; by default the archive is used if it is there.

    Raises:
        LakehouseError: no usable Java, or the Delta jars are not there; says what to do.
    """
    find_java()
    jars = sorted(JARS_FOLDER.glob("*.jar"))
    if not jars:
        raise LakehouseError(f"the Delta jars are missing in {JARS_FOLDER}: run `make setup` once with a network")
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.Builder().appName(app_name).master(settings.spark_master)
    for key, value in _configuration(settings, jars, class_data or _use_of_archive()).items():
        builder = builder.config(key, value)
    with _jvm_messages_in(LOG_FILE):
        try:
            return builder.getOrCreate()
        except PySparkRuntimeError as error:
            raise LakehouseError(f"Spark did not start ({error}): {LOG_FILE} says why") from None


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
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
        "spark.sql.session.timeZone": "UTC",
        # As delta-rs writes instants: Trino rounds these to milliseconds, but cuts Spark's older form.
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        # ICU's tables of cases take two seconds to load; Java's own rules are the same for the language set above.
        "spark.sql.icu.caseMappings.enabled": "false",
        # Workers are forked from one process that has the libraries, and give their memory back.
        "spark.python.daemon.module": "lakehouse.python_workers",
        "spark.python.worker.reuse": "false",
        "spark.sql.warehouse.dir": f"{tempfile.gettempdir()}/lakehouse-warehouse",
        **(LARGE_DATA if is_large else SMALL_DATA),
        "spark.databricks.delta.snapshotPartitions": "1",
        # A commit carries what it was made from, also where no row changed.
        "spark.databricks.delta.skipRecordingEmptyCommits": "false",
        "spark.databricks.delta.schema.autoMerge.enabled": "false",
        # Delta's own optimisation of writes and unused features stay off: Trino reads plain tables.
        "spark.databricks.delta.properties.defaults.enableDeletionVectors": "false",
        "spark.databricks.delta.properties.defaults.minReaderVersion": "1",
        "spark.databricks.delta.properties.defaults.minWriterVersion": "2",
    }


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
    if not list(JARS_FOLDER.glob("*.jar")):
        with tempfile.TemporaryDirectory() as ivy:
            package = f"{DELTA_PACKAGE}:{version('delta-spark')}"
            # A session that is asked for packages resolves and downloads them as it starts.
            builder = SparkSession.Builder().master("local[1]").config("spark.ui.enabled", "false")
            try:
                builder.config("spark.jars.packages", package).config("spark.jars.ivy", ivy).getOrCreate().stop()
            except PySparkRuntimeError as error:
                raise LakehouseError(f"could not download {package}; is there a network? See above.") from error
            fetched = [jar for jar in Path(ivy, "jars").glob("*.jar") if jar.name.startswith(DELTA_JAR_PREFIXES)]
            complete = JARS_FOLDER.with_name("delta-jars.partial")
            shutil.rmtree(complete, ignore_errors=True)
            complete.mkdir(parents=True)
            for jar in fetched:
                shutil.copy(jar, complete / jar.name)
            complete.rename(JARS_FOLDER)
        for older in JARS_FOLDER.parent.glob("delta-jars*"):
            if older.is_dir() and older != JARS_FOLDER:
                shutil.rmtree(older)
    return len(list(JARS_FOLDER.glob("*.jar")))


if __name__ == "__main__":
    fetch_delta_jars()
