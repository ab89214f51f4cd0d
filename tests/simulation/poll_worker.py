"""Polls in processes of their own, at the times that a test says, and kills some of them.

Reads lines of JSON: `now`, and `kill_at`, as a part of the time that the last whole poll took, or null. Answers each
with the poll's exit code, negative for a kill.
"""

import json
import os
import signal
import sys
import time
from datetime import datetime

from bronze.web.spotify_polling import poll
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings, load_settings
from lakehouse.spotify import login as spotify_login
from lakehouse.spotify import web_api

# A simulated month has no time for slow servers.
spotify_login.TIMEOUT_SECONDS = (2.0, 1.0)  # type: ignore[attr-defined]
web_api.LONGEST_ANSWER_SECONDS = 1.0


def main() -> None:
    """One child per line."""
    settings, seconds = load_settings(), 0.05
    for line in sys.stdin:
        asked = json.loads(line)
        started = time.monotonic()
        child = os.fork()
        if child == 0:
            os._exit(one_poll(settings, datetime.fromisoformat(asked["now"])))
        if asked["kill_at"] is not None:
            time.sleep(asked["kill_at"] * seconds)
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) == 0:
            seconds = time.monotonic() - started
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def one_poll(settings: Settings, now: datetime) -> int:
    """The exit code of a poll."""
    try:
        poll(settings, now, pause=lambda seconds: None)
    except LakehouseError:
        return 1
    return 0


if __name__ == "__main__":
    main()
