"""Small JSON files that a kill leaves as they were or as they should be, and locks between processes."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lakehouse.errors import LakehouseError

PRIVATE = 0o600


def read_state(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is none or it is damaged."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        raise LakehouseError(f"{file} cannot be read ({error.strerror}): check who owns it") from None
    return state if isinstance(state, dict) else {}


def write_state(file: Path, state: object, *, mode: int = 0o644) -> None:
    """Replace a JSON file at once; nobody ever sees half of it, also after a power cut.

    Args:
        file: where to; its folder is made when missing.
        state: any JSON value.
        mode: permissions, in force before the first byte is written.

    Raises:
        LakehouseError: the place cannot be written.
    """
    write_at_once(file, json.dumps(state, indent=1), mode=mode)


def write_at_once(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Replace a text file at once, as `write_state` does."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # Created for its owner alone.
        descriptor, partial = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            Path(partial).replace(file)
        except BaseException:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LakehouseError(f"{file} cannot be written ({error.strerror}): check place and permissions") from None


def moment_in(state: dict[str, Any], name: str) -> datetime | None:
    """An instant kept in a state file; None where there is none."""
    try:
        found = datetime.fromisoformat(state[name])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def process_lock(file: Path) -> FileLock:
    """A lock between processes, not acquired yet; the operating system releases it when its holder dies.

    The file stays, and what is in it stays. Without a file system that locks files there is no lock (an OSError):
    filelock would otherwise lock by the file's existence, which outlives a killed holder.
    """
    return FileLock(file, preserve_lock_file=True, fallback_to_soft=False)


@contextmanager
def only_one_process(file: Path, busy: str) -> Iterator[None]:
    """Hold a lock that the operating system releases when its holder dies.

    Raises:
        LakehouseError: another process holds it; `busy` is the message.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = process_lock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise LakehouseError(busy) from None
    try:
        yield
    finally:
        lock.release()
