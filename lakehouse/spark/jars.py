"""The jars of Delta and S3, downloaded once per version: `python -m lakehouse.spark.jars [s3]`, run by the set-up.

Spark runs them, so each must have the SHA-256 that jars.lock says. `python -m lakehouse.spark.jars renew` writes that
file anew for the installed versions.
"""

import hashlib
import re
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path, PurePosixPath

import pyspark
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, load_settings

# As `sha256sum` writes it: a jar's SHA-256, and its path in Maven Central.
LOCK_FILE = Path(__file__).with_name("jars.lock")
# The artifact's name contains Spark's version.
DELTA_PACKAGE = f"io.delta:delta-spark_4.2_2.13:{version('delta-spark')}"
# Ivy also resolves libraries that Spark contains; only these groups are missing from it.
DELTA_GROUPS = ("io/delta/", "io/unitycatalog/")
JARS_FOLDER = Path(sys.prefix) / f"delta-jars-{version('delta-spark')}"

# Hadoop's S3 client and the AWS SDK that it was built with: half a gigabyte, downloaded only on request.
HADOOP_VERSION = next((Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")).stem.rsplit("-", 1)[1]
S3_PACKAGE = f"org.apache.hadoop:hadoop-aws:{HADOOP_VERSION}"
S3_GROUPS = ("org/apache/hadoop/hadoop-aws/", "org/wildfly/", "software/amazon/")
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


def fetch_delta_jars(settings: Settings) -> int:
    """Download the Delta jars into the Python environment's folder, once per version; sessions then start offline.

    Returns:
        The number of jars there.

    Raises:
        LakehouseError: one cannot be downloaded, or is not the expected file.
    """
    return _fetch(settings, DELTA_GROUPS, JARS_FOLDER)


def fetch_s3_jars(settings: Settings) -> int:
    """Download the jars with which Spark reaches an object store, once per version; see `fetch_delta_jars`."""
    return _fetch(settings, S3_GROUPS, S3_JARS_FOLDER)


def locked_jars(groups: tuple[str, ...]) -> dict[PurePosixPath, str]:
    """The SHA-256 of each jar of these groups, by its path in Maven Central."""
    lines = (line.split() for line in LOCK_FILE.read_text(encoding="utf-8").splitlines())
    return {PurePosixPath(path): sha256 for sha256, path in lines if path.startswith(groups)}


def _fetch(settings: Settings, groups: tuple[str, ...], folder: Path) -> int:
    # Sessions, which start by far more often, go without what downloads need.
    from rich.console import Console

    from lakehouse.maven import fetch, maven_repository

    kind = folder.name.partition("-jars")[0]
    if not list(folder.glob("*.jar")):
        # Beside it, so that a download that broke off is continued, and sessions see all jars or none.
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        repository, console = maven_repository(settings), Console()
        for path, sha256 in locked_jars(groups).items():
            fetch(f"{repository}/{path}", unfinished / path.name, sha256, console)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
        for older in folder.parent.glob(f"{kind}-jars*"):
            if older.is_dir() and older != folder:
                shutil.rmtree(older)
    return len(list(folder.glob("*.jar")))


def renew_lock() -> None:
    """Resolve the packages anew, and write down what they consist of: read the change before you commit it."""
    with tempfile.TemporaryDirectory() as ivy:
        # A session with packages resolves and downloads them as it starts.
        builder = SparkSession.Builder().master("local[1]").config("spark.ui.enabled", "false")
        packages = f"{DELTA_PACKAGE},{S3_PACKAGE}"
        try:
            builder.config("spark.jars.packages", packages).config("spark.jars.ivy", ivy).getOrCreate().stop()
        except PySparkRuntimeError as error:
            raise LakehouseError(f"could not download {packages}; is there a network? See above.") from error
        found = {_path_in_maven(jar.stem): jar for jar in Path(ivy, "jars").glob("*.jar")}
        lines = [
            f"{hashlib.sha256(found[path].read_bytes()).hexdigest()}  {path}\n"
            for path in sorted(found)
            if path.startswith(DELTA_GROUPS + S3_GROUPS)
        ]
    LOCK_FILE.write_text("".join(lines), encoding="utf-8")


def _path_in_maven(name: str) -> str:
    """Where Maven Central has a jar that Ivy named 'group_artifact-version'."""
    parts = re.fullmatch(r"([^_]+)_(.+?)-(\d[\w.]*)", name)
    assert parts is not None, f"Ivy names jars in another way: {name}"
    group, artifact, release = parts.groups()
    return f"{group.replace('.', '/')}/{artifact}/{release}/{artifact}-{release}.jar"


if __name__ == "__main__":
    if sys.argv[1:] == ["renew"]:
        renew_lock()
    else:
        (fetch_s3_jars if sys.argv[1:] == ["s3"] else fetch_delta_jars)(load_settings())
