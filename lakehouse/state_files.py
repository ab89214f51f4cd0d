"""Files shared by processes: replaced atomically, even when the writer is killed; and locks between processes."""

import errno
import glob
import io
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from lakehouse.errors import LakehouseError

PRIVATE, PRIVATE_FOLDER = 0o600, 0o700
# Folders being filled, and those that were replaced; readers skip names that start with a dot.
WRITING, REPLACED = ".writing-", ".replaced-"


def keep_private() -> None:
    """Let whatever this process and its children make from now on be readable by this user alone."""
    os.umask(0o077)


def open_plain(file: Path | str, *, folder: int | None = None) -> io.BufferedReader:
    """Open a file for reading that is neither a link nor a device nor a pipe.

    Args:
        file: its path, or its name in `folder`.
        folder: descriptor of an open folder.

    Raises:
        OSError: it cannot be opened, or is no plain file.
    """
    # A pipe is opened without waiting for its writer, then refused.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no file")
    return os.fdopen(descriptor, "rb")


def read_state(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no file or it is damaged.

    Raises:
        LakehouseError: the file is there but cannot be read.
    """
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    except OSError as error:
        raise LakehouseError(f"{file} cannot be read ({error.strerror}): check who owns it") from None
    return state if isinstance(state, dict) else {}


def write_state(file: Path, state: object, *, mode: int = PRIVATE) -> None:
    """Replace a JSON file atomically.

    Args:
        file: where to write; its folder is created when missing.
        state: any JSON value.
        mode: permissions, in force before the first byte is written.

    Raises:
        LakehouseError: the file cannot be written.
    """
    write_atomically(file, json.dumps(state, indent=1), mode=mode)


def write_atomically(file: Path, text: str, *, mode: int = PRIVATE) -> None:
    """Replace a text file atomically; see `write_state`."""
    try:
        with atomic_file(file, mode=mode) as stream:
            stream.write(text.encode())
    except OSError as error:
        raise LakehouseError(f"{file} cannot be written ({error.strerror}): check place and permissions") from None


@contextmanager
def atomic_file(file: Path, *, mode: int = 0o644, only_writer: bool = False) -> Iterator[IO[bytes]]:
    """A stream whose content replaces the file's at the end: readers see the old or the new file, never half of one.

    It is synced to disk before, so this holds after a power cut as well.

    Args:
        file: where to write; its folder is created when missing.
        mode: permissions, in force before the first byte is written.
        only_writer: no other process writes this file now, so what a killed one left can be removed; worth it for
            files of gigabytes.

    Raises:
        OSError: the file cannot be written; the old one stays.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    if only_writer:
        for left in file.parent.glob(f".{glob.escape(file.name)}.*.partial"):
            left.unlink()
    # mkstemp opens it for its owner alone.
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.", suffix=".partial")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, mode)
            yield stream
            stream.flush()
            os.fsync(descriptor)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


@contextmanager
def atomic_folder(folder: Path, *, mode: int = 0o755) -> Iterator[Path]:
    """An empty folder to fill, which replaces `folder` at the end; one process at a time writes below its parent.

    Readers see the old folder, the new one, or for an instant none, never half of one. What killed writers left is
    removed.

    Raises:
        OSError: it cannot be written; the old folder stays.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder.parent)
    filled = Path(tempfile.mkdtemp(prefix=WRITING, dir=folder.parent))
    try:
        yield filled
        for file in filled.rglob("*"):
            if file.is_file():
                with file.open("rb") as stream:
                    os.fsync(stream.fileno())
        filled.chmod(mode)
        if folder.exists():
            folder.rename(Path(tempfile.mkdtemp(prefix=REPLACED, dir=folder.parent)) / folder.name)
        filled.rename(folder)
    finally:
        _remove_leftovers(folder.parent)


def _remove_leftovers(parent: Path) -> None:
    for prefix in (WRITING, REPLACED):
        for left in parent.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)


def moment_in(state: dict[str, Any], name: str) -> datetime | None:
    """An instant in a state file, as UTC where it names no zone; None where there is none."""
    try:
        found = datetime.fromisoformat(state[name])
    except (KeyError, TypeError, ValueError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def process_lock(file: Path) -> FileLock:
    """A lock between processes, not acquired yet; the operating system releases it when its holder dies.

    The lock file and its content stay. Where the file system has no locks, acquiring raises an OSError: filelock's
    fallback, to lock by the file's existence, would outlive a killed holder.
    """
    return FileLock(file, preserve_lock_file=True, fallback_to_soft=False)


@contextmanager
def only_one_process(file: Path, busy: str) -> Iterator[None]:
    """Hold a lock that the operating system releases when its holder dies; its folder is created when missing.

    Raises:
        LakehouseError: another process holds it; `busy` is the message.
    """
    lock = process_lock(file)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise LakehouseError(busy) from None
    try:
        yield
    finally:
        lock.release()
