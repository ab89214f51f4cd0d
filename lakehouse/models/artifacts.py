"""Saved models: written completely or not at all, loaded without running code from the file.

An artifact is a folder models/<name>/<version> with one skops file per part, and its card as card.json (for programs)
and card.md (for people). skops rebuilds only the types it trusts and those named here, so a file from elsewhere cannot
run code; trees are checked before compiled code follows them, sizes before they are read, and the checksums in the card
detect damage. A refused artifact is trained again, never repaired.
"""

import errno
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Protocol

from lakehouse.errors import LakehouseError
from lakehouse.models.card import CARD_JSON, CARD_TEXT, card_text, finite
from lakehouse.state_files import PRIVATE_FOLDER, atomic_folder, open_plain
from lakehouse.zips import open_zip

# Types in our artifacts that skops does not trust by itself; both hold arrays and run nothing when rebuilt.
TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})
# A fitted estimator is only supported by the library version that fitted it, a hash by the one that computed it.
PINNED_LIBRARIES = ("scikit-learn", "skops", "pandas")
PART_SUFFIX = ".skops"
PART_FILE = re.compile(rf"[a-z0-9_]{{1,60}}{re.escape(PART_SUFFIX)}")
# Bytes of a card, of a part, and of a part unpacked. The largest part is a catalogue's artists: a million of them
# take some hundred megabytes.
LARGEST_CARD, LARGEST_PART, LARGEST_UNPACKED = 2**20, 2**30, 4 * 2**30
VERSION_DIGITS = 12


class ArtifactRefusedError(LakehouseError):
    """An artifact that is missing, damaged, saved with other library versions, or holds untrusted types."""


@dataclass(frozen=True)
class TrainingResult:
    """What training returns: an artifact that has no name and version yet.

    Attributes:
        parts: see `Artifact`.
        card: see `Artifact`.
        rows: number of rows that it was trained on.
    """

    parts: Mapping[str, Any]
    card: Mapping[str, Any]
    rows: int


@dataclass(frozen=True)
class Artifact:
    """A saved model.

    Attributes:
        name: folder below models/.
        version: folder below that; see `artifact_version`.
        parts: the saved objects by name: dictionaries, lists, arrays and scikit-learn estimators.
        card: its description: data, parameters, figures, caveats; JSON values only.
    """

    name: str
    version: str
    parts: Mapping[str, Any]
    card: Mapping[str, Any]


def artifact_version(made_from: Mapping[str, Any]) -> str:
    """A version derived from what the model is trained from, so that the same data and parameters are trained once.

    >>> artifact_version({"rows": 1, "seed": 2}) == artifact_version({"seed": 2, "rows": 1})
    True
    """
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


class Folders(Protocol):
    """Storage for folders of small files."""

    def folders(self, parent: str) -> list[str]:
        """Names of the complete folders below a folder, sorted."""

    def read(self, folder: str, file: str, most_bytes: int) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read, or is larger.
        """

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Replace a folder by these files; a kill at any instant leaves no half-written folder visible."""


