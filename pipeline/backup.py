"""Backup and restore: the lake with its models, and Superset's metadata, as one compressed tar file or stream.

Its first member announces the rest, so that a restore can refuse an archive that is cut off, too large or not a backup.
An archive is not trusted: plain files only, no paths outside the lake, no more bytes than announced.
"""

import gzip
import io
import json
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import IO, Any, Self

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake.lock import writer_lock
from lakehouse.lake.restore_swap import SCHEDULER_LOCK, entries, exchange, is_backed_up, is_reserved, new_folder
from lakehouse.settings import Settings
from lakehouse.stack.superset_metadata import SupersetMetadata
from lakehouse.state_files import PRIVATE, atomic_file, only_one_process

FORMAT = 1
HEAD, LAKE, SUPERSET = "backup.json", "lake", "superset-metadata"
MAX_HEAD_BYTES, MAX_FILES, MAX_REST_BYTES = 10_000, 10_000_000, 100_000
STREAM = Path("-")
# A lake's files are already compressed.
COMPRESS_LEVEL = 1
BUSY = (
    "the scheduler is at work: stop it first (`docker compose stop spotify-scheduler`), and start it again afterwards"
)

# Called with bytes done and bytes in all.
OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Backup:
    """What a backup contains.

    Attributes:
        format: version of the archive's format.
        made_at: when it was made, in UTC.
        program: version of the program that made it.
        files: number of files that follow.
        bytes: their total size.
        superset: 'postgres', 'sqlite', or '' where it contains the lake alone.
    """

    format: int
    made_at: str
    program: str
    files: int
    bytes: int
    superset: str


def backup(
    settings: Settings, target: Path, *, lake_only: bool = False, on_progress: OnProgress = lambda done, total: None
) -> Backup:
    """Write a backup; a file appears complete or not at all, readable only by its owner.

    Args:
        settings: name the lake and Superset's metadata.
        target: the file, or '-' for standard output.
        lake_only: leave Superset's metadata out.
        on_progress: called after each file.

    Raises:
        LakehouseError: another process writes to the lake, a database does not answer, or the disk is full.
    """
    _require_folder(settings)
    metadata = SupersetMetadata(settings)
    with (
        writer_lock(settings.lake_path, purpose="backup", wait_seconds=settings.lock_wait_seconds),
        tempfile.TemporaryDirectory(prefix="lakehouse-backup-") as scratch,
    ):
        files = dict(_files(settings.lake_path))
        superset = "" if lake_only or not metadata.exists() else metadata.kind
        if superset:
            files[SUPERSET] = Path(scratch) / SUPERSET
            metadata.save(files[SUPERSET])
        sizes = {name: path.stat().st_size for name, path in files.items()}
        made_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        head = Backup(FORMAT, made_at, version("lakehouse"), len(files), sum(sizes.values()), superset)
        with (
            _open_target(target) as stream,
            gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=COMPRESS_LEVEL, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w|") as archive,
        ):
            done, announced = 0, json.dumps(asdict(head)).encode()
            _add(archive, HEAD, io.BytesIO(announced), len(announced))
            for name, path in files.items():
                with path.open("rb") as file:
                    _add(archive, name, file, sizes[name])
                done += sizes[name]
                on_progress(done, head.bytes)
    return head


def restore(
    settings: Settings, source: Path, *, lake_only: bool = False, on_progress: OnProgress = lambda done, total: None
) -> Backup:
    """Replace the lake and Superset's metadata by a backup's; nothing changes until it is unpacked and found complete.

    Args:
        settings: name the lake and Superset's metadata.
        source: the file, or '-' for standard input.
        lake_only: leave Superset's metadata as it is.
        on_progress: called after each file.

    Raises:
        LakehouseError: it is not a backup, damaged or too large for the disk; another process writes to the lake; or
            Superset's metadata does not fit. Nothing was changed.
    """
    _require_folder(settings)
    metadata = SupersetMetadata(settings)
    with (
        writer_lock(settings.lake_path, purpose="restore", wait_seconds=settings.lock_wait_seconds),
        only_one_process(settings.lake_path / SCHEDULER_LOCK, BUSY),
        _open_source(source) as stream,
    ):
        folder = new_folder(settings.lake_path)
        try:
            head = _unpack(stream, folder, on_progress)
            replaced: AbstractContextManager[None] = nullcontext()
            if head.superset and not lake_only:
                if head.superset != metadata.kind:
                    raise LakehouseError(
                        f"Superset's metadata in the backup is of {head.superset}, here it is {metadata.kind}: restore "
                        "the lake alone (--lake-only)"
                    )
                replaced = metadata.replaced(folder / SUPERSET)
            (folder / LAKE).mkdir(exist_ok=True)
            with replaced:
                exchange(settings.lake_path, folder / LAKE)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return head


