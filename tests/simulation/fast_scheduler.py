"""The scheduler of 24 hours in minutes: APScheduler's clock runs fast, its jobs and their processes are real.

Arguments: how many times as fast. Tells its own memory on stdout, one line of JSON per simulated hour. Without nights.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import psutil
from apscheduler.executors import base as executors
from apscheduler.schedulers import base as schedulers

from lakehouse.settings import load_settings
from scheduler.__main__ import build_scheduler
from scheduler.logs import start_logging
from scheduler.schedule import Schedule

# A Monday morning.
START, HOURS = datetime(2026, 6, 1, 6, tzinfo=UTC), 24
SPEED = float(sys.argv[1])
BEGAN = time.monotonic()


def fast_now() -> datetime:
    """The simulated time."""
    return START + timedelta(seconds=(time.monotonic() - BEGAN) * SPEED)


class FastDatetime(datetime):
    """Tells the simulated time."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return fast_now().astimezone(tz)


class FastEvent(threading.Event):
    """Waits for simulated seconds."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(None if timeout is None else timeout / SPEED)


def main() -> None:
    """Simulated hours of a scheduler without nights."""
    clocks: tuple[Any, ...] = (executors, schedulers)
    for module in clocks:
        module.datetime = FastDatetime
    start_logging()
    schedule = Schedule(load_settings(), clock=fast_now)
    scheduler = build_scheduler(schedule)
    scheduler.remove_job("nightly")
    scheduler._event = FastEvent()

    def watch() -> None:
        for hour in range(1, HOURS + 1):
            time.sleep(max(0.0, BEGAN + hour * 3600 / SPEED - time.monotonic()))
            megabytes = psutil.Process().memory_info().rss / 2**20
            sys.stdout.write(json.dumps({"hour": hour, "megabytes": round(megabytes, 1)}) + "\n")
        schedule.children.end_all()
        scheduler.shutdown(wait=False)

    threading.Thread(target=watch).start()
    scheduler.start()


if __name__ == "__main__":
    main()
