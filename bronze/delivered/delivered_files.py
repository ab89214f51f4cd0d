"""Opens the files, folders and zips that a user delivers, without trusting any of them.

Nothing is unpacked to disk, a path from inside a zip is used only as a name in the audit, and no link is followed:
whoever may put files into a folder must not choose what else is read.
"""

import gzip
import hashlib
import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

from lakehouse.errors import LakehouseError, one_line
from lakehouse.state_files import open_plain
from lakehouse.zips import open_zip

# Spotify's largest known exports are some hundred megabytes in some dozen files.
MAX_UNPACKED_BYTES = 4 * 2**30
MAX_MEMBERS = 1_000
LONGEST_NAME = 300
LONGEST_REASON = 120
CHUNK_BYTES = 2**18
ENCRYPTED_FLAG = 0x1
# Demo files are recognised by their folder, their names, and the ids of their tracks. Some of Spotify's ids begin with
# "demo" as well, but none is likely to continue with 18 digits.
DEMO_FOLDER = "Demo Streaming History"
DEMO_PREFIX = "demo_"
DEMO_ID = r"demo[0-9]{18}"
DEMO_STAYS_OUT = "demo data stays out of a lake of real data; name another lake in LAKE_URI to try it"
LINKED = "is a link, and links are not followed: deliver the file itself"
# Kinds of content by how it begins.
KINDS = {b"PK\x03\x04": "a zip", b"\x1f\x8b": "gzip", b"{": "begins as a JSON object", b"[": "begins as a JSON list"}
FIRST_BYTES = 100
# With the other methods one read may return more than was asked for, without a bound.
KNOWN_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Raised by the standard library on damaged files, and on files without permission to read.
UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, LookupError, struct.error, zipfile.BadZipFile, zlib.error)


class BadFile(LakehouseError):
    """A delivered file that cannot be read; nothing of it is imported."""

    def __init__(self, message: str) -> None:
        """Keep the message on one line, whatever characters are in the file's name."""
        super().__init__(printable(message))


@dataclass
class Budget:
    """Bytes that may still be unpacked from a single file, or from all files of a zip together."""

    left: int = field(default_factory=lambda: MAX_UNPACKED_BYTES)


