"""The command line: `lakehouse --help`."""

import os

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.state_files import keep_private

# Each adds its commands, in the order of `lakehouse --help`.
from pipeline.commands import backup, listeners, spotify, stack, tables  # noqa: F401
from pipeline.commands.console import app, fail


def main() -> None:
    """Entry point: errors become one line on stderr and an exit code, never a traceback.

    Exit codes: 0 success, 1 failure, 2 wrong usage.
    """
    keep_private()
    try:
        app(standalone_mode=True)
    except LakehouseError as error:
        fail(str(error), 2 if isinstance(error, UsageError) else 1)
    except ConnectionRefusedError:
        fail(
            "Spark's Java process is gone, most likely for want of memory: give it more (`mem_limit` in "
            "docker-compose.yml), or set SPARK_DRIVER_MEMORY or the cores in SPARK_MASTER lower; then run it again",
            1,
        )
    except KeyboardInterrupt:
        fail("interrupted; the next run repairs what this one left", 1)
    except Exception as error:
        if os.environ.get("LAKEHOUSE_TRACEBACK"):
            raise
        fail(
            f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} "
            "(LAKEHOUSE_TRACEBACK=1 shows where; please report it)",
            1,
        )
