"""Saved models: written whole or not at all, read without running foreign code.

An artifact is a folder models/<name>/<version> with one skops file per part, and its card as card.json (for programs)
and card.md (for people). skops rebuilds only the types named here, so a file from elsewhere cannot run code; the
checksums in the card catch damage. What is refused is trained again, never repaired.
"""

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version as library_version
from pathlib import Path
from typing import Any, Protocol

from lakehouse.errors import LakehouseError
from lakehouse.models.card import CARD_JSON, CARD_TEXT, card_text, finite
from lakehouse.state_files import atomic_folder

# Types in our artifacts that skops does not know by itself; both hold arrays, neither runs anything when rebuilt.
TRUSTED_TYPES = frozenset({"sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor", "numpy.dtype"})
# A fitted estimator is only promised to work with the library that fitted it, hashes with the one that made them.
PINNED_LIBRARIES = ("scikit-learn", "skops", "pandas")
PART_SUFFIX = ".skops"
VERSION_DIGITS = 12


class ArtifactRefusedError(LakehouseError):
    """An artifact that is missing, damaged, of another library version, or holds types that are not ours."""


@dataclass(frozen=True)
class Trained:
    """What training gives: an artifact without a name.

    Attributes:
        parts: See `Artifact`.
        card: See `Artifact`.
        rows: Rows that it was trained on.
    """

    parts: Mapping[str, Any]
    card: Mapping[str, Any]
    rows: int


@dataclass(frozen=True)
class Artifact:
    """A saved model.

    Attributes:
        name: Folder below models/.
        version: Folder below that; see `artifact_version`.
        parts: The saved objects by name: dictionaries, lists, arrays and scikit-learn estimators.
        card: What is told about it: data, parameters, figures, caveats; JSON values only.
    """

    name: str
    version: str
    parts: Mapping[str, Any]
    card: Mapping[str, Any]


def artifact_version(made_from: Mapping[str, Any]) -> str:
    """Name a version after what it is made from, so that the same data and parameters are trained once.

    >>> artifact_version({"rows": 1, "seed": 2}) == artifact_version({"seed": 2, "rows": 1})
    True
    """
    text = json.dumps(made_from, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(text.encode()).hexdigest()[:VERSION_DIGITS]


class Files(Protocol):
    """Folders of small files, wherever they are stored."""

    def folders(self, parent: str) -> list[str]:
        """Names of the finished folders below a folder, sorted."""

    def read(self, folder: str, file: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: It cannot be read.
        """

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Put a whole folder in place of whatever was there; killed at any instant, no half of it is seen."""


class ModelFiles:
    """Folders of small files below one local folder."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which need not exist yet."""
        self.root = root

    def folders(self, parent: str) -> list[str]:
        """Names of the finished folders below a folder, sorted."""
        place = self.root / parent
        found = [path.name for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
        return sorted(name for name in found if not name.startswith("."))

    def read(self, folder: str, file: str) -> bytes:
        """The content of a file.

        Raises:
            OSError: It cannot be read.
        """
        return (self.root / folder / file).read_bytes()

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Put a whole folder in place of whatever was there; killed at any instant, no half of it is seen."""
        with atomic_folder(self.root / folder) as filled:
            for name, content in files.items():
                (filled / name).write_bytes(content)


class ArtifactStore:
    """Saves and loads artifacts."""

    def __init__(self, files: Files) -> None:
        """Keep artifacts in `files`."""
        self.files = files

    def versions(self, name: str) -> list[str]:
        """Versions of a model that were saved, sorted by name."""
        return self.files.folders(name)

    def save(self, artifact: Artifact) -> None:
        """Write all parts and both cards, replacing the same version."""
        self.write(artifact.name, artifact.version, packed(artifact))

    def write(self, name: str, version: str, files: Mapping[str, bytes]) -> None:
        """Write what `packed` made of an artifact, replacing the same version."""
        self.files.write(f"{name}/{version}", files)

    def card(self, name: str, version: str) -> dict[str, Any]:
        """The card of an artifact, checked to be of this artifact and of the libraries installed.

        Raises:
            ArtifactRefusedError: see the class.
        """
        where = f"model {name} {version}"
        try:
            card = json.loads(self.files.read(f"{name}/{version}", CARD_JSON))
        except (OSError, ValueError) as error:
            raise ArtifactRefusedError(f"{where}: its card cannot be read ({error})") from error
        if not isinstance(card, dict) or (card.get("name"), card.get("version")) != (name, version):
            raise ArtifactRefusedError(f"{where}: the card is of another model")
        installed = {library: library_version(library) for library in PINNED_LIBRARIES}
        if card.get("libraries") != installed:
            raise ArtifactRefusedError(f"{where}: made with {card.get('libraries')}, installed is {installed}")
        if not isinstance(card.get("sha256"), dict) or not card["sha256"]:
            raise ArtifactRefusedError(f"{where}: the card names no files")
        return card

    def verify(self, card: Mapping[str, Any]) -> None:
        """Compare the parts of an artifact with the checksums in its card, without rebuilding them.

        Raises:
            ArtifactRefusedError: a part is missing or damaged.
        """
        for file in card["sha256"]:
            self._read_part(card, file)

    def load(self, name: str, version: str, parts: tuple[str, ...] | None = None) -> Artifact:
        """Read an artifact, or some of its parts.

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
            data = self.files.read(f"{card['name']}/{card['version']}", file)
        except OSError as error:
            raise ArtifactRefusedError(f"{where}: cannot be read ({error})") from error
        if sha256(data).hexdigest() != card["sha256"].get(file):
            raise ArtifactRefusedError(f"{where}: damaged, its checksum is not the card's")
        return data

    def _load_part(self, card: Mapping[str, Any], file: str) -> Any:
        import skops.io
        from skops.io.exceptions import UntrustedTypesFoundException

        where = f"model {card['name']} {card['version']}, {file}"
        data = self._read_part(card, file)
        try:
            return skops.io.loads(data, trusted=sorted(TRUSTED_TYPES))
        except UntrustedTypesFoundException as foreign:
            raise ArtifactRefusedError(f"{where}: holds types that are not ours ({foreign})") from foreign
        except Exception as error:  # skops raises whatever its nodes raise; all of it means: not one of ours
            raise ArtifactRefusedError(f"{where}: cannot be rebuilt ({error})") from error


def packed(artifact: Artifact) -> dict[str, bytes]:
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
