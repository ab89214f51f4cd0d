"""Is everything up to date? Answered from files alone: nothing changed since a run found everything up to date.

Loads neither Spark nor a table. The digest covers all that the full comparison (`pipeline.runs.plan`) rests on: a
change that means nothing costs that comparison, and one that means something is never missed.
"""

import hashlib
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from bronze.delivered import inbox
from lakehouse import LAYERS, PACKAGES, PROJECT
from lakehouse.models.artifacts import PINNED_LIBRARIES
from lakehouse.runlog.spool import SPOOL, holds_unrecorded
from lakehouse.settings import Settings
from lakehouse.state_files import read_state, write_state

UP_TO_DATE = "state/up_to_date.json"
NO_NEWS = "no news: all {tables} tables and models are up to date"
# Folders of the lake that hold tables and models; what lies beside them is looked at on its own.
STORED = (*LAYERS, "ops", "models")


def known_up_to_date(settings: Settings) -> int:
    """How many tables and models are up to date, where that is all of them and nothing changed since it was found.

    Returns:
        0 where only a full comparison can tell.
    """
    if not (settings.work_path / UP_TO_DATE).exists():
        return 0
    known = read_state(settings.work_path / UP_TO_DATE)
    tables = known.get("tables")
    if not isinstance(tables, int) or known.get("look") != look(settings) or _waits(settings):
        return 0
    return tables


def remember_up_to_date(settings: Settings, tables: int) -> None:
    """Remember that all of so many tables and models are up to date now; the caller holds the writer's lock."""
    write_state(settings.work_path / UP_TO_DATE, {"tables": tables, "look": look(settings)})


def look(settings: Settings) -> str:
    """Digest of what decides whether a table or model is out of date: code, libraries, settings, and what is stored."""
    digest = hashlib.sha256()
    libraries = [(name, version(name)) for name in PINNED_LIBRARIES]
    digest.update(repr((platform.python_version(), libraries, settings, settings.listeners)).encode())
    stored = () if settings.is_in_object_store else _files(settings.lake_path, STORED)
    for file in [*_files(PROJECT, PACKAGES, ".py"), *stored]:
        stat = file.stat()
        digest.update(repr((str(file), stat.st_size, stat.st_mtime_ns)).encode())
    if settings.is_in_object_store:
        from lakehouse.lake.object_store import store_of

        digest.update(repr([[*store_of(settings).objects(folder)] for folder in STORED]).encode())
    return digest.hexdigest()


def _files(root: Path, folders: tuple[str, ...], suffix: str = "") -> Iterator[Path]:
    for folder in folders:
        yield from sorted(path for path in (root / folder).rglob(f"*{suffix}") if path.is_file())


def _waits(settings: Settings) -> bool:
    waiting = inbox.waiting_files(settings)
    return bool(waiting) or holds_unrecorded(settings.work_path / SPOOL)
