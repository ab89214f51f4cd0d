"""The command line as a user meets it: a process with output and an exit code."""

import os
import subprocess
import sys
from pathlib import Path

LAKEHOUSE = Path(sys.executable).with_name("lakehouse")


def environment_with(**settings: str) -> dict[str, str]:
    """What a process needs of the caller's environment, with nothing of its settings but these."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "LANG") if name in os.environ}
    return kept | settings


def lakehouse(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, with nothing of the caller's settings."""
    return subprocess.run(
        [str(LAKEHOUSE), *arguments],
        cwd=folder, env=environment_with(**{"COLUMNS": "120"} | environment),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