class LocalFolders:
    """Folders of small files below one local folder."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which need not exist yet."""
        self.root = root

    def folders(self, parent: str) -> list[str]:
        """Names of the complete folders below a folder, sorted."""
        place = self.root / parent
        found = [path.name for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
        return sorted(name for name in found if not name.startswith("."))

    def read(self, folder: str, file: str, most_bytes: int) -> bytes:
        """The content of a file.

        Raises:
            OSError: it cannot be read, is larger, or is no file but a link or a device.
        """
        with open_plain(self.root / folder / file) as stream:
            if os.fstat(stream.fileno()).st_size > most_bytes:
                raise OSError(errno.EFBIG, f"no file of at most {most_bytes:,} bytes")
            return stream.read(most_bytes)

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Replace a folder by these files; a kill at any instant leaves no half-written folder visible."""
        with atomic_folder(self.root / folder, mode=PRIVATE_FOLDER) as filled:
            for name, content in files.items():
                (filled / name).write_bytes(content)


class ArtifactStore:
    """Saves and loads artifacts."""

    def __init__(self, folders: Folders) -> None:
        """Keep artifacts in `folders`."""
        self._folders = folders

    def versions(self, name: str) -> list[str]:
        """Saved versions of a model, sorted by name."""
        return self._folders.folders(name)

    def save(self, artifact: Artifact) -> None:
        """Write all parts and both cards, replacing the same version."""
        self.write(artifact.name, artifact.version, pack(artifact))

    def write(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """Write the files that `pack` made of an artifact, replacing the same version."""
        self._folders.write(f"{name}/{version}", files)

    def card(self, name: str, version: str) -> dict[str, Any]:
        """The card of an artifact; it must belong to this artifact and to the installed library versions.

        Raises:
            ArtifactRefusedError: see the class.
        """
        where = f"model {name} {version}"
        try:
            card = json.loads(self._folders.read(f"{name}/{version}", CARD_JSON, LARGEST_CARD))
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactRefusedError(f"{where}: its card cannot be read ({error})") from error
        if not isinstance(card, dict) or (card.get("name"), card.get("version")) != (name, version):
            raise ArtifactRefusedError(f"{where}: the card is of another model")
        installed = {library: library_version(library) for library in PINNED_LIBRARIES}
        if card.get("libraries") != installed:
            raise ArtifactRefusedError(f"{where}: made with {card.get('libraries')}, installed is {installed}")
        if not isinstance(card.get("sha256"), dict) or not card["sha256"]:
            raise ArtifactRefusedError(f"{where}: the card names no files")
        if not all(PART_FILE.fullmatch(file) for file in card["sha256"]):
            raise ArtifactRefusedError(f"{where}: the card names files that no model of ours has")
        return card

    def verify(self, card: Mapping[str, Any]) -> None:
        """Compare the parts of an artifact with the checksums in its card, without rebuilding them.

        Raises:
            ArtifactRefusedError: a part is missing or damaged.
        """
        for file in card["sha256"]:
            self._read_part(card, file)

    def load(self, name: str, version: str, parts: tuple[str, ...] | None = None) -> Artifact:
        """Load an artifact, or some of its parts.

        Raises:
            ArtifactRefusedError: see the class.
        """
        card = self.card(name, version)
        wanted = card["sha256"] if parts is None else [f"{part}{PART_SUFFIX}" for part in parts]
        loaded = {file.removesuffix(PART_SUFFIX): self._load_part(card, file) for file in wanted}
        return Artifact(name, version, loaded, card)

    def _read_part(self, card: Mapping[str, Any], file: str) -> bytes:
        where = f"model {card['name']} {card['version']}, {file}"
        try:
            data = self._folders.read(f"{card['name']}/{card['version']}", file, LARGEST_PART)
        except OSError as error:
            raise ArtifactRefusedError(f"{where}: cannot be read ({error})") from error
        if sha256(data).hexdigest() != card["sha256"].get(file):
            raise ArtifactRefusedError(f"{where}: damaged, its checksum is not the card's")
        return data

    def _load_part(self, card: Mapping[str, Any], file: str) -> Any:
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        from lakehouse.models.sound_trees import require_sound_trees

        where = f"model {card['name']} {card['version']}, {file}"
        data = self._read_part(card, file)
        try:
            with open_zip(io.BytesIO(data)) as packed:
                if sum(member.file_size for member in packed.infolist()) > LARGEST_UNPACKED:
                    raise ValueError(f"it unpacks to more than {LARGEST_UNPACKED:,} bytes")
            part = skops.io.loads(data, trusted=sorted(TRUSTED_TYPES))
            require_sound_trees(part)
            return part
        except UntrustedTypesFoundException as error:
            raise ArtifactRefusedError(f"{where}: holds types that are not ours ({error})") from error
        except Exception as error:  # skops passes on any error of its nodes: not one of our files
            raise ArtifactRefusedError(f"{where}: cannot be rebuilt ({error})") from error


def pack(artifact: Artifact) -> dict[str, bytes]:
    """The files of an artifact: all parts and both cards."""
    import skops.io  # takes a second to load

    content = {
        f"{part}{PART_SUFFIX}": skops.io.dumps(value, compression=zipfile.ZIP_DEFLATED, compresslevel=6)
        for part, value in artifact.parts.items()
    }
    card = {
        **finite(artifact.card),
        "name": artifact.name,
        "version": artifact.version,
        "libraries": {library: library_version(library) for library in PINNED_LIBRARIES},
        "sha256": {file: sha256(data).hexdigest() for file, data in content.items()},
    }
    content[CARD_JSON] = json.dumps(card, indent=2, sort_keys=True, allow_nan=False).encode()
    content[CARD_TEXT] = card_text(card).encode()
    return content
