"""One writer at a time: a lock on the lake that the operating system releases when its holder dies.

A lake in an object store has a lease as well (`lakehouse.lake.lease`), which other machines see.
"""

import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import Timeout

from lakehouse.errors import LakehouseError
from lakehouse.lake.restore_swap import finish_exchange
from lakehouse.state_files import PRIVATE_FOLDER, process_lock

LOCK_FILE = ".writer.lock"
POLL_SECONDS = 0.2


@contextmanager
def writer_lock(lake_path: Path, *, purpose: str, wait_seconds: float) -> Iterator[None]:
    """Hold the lock of the lake's only writer.

    Args:
        lake_path: the lake's folder; created when missing.
        purpose: what the holder does, shown to those who wait.
        wait_seconds: how long to wait for another writer.

    Raises:
        LakehouseError: another writer still holds it after that; names it.
    """
    lock = process_lock(lake_path / LOCK_FILE)
    try:
        _make_private(lake_path)
        lock.acquire(timeout=wait_seconds, poll_interval=POLL_SECONDS)
    except Timeout:
        raise LakehouseError(f"another run is writing to this lake ({_holder(lake_path)}): try again later") from None
    except OSError as error:
        raise LakehouseError(f"the lake {lake_path} cannot be written ({error.strerror}): check LAKE_URI") from None
    try:
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        }
        _write_holder(lake_path / LOCK_FILE, holder | {"purpose": purpose})
        finish_exchange(lake_path)
        yield
    finally:
        lock.release()


def _write_holder(lock_file: Path, holder: dict[str, object]) -> None:
    """Write who holds the lock into its file; a link in its place is not followed."""
    descriptor = os.open(lock_file, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(holder, stream)


def _make_private(folder: Path) -> None:
    """Make a folder, or close one that was made before lakes were private; its group may be let in on purpose."""
    folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    mode = stat.S_IMODE(folder.stat().st_mode)
    # What belongs to somebody else is theirs to close.
    if mode & stat.S_IRWXO and folder.stat().st_uid == os.getuid():
        folder.chmod(mode & ~stat.S_IRWXO)


def _holder(lake_path: Path) -> str:
    try:
        holder = json.loads((lake_path / LOCK_FILE).read_text(encoding="utf-8"))
        return "{purpose}, process {pid} on {host}, since {since}".format(**holder)
    except (ValueError, KeyError, TypeError):
        return "just started"


def writer_at_work(lake_path: Path) -> str:
    """Who holds the writer's lock now, or ''."""
    if not (lake_path / LOCK_FILE).exists():
        return ""
    try:
        with process_lock(lake_path / LOCK_FILE).acquire(blocking=False):
            return ""
    except Timeout:
        return _holder(lake_path)