def _require_folder(settings: Settings) -> None:
    if settings.is_in_object_store:
        raise UsageError(
            f"{settings.lake_uri} is in an object store, which keeps copies of objects itself: use its versioning or "
            "replication"
        )


def _files(lake_path: Path) -> Iterator[tuple[str, Path]]:
    """The lake's files by their names in the archive, without temporary files of unfinished writes."""
    for entry in entries(lake_path):
        top = lake_path / entry
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inside = path.relative_to(lake_path)
            if path.is_file() and not path.is_symlink() and is_backed_up(PurePosixPath(inside)):
                yield f"{LAKE}/{inside.as_posix()}", path


def _add(archive: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = size, 0o644
    archive.addfile(member, content)


def _unpack(stream: IO[bytes], folder: Path, on_progress: OnProgress) -> Backup:
    try:
        with (
            gzip.GzipFile(fileobj=stream, mode="rb") as packed,
            tarfile.open(fileobj=packed, mode="r|", tarinfo=_Member) as archive,
        ):
            members = iter(archive)
            head = _head(archive, next(members, None))
            if head.bytes > shutil.disk_usage(folder).free:
                raise LakehouseError(f"the backup needs {head.bytes / 1e9:.1f} GB, more than the lake's disk has free")
            files = size = 0
            for member in members:
                files, size = files + 1, size + member.size
                if files > head.files or size > head.bytes:
                    raise LakehouseError("the backup holds more than it announces: it is damaged or not to be trusted")
                _extract(archive, member, folder)
                on_progress(size, head.bytes)
            # Read to the end: gzip checks its checksum there.
            if len(packed.read(MAX_REST_BYTES)) == MAX_REST_BYTES:
                raise LakehouseError("the backup goes on after its end: it is damaged or not to be trusted")
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno:
            raise LakehouseError(f"the backup cannot be unpacked: {error.strerror}") from None
        raise LakehouseError(f"this is not a backup of a lakehouse, or it is damaged ({error})") from None
    if (files, size) != (head.files, head.bytes):
        raise LakehouseError(f"the backup is cut off: {files:,} of {head.files:,} files are there")
    return head


def _head(archive: tarfile.TarFile, member: tarfile.TarInfo | None) -> Backup:
    """The first member, which announces the others.

    Raises:
        LakehouseError: it is not a backup's.
    """
    file = archive.extractfile(member) if member and member.name == HEAD and member.size <= MAX_HEAD_BYTES else None
    try:
        values: dict[str, Any] = json.loads(file.read()) if file else {}
        head = Backup(**{field.name: values[field.name] for field in fields(Backup)})
        counts = (head.format, head.files, head.bytes)
        if not all(isinstance(count, int) and count >= 0 for count in counts) or head.files > MAX_FILES:
            raise ValueError("counts")
    except (ValueError, KeyError, TypeError):
        raise LakehouseError("this is not a backup of a lakehouse") from None
    if head.format != FORMAT:
        raise LakehouseError(f"the backup is of format {head.format}, known is {FORMAT}: use the program that made it")
    return head


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    path = PurePosixPath(member.name)
    # Each name in one spelling.
    is_plain = member.isreg() and not member.issparse() and path.as_posix() == member.name and ".." not in path.parts
    inside = path.relative_to(LAKE) if path.is_relative_to(LAKE) and path != PurePosixPath(LAKE) else None
    is_ours = member.name == SUPERSET or (inside is not None and not is_reserved(inside))
    content = archive.extractfile(member) if is_ours and is_plain and member.name.isprintable() else None
    if content is None:
        raise LakehouseError(
            f"the backup holds {member.name[:80]!r}, which no backup contains: it is not to be trusted"
        )
    if inside is not None and not is_backed_up(inside):
        # Older programs saved what killed writers had left.
        return
    # Not by `archive.extract`: it would date files to 1970, as the archive does, and Delta deletes old commits.
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)


class _Member(tarfile.TarInfo):
    """A member with extended headers of limited size: tarfile reads them into memory."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        member = super().frombuf(buf, encoding, errors)
        if not member.isreg() and member.size > MAX_HEAD_BYTES:
            raise tarfile.HeaderError("a description is too large")
        return member


@contextmanager
def _open_source(source: Path) -> Iterator[IO[bytes]]:
    if source == STREAM:
        yield sys.stdin.buffer
        return
    try:
        stream = source.open("rb")
    except OSError as error:
        raise UsageError(f"{source} cannot be read ({error.strerror})") from None
    with stream:
        yield stream


@contextmanager
def _open_target(target: Path) -> Iterator[IO[bytes]]:
    """A stream whose content replaces the file's at the end."""
    if target == STREAM:
        if sys.stdout.isatty():
            raise UsageError("a backup cannot be shown in a terminal: name a file, or redirect the output to one")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with atomic_file(target, mode=PRIVATE, only_writer=True) as stream:
            yield stream
    except OSError as error:
        raise LakehouseError(f"{target} cannot be written ({error.strerror})") from None
