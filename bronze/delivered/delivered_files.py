"""Opens what a user delivers: files, folders and zips, without trusting any of them.

Nothing is ever unpacked to disk and no path from inside a zip is used for anything but its name in the audit.
"""

import gzip
import hashlib
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import cast

from lakehouse.errors import LakehouseError

# Spotify's largest known exports are some hundred megabytes in some dozen files; what unpacks to more is no export.
MAX_UNPACKED_BYTES = 4 * 2**30
MAX_MEMBERS = 1_000
LONGEST_NAME = 300
CHUNK_BYTES = 2**18
ENCRYPTED_FLAG = 0x1
# What demo files are known by: their names, their folder, and the ids of their tracks, a pattern. Some ids of Spotify's
# begin with "demo", too, but in all its catalogue none is likely to go on in digits alone.
DEMO_FOLDER = "Demo Streaming History"
DEMO_PREFIX = "demo_"
DEMO_ID = r"demo[0-9]{18}"
DEMO_STAYS_OUT = "demo data stays out of a lake of real data; name another lake in LAKE_URI to try it"
# The other methods unpack without a bound on what one read returns.
KNOWN_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# What the standard library raises on damaged files and on those that may not be read.
UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, LookupError, struct.error, zipfile.BadZipFile, zlib.error)


class BadFile(LakehouseError):
    """A delivered file that cannot be read; nothing of it is imported."""

    def __init__(self, message: str) -> None:
        """Say why in one line, whatever the file's name holds."""
        super().__init__(printable(message))


@dataclass
class Budget:
    """How many bytes may still be unpacked of a file on its own, or of a zip with all it holds."""

    left: int = field(default_factory=lambda: MAX_UNPACKED_BYTES)


@dataclass(frozen=True)
class DeliveredFile:
    """One file, on its own or inside a zip.

    Attributes:
        path: the file or the zip on disk.
        name: what the audit calls it: its name, with those of the folder and the zip that were named before it.
        member: its name inside the zip, '' for a file on its own.
        is_named: whether the user named this very file, not a folder or a zip that holds it.
        size: bytes that it takes, unpacked from its zip; of a .gz those that are packed. 0 before it is looked at.
        budget: bounds what it unpacks to; files of one zip share it.
    """

    path: Path
    name: str
    member: str = ""
    is_named: bool = True
    size: int = field(default=0, compare=False)
    budget: Budget = field(default_factory=Budget, compare=False)

    @property
    def folder(self) -> str:
        """Name of the folder it lies in."""
        return PurePosixPath(self.member).parent.name if self.member else self.path.resolve().parent.name

    @property
    def base_name(self) -> str:
        """Its own name, without folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    @property
    def is_demo(self) -> bool:
        """Whether it is made-up data, by its name or its folder's."""
        return self.folder == DEMO_FOLDER or self.base_name.lower().startswith(DEMO_PREFIX)

    @property
    def is_packed(self) -> bool:
        """Whether nobody knows what it unpacks to."""
        return self.base_name.lower().endswith(".gz")

    def open(self) -> io.BufferedReader:
        """Open for reading; .gz is unpacked on the way, never beyond the bound.

        Raises:
            BadFile: now or while it is read: it is damaged, may not be read, or unpacks to more than the bound.
        """
        return io.BufferedReader(_Unpacked(self), CHUNK_BYTES)


class _Unpacked(io.RawIOBase):
    """The bytes of a delivered file. Whatever is wrong with it is a `BadFile`; closing closes its zip, too."""

    def __init__(self, file: DeliveredFile) -> None:
        self._name = file.name
        self._budget = file.budget
        self._beside = ", with the files before it in the zip" if file.member else ""
        self._resources = ExitStack()
        try:
            self._stream = self._opened(file)
        except UNREADABLE as error:
            self._resources.close()
            raise self._unreadable(error) from None

    def _opened(self, file: DeliveredFile) -> io.BufferedIOBase:
        keep_open = self._resources.enter_context
        if file.member:
            archive = keep_open(zipfile.ZipFile(file.path))
            stream = cast(io.BufferedIOBase, keep_open(archive.open(file.member)))
        else:
            stream = keep_open(file.path.open("rb"))
        return keep_open(gzip.GzipFile(fileobj=stream)) if file.is_packed else stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            size = self._stream.readinto(buffer)
        except UNREADABLE as error:
            raise self._unreadable(error) from None
        self._budget.left -= size
        if self._budget.left < 0:
            raise BadFile(f"{self._name} unpacks to more than {_bound()}{self._beside}: refused")
        return size

    def close(self) -> None:
        self._resources.close()
        super().close()

    def _unreadable(self, error: Exception) -> BadFile:
        return BadFile(f"{self._name} cannot be read ({reason_of(error)}): get it again")


def files_at(path: Path) -> Iterator[DeliveredFile]:
    """Every file at a path, zips unopened: the file itself, or all files in a folder by name.

    Hidden files and links in a folder are left out. What is no file that can be read is for `parts_of` to tell.
    """
    waiting = [path]
    while waiting:
        current = waiting.pop()
        try:
            children = sorted(current.iterdir(), reverse=True) if current.is_dir() else None
        except OSError:
            children = None
        if children is None:
            is_named = current == path
            name = path.name if is_named else f"{path.resolve().name}/{current.relative_to(path).as_posix()}"
            yield DeliveredFile(current, _name(name), is_named=is_named)
        else:
            waiting += [child for child in children if not child.name.startswith(".") and not child.is_symlink()]


def parts_of(file: DeliveredFile) -> list[DeliveredFile]:
    """The files inside a zip by name, hidden ones left out; of any other file just itself.

    Raises:
        BadFile: it is not there, or a zip that is broken, encrypted or too large, or that holds unsafe paths.
    """
    try:
        if not file.path.is_file():
            what = "cannot be read" if file.path.exists() else "no such file or folder"
            raise BadFile(f"{file.path if file.is_named else file.name}: {what}")
        if file.path.suffix.lower() != ".zip":
            return [replace(file, size=file.path.stat().st_size)]
        with zipfile.ZipFile(file.path) as archive:
            members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    except UNREADABLE as error:
        raise BadFile(f"{file.name} is no readable zip ({reason_of(error)}): get it again") from None
    if problem := _problem_of(members):
        raise BadFile(f"{file.name} {problem}")
    sizes = {member.filename: member.file_size for member in members}
    # A .gz inside may unpack to a thousand times what the zip says of it.
    budget = Budget()
    return [
        DeliveredFile(file.path, _name(f"{file.name}/{name}"), name, is_named=False, size=size, budget=budget)
        for name, size in sorted(sizes.items())
        if not PurePosixPath(name).name.startswith(".")
    ]


def _problem_of(members: list[zipfile.ZipInfo]) -> str:
    """What is wrong with the contents of a zip, '' if nothing."""
    names = [member.filename for member in members]
    for name in names:
        way = PurePosixPath(name.replace("\\", "/"))
        if not way.name or way.is_absolute() or ".." in way.parts:
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


def fingerprint(path: Path) -> str:
    """Sha256 of a file's content, to know it again under any name."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def printable(text: str) -> str:
    """The text without line breaks, terminal codes and whatever else cannot be shown or stored."""
    return "".join(filter(str.isprintable, text))


def reason_of(error: Exception) -> str:
    """An error of the system in a few words."""
    told = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(told.split())[:120] or type(error).__name__


def _name(text: str) -> str:
    """A name for the audit; of a very long one its end."""
    return printable(text)[-LONGEST_NAME:] or "(no name)"


def _bound() -> str:
    return f"{MAX_UNPACKED_BYTES / 2**30:g} GiB"
