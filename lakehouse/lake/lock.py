"""One writer at a time: a lock on the lake that the operating system releases when its holder dies.

A lake in an object store has a lease as well (`lakehouse.lake.lease`), which other machines see.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lakehouse.errors import LakehouseError
from lakehouse.lake.restore_swap import finish_exchange

POLL_SECONDS = 0.2
# Held by the scheduler for as long as it is at work on the lake.
SCHEDULER_LOCK = "state/scheduler.lock"


@contextmanager
def writer_lock(lake_path: Path, *, purpose: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lake's only writer's lock.

    Args:
        lake_path: the lake's folder; created when missing.
        purpose: what the holder does, told to those who wait.
        wait_seconds: how long to wait for another writer.

    Raises:
        LakehouseError: another writer is still at work after that; names it.
    """
    try:
        lake_path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lake_path / ".writer.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise LakehouseError(f"the lake {lake_path} cannot be written ({error.strerror}): check LAKE_URI") from None
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() >= deadline:
                raise LakehouseError(f"another run is writing to this lake ({_holder(descriptor)}): try again later")
            time.sleep(POLL_SECONDS)
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({**holder, "purpose": purpose}).encode(), 0)
        finish_exchange(lake_path)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 1000, 0))
        return "{purpose}, process {pid} on {host}, since {since}".format(**holder)
    except (ValueError, KeyError, TypeError):
        return "just started"


def writer_at_work(lake_path: Path) -> str:
    """Who holds the writer's lock now, or ''."""
    try:
        descriptor = os.open(lake_path / ".writer.lock", os.O_RDWR)
    except FileNotFoundError:
        return ""
    try:
        return "" if _try_lock(descriptor) else _holder(descriptor)
    finally:
        os.close(descriptor)
