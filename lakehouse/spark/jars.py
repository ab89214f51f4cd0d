"""The jars of Delta and S3, downloaded once per version: `python -m lakehouse.spark.jars [s3]`, run by the set-up."""

import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import pyspark
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.state_files import atomic_folder

# The artifact's name contains Spark's version.
DELTA_PACKAGE = "io.delta:delta-spark_4.2_2.13"
# Ivy also resolves libraries that Spark contains; only these are missing from it.
DELTA_JAR_PREFIXES = ("io.delta_", "io.unitycatalog_")
JARS_FOLDER = Path(sys.prefix) / f"delta-jars-{version('delta-spark')}"

# Hadoop's S3 client and the AWS SDK that it was built with: half a gigabyte, downloaded only on request.
HADOOP_VERSION = next((Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")).stem.rsplit("-", 1)[1]
S3_PACKAGE = f"org.apache.hadoop:hadoop-aws:{HADOOP_VERSION}"
S3_JAR_PREFIXES = ("org.apache.hadoop_hadoop-aws", "org.wildfly.", "software.amazon.")
S3_JARS_FOLDER = Path(sys.prefix) / f"s3-jars-{HADOOP_VERSION}"


def jars_for(settings: Settings) -> list[Path]:
    """The jars that a session needs for the lake of these settings.

    Raises:
        LakehouseError: they were not downloaded yet; says how.
    """
    jars = sorted(JARS_FOLDER.glob("*.jar"))
    if not jars:
        raise LakehouseError(f"the Delta jars are missing in {JARS_FOLDER}: run `make setup` once with a network")
    if not settings.is_in_object_store:
        return jars
    s3_jars = sorted(S3_JARS_FOLDER.glob("*.jar"))
    if not s3_jars:
        raise LakehouseError(f"Spark's S3 jars are missing in {S3_JARS_FOLDER}: run `make s3-jars` once with a network")
    return jars + s3_jars


def fetch_delta_jars() -> int:
    """Download the Delta jars into the Python environment's folder, once per version; sessions then start offline.

    Returns:
        The number of jars there.
    """
    return _fetch(f"{DELTA_PACKAGE}:{version('delta-spark')}", DELTA_JAR_PREFIXES, JARS_FOLDER)


def fetch_s3_jars() -> int:
    """Download the jars with which Spark reaches an object store, once per version; returns their number."""
    return _fetch(S3_PACKAGE, S3_JAR_PREFIXES, S3_JARS_FOLDER)


def _fetch(package: str, prefixes: tuple[str, ...], folder: Path) -> int:
    kind = folder.name.partition("-jars")[0]
    if not list(folder.glob("*.jar")):
        with tempfile.TemporaryDirectory() as ivy:
            # A session with packages resolves and downloads them as it starts.
            builder = SparkSession.Builder().master("local[1]").config("spark.ui.enabled", "false")
            try:
                builder.config("spark.jars.packages", package).config("spark.jars.ivy", ivy).getOrCreate().stop()
            except PySparkRuntimeError as error:
                raise LakehouseError(f"could not download {package}; is there a network? See above.") from error
            needed = [jar for jar in Path(ivy, "jars").glob("*.jar") if jar.name.startswith(prefixes)]
            with atomic_folder(folder) as complete:
                for jar in needed:
                    shutil.copy(jar, complete / jar.name)
        for older in folder.parent.glob(f"{kind}-jars*"):
            if older.is_dir() and older != folder:
                shutil.rmtree(older)
    return len(list(folder.glob("*.jar")))


if __name__ == "__main__":
    fetch_s3_jars() if sys.argv[1:] == ["s3"] else fetch_delta_jars()
