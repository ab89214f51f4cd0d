"""What the scheduler starts, in one process: a poll, the import of what it brought, and a few tables on top."""

import sys
from datetime import UTC, datetime

from bronze.delivered.inbox import waiting_files
from bronze.web.spotify_polling import poll
from lakehouse.settings import load_settings
from pipeline.runs.run import run
from pipeline.runs.upkeep import import_files

TABLES = ("listening_patterns_by_time", "temporal_trends")


def main() -> int:
    """The number of errors."""
    settings = load_settings()
    step("poll")
    poll(settings, datetime.now(UTC))
    step("import")
    waiting = waiting_files(settings)
    errors = import_files(settings, waiting).errors if waiting else []
    step("build")
    errors += run(settings, select=TABLES).errors
    return len(errors)


def step(name: str) -> None:
    """Tell that a step begins."""
    sys.stdout.write(f"{name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
