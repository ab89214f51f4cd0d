"""Saved models in an object store."""

from collections.abc import Mapping

from lakehouse.lake.object_store import ObjectStore
from lakehouse.models.card import CARD_JSON


class ObjectFolders:
    """Folders of small files in an object store; see `lakehouse.models.artifacts.Folders`.

    Objects cannot be renamed, so a folder counts as complete while it has a card, deleted first and written last.
    """

    def __init__(self, store: ObjectStore, root: str) -> None:
        """Keep them in `store`, below the folder `root`."""
        self._store, self._root = store, root

    def folders(self, parent: str) -> list[str]:
        """Names of the complete folders below a folder, sorted."""
        inside = f"{self._root}/{parent}"
        names = (name.removeprefix(f"{inside}/").split("/") for name, _ in self._store.objects(inside))
        return sorted({folder for folder, *rest in names if rest == [CARD_JSON]})

    def read(self, folder: str, file: str, most_bytes: int) -> bytes:
        """The content of a file.

        Raises:
            OSError: it is missing, or larger.
        """
        kept = self._store.read(f"{self._root}/{folder}/{file}", most_bytes)
        if kept is None:
            raise FileNotFoundError(f"{folder}/{file} is missing, or has more than {most_bytes:,} bytes")
        return kept.content

    def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Replace a folder by these files; a kill at any instant leaves no half-written folder visible."""
        place = f"{self._root}/{folder}"
        self._store.delete([f"{place}/{CARD_JSON}"])
        self._store.delete([name for name, _ in self._store.objects(place)])
        for name in sorted(files, key=lambda name: name == CARD_JSON):
            self._store.write(f"{place}/{name}", files[name])
