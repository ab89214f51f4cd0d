"""The Java that Spark and Trino run on."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from lakehouse.errors import LakehouseError

OLDEST_JAVA = 17


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