@dataclass(frozen=True)
class DeliveredFile:
    """One file, on disk or inside a zip.

    Attributes:
        path: the file or the zip on disk.
        name: its name in the audit, which begins with the folder or zip that the user named.
        root: what the user named: the file, or a folder around it; None for the file.
        listener: whose it is; '' where that does not matter.
        member: its path inside the zip, '' for a file on disk.
        is_named: whether the user named this very file, not a folder or a zip around it.
        size: bytes of the file, unpacked from its zip but not from its own .gz; 0 until `parts_of` sets it.
        budget: limits what it unpacks to; files of one zip share it.
    """

    path: Path
    name: str
    root: Path | None = None
    listener: str = ""
    member: str = ""
    is_named: bool = True
    size: int = field(default=0, compare=False)
    budget: Budget = field(default_factory=Budget, compare=False)

    @property
    def folder(self) -> str:
        """Name of its folder."""
        return PurePosixPath(self.member).parent.name if self.member else self.path.resolve().parent.name

    @property
    def base_name(self) -> str:
        """Its name without folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def is_demo(self) -> bool:
        """Whether it is made-up data, by its name or its folder's."""
        return self.folder == DEMO_FOLDER or self.base_name.lower().startswith(DEMO_PREFIX)

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed, so that its full size is unknown."""
        return self.base_name.lower().endswith(".gz")

    def open_stored(self) -> io.BufferedReader:
        """Open the file or the zip on disk as it is.

        Raises:
            OSError: it cannot be opened, it is no file, or it or a folder from `root` on is a link.
        """
        root = self.root or self.path
        # One folder after the other: none can be exchanged for a link after it was looked at.
        *folders, name = (root, *self.path.relative_to(root).parts)
        opened = None
        with ExitStack() as resources:
            for folder in folders:
                opened = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, dir_fd=opened)
                resources.callback(os.close, opened)
            return open_plain(name, folder=opened)

    def open(self) -> io.BufferedReader:
        """Open for reading; a .gz is unpacked within the budget.

        Raises:
            BadFile: now or while reading: it is damaged, there is no permission, or it unpacks to more than the budget.
        """
        return io.BufferedReader(_BoundedReader(self), CHUNK_BYTES)


class _BoundedReader(io.RawIOBase):
    """The bytes of a delivered file. All errors become `BadFile`; closing it closes its zip as well."""

    def __init__(self, file: DeliveredFile) -> None:
        self._name = file.name
        self._budget = file.budget
        self._scope = ", with the files before it in the zip" if file.member else ""
        self._resources = ExitStack()
        try:
            self._stream = self._open(file)
        except UNREADABLE as error:
            self._resources.close()
            raise self._bad_file(error) from None

    def _open(self, file: DeliveredFile) -> io.BufferedIOBase:
        keep_open = self._resources.enter_context
        if file.member:
            archive = keep_open(open_zip(keep_open(file.open_stored())))
            stream = cast(io.BufferedIOBase, keep_open(archive.open(file.member)))
        else:
            stream = keep_open(file.open_stored())
        return keep_open(gzip.GzipFile(fileobj=stream)) if file.is_packed else stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            size = self._stream.readinto(buffer)
        except UNREADABLE as error:
            raise self._bad_file(error) from None
        self._budget.left -= size
        if self._budget.left < 0:
            raise BadFile(f"{self._name} unpacks to more than {_bound()}{self._scope}: refused")
        return size

    def close(self) -> None:
        self._resources.close()
        super().close()

    def _bad_file(self, error: Exception) -> BadFile:
        return BadFile(f"{self._name} cannot be read ({one_line(error, LONGEST_REASON)}): get it again")


def files_at(path: Path) -> Iterator[DeliveredFile]:
    """Every file at a path, zips unopened: the file itself, or all files in a folder and below, by name.

    Hidden files and links in a folder are skipped. Whether a file can be read is not checked before `parts_of`.
    """
    waiting = [path]
    while waiting:
        current = waiting.pop()
        try:
            is_folder = current.is_dir() and not current.is_symlink()
            children = sorted(current.iterdir(), reverse=True) if is_folder else None
        except OSError:
            children = None
        if children is None:
            is_named = current == path
            name = path.name if is_named else f"{path.resolve().name}/{current.relative_to(path).as_posix()}"
            yield DeliveredFile(current, _name(name), path, is_named=is_named)
        else:
            waiting += [child for child in children if not child.name.startswith(".") and not child.is_symlink()]


def parts_of(file: DeliveredFile) -> list[DeliveredFile]:
    """The files inside a zip by name, without hidden ones; for any other file the file itself.

    Raises:
        BadFile: it does not exist or is a link, or it is a zip that is broken, encrypted, too large or with unsafe
            paths.
    """
    shown = file.path if file.is_named else file.name
    try:
        if file.path.is_symlink():
            raise BadFile(f"{shown} {LINKED}")
        if not file.path.is_file():
            what = "cannot be read" if file.path.exists() else "no such file or folder"
            raise BadFile(f"{shown}: {what}")
        if file.path.suffix.lower() != ".zip":
            return [replace(file, size=file.path.stat().st_size)]
        with file.open_stored() as stored, open_zip(stored) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    except UNREADABLE as error:
        reason = one_line(error, LONGEST_REASON)
        raise BadFile(f"{file.name} is no readable zip ({reason}): get it again") from None
    if problem := _problem_of(members):
        raise BadFile(f"{file.name} {problem}")
    sizes = {member.filename: member.file_size for member in members}
    # The sizes that a zip gives do not say how large the .gz files in it are when unpacked.
    budget = Budget()
    return [
        replace(file, name=_name(f"{file.name}/{name}"), member=name, is_named=False, size=size, budget=budget)
        for name, size in sorted(sizes.items())
        if not PurePosixPath(name).name.startswith(".")
    ]


def _problem_of(members: list[zipfile.ZipInfo]) -> str:
    """What is wrong with the contents of a zip, '' if nothing is."""
    names = [member.filename for member in members]
    for name in names:
        inside = PurePosixPath(name.replace("\\", "/"))
        if not inside.name or inside.is_absolute() or ".." in inside.parts:
            return f"holds a path that leads out of it ({name!r}): refused"
    if len(names) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        return f"unpacks to more than {_bound()} or {MAX_MEMBERS} files: refused"
    if len(set(names)) < len(names):
        return "holds two files of the same name: unpack it and import the folder"
    if any(member.flag_bits & ENCRYPTED_FLAG for member in members):
        return "is encrypted: unpack it and import the folder"
    if any(member.compress_type not in KNOWN_COMPRESSIONS for member in members):
        return "is compressed in a way that is not known here: unpack it and import the folder"
    return ""


def fingerprint(file: DeliveredFile) -> str:
    """SHA-256 of the content of a file, or of the zip that it is in."""
    with file.open_stored() as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kind_of_content(file: DeliveredFile) -> str:
    """How large a file is, and of which kind by its first bytes; none of what it says."""
    try:
        size = file.size or file.path.lstat().st_size
        with replace(file, budget=Budget()).open() as stream:
            first = stream.read(FIRST_BYTES).lstrip()
    except OSError:
        return ""
    except BadFile:
        return f"({size:,} bytes, cannot be read)"
    return f"({size:,} bytes, {next((kind for start, kind in KINDS.items() if first.startswith(start)), 'unknown')})"


def printable(text: str) -> str:
    """The text without line breaks, terminal codes and other unprintable characters; all blanks stay."""
    return "".join(filter(str.isprintable, text))


def _name(text: str) -> str:
    """A name for the audit; a very long one keeps its end."""
    return printable(text)[-LONGEST_NAME:] or "(no name)"


def _bound() -> str:
    return f"{MAX_UNPACKED_BYTES / 2**30:g} GiB"
