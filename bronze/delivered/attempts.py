"""Deliveries during whose import a run died: tried once more, each alone, then set aside until they change.

A delivery may need more memory than there is. The run that took it is killed and remembers nothing, so the next one
would take it again, and so on for ever.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lakehouse.settings import Settings
from lakehouse.state_files import read_state, write_state

# For each delivery by its path the signature that it had, and how many runs died.
ATTEMPTS = "state/import_attempts.json"
MOST_DEATHS = 2


@contextmanager
def noted_attempt(settings: Settings, signatures: Mapping[str, str]) -> Iterator[None]:
    """Note that deliveries, by path and signature, are being imported; the note stays if this process dies."""
    file = settings.work_path / ATTEMPTS
    before = read_state(file)
    write_state(file, before | {key: _died_again(before.get(key), at) for key, at in signatures.items()})
    try:
        yield
    finally:
        write_state(file, {key: noted for key, noted in read_state(file).items() if key not in signatures})


def deaths(settings: Settings, signatures: Mapping[str, str]) -> dict[str, int]:
    """How many runs died while they imported each of these deliveries as it is."""
    noted = read_state(settings.work_path / ATTEMPTS)
    return {key: _deaths(noted.get(key), signature) for key, signature in signatures.items()}


def has_notes(settings: Settings) -> bool:
    """Whether a run died while it imported, or is importing now."""
    return bool(read_state(settings.work_path / ATTEMPTS))


def forget_attempts(settings: Settings, path: Path) -> None:
    """Forget what was noted of a delivery, and of those below it."""
    file = settings.work_path / ATTEMPTS
    noted = read_state(file)
    kept = {key: note for key, note in noted.items() if not Path(key).is_relative_to(path.absolute())}
    if kept != noted:
        write_state(file, kept)


def _died_again(noted: Any, signature: str) -> dict[str, Any]:
    return {"signature": signature, "deaths": _deaths(noted, signature) + 1}


def _deaths(noted: Any, signature: str) -> int:
    is_same = isinstance(noted, dict) and noted.get("signature") == signature
    return noted["deaths"] if is_same and isinstance(noted.get("deaths"), int) else 0
