"""Opens what a user delivers: files, folders and zips, without trusting any of them.

Nothing is ever unpacked to disk and no path from inside a zip is used for anything but its name in the audit.
"""

import gzip
import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from lakehouse.errors import LakehouseError

# Spotify's largest known exports are some hundred megabytes; what unpacks to more than this is no export.
MAX_UNPACKED_BYTES = 4 * 2**30
MAX_MEMBERS = 10_000
LONGEST_NAME = 300
CHUNK_BYTES = 2**20
ENCRYPTED_FLAG = 0x1


class BadFile(LakehouseError):
    """A delivered file that cannot be read; nothing of it is imported."""


@dataclass(frozen=True)
class DeliveredFile:
    """One file, on its own or inside a zip.

    Attributes:
        path: the file or the zip on disk.
        member: its name inside the zip, '' for a file on its own.
    """

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """What the audit calls it: the file's name, with the zip's before it."""
        full = f"{self.path.name}/{self.member}" if self.member else self.path.name
        return "".join(character for character in full if character.isprintable())[:LONGEST_NAME]

    @property
    def folder(self) -> str:
        """Name of the folder it lies in."""
        return PurePosixPath(self.member).parent.name if self.member else self.path.resolve().parent.name

    @property
    def base_name(self) -> str:
        """Its own name, without folders."""
        return PurePosixPath(self.member).name if self.member else self.path.name

    def open(self) -> IO[bytes]:
        """Open for reading; .gz is unpacked on the way, never beyond the bound."""
        if self.member:
            return _Bounded(zipfile.ZipFile(self.path).open(self.member), self.name)
        if self.path.suffix.lower() == ".gz":
            return _Bounded(gzip.open(self.path), self.name)
        return self.path.open("rb")


class _Bounded:
    """A stream that ends with an error, not with a full memory or disk, when it unpacks beyond the bound."""

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._stream = stream
        self._name = name
        self._left = MAX_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size if size >= 0 else self._left + 1)
        self._left -= len(chunk)
        if self._left < 0:
            raise BadFile(f"{self._name} unpacks to more than {MAX_UNPACKED_BYTES // 2**30} GiB: refused")
        return chunk

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    def __enter__(self) -> "_Bounded":
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()


def files_in(path: Path) -> Iterator[DeliveredFile]:
    """Every file at a path: the file itself, a zip's members, or all of these in a folder, by name.

    Raises:
        BadFile: there is nothing at the path, or a zip is broken, encrypted, too large or holds unsafe paths.
    """
    if path.is_dir():
        for child in sorted(path.iterdir()):
            if not child.is_symlink() and not child.name.startswith("."):
                yield from files_in(child)
    elif not path.is_file():
        raise BadFile(f"{path}: no such file or folder")
    elif path.suffix.lower() == ".zip":
        yield from (DeliveredFile(path, member) for member in _members(path))
    else:
        yield DeliveredFile(path)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise BadFile(f"{path.name} is no readable zip ({error}): download it again") from None
    unsafe = [m.filename for m in members if ".." in PurePosixPath(m.filename).parts or m.filename.startswith("/")]
    if unsafe:
        raise BadFile(f"{path.name} holds paths that lead out of it ({unsafe[0]!r}): refused")
    if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
        raise BadFile(f"{path.name} unpacks to more than {MAX_UNPACKED_BYTES // 2**30} GiB or {MAX_MEMBERS} files: refused")
    if any(member.flag_bits & ENCRYPTED_FLAG for member in members):
        raise BadFile(f"{path.name} is encrypted: unpack it and import the folder")
    return sorted(member.filename for member in members)


def fingerprint(path: Path) -> str:
    """Sha256 of a file's content, to know it again under any name."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
