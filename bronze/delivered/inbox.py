"""What waits for import: files in the import folder, and answers of Web APIs in the lake's inbox.

Needs no Spark: the scheduler looks here for work.
"""

import hashlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from bronze.delivered.attempts import MOST_DEATHS, deaths, forget_attempts, has_notes
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.listeners import LISTENER_NAME
from lakehouse.settings import Settings
from lakehouse.state_files import read_state, write_state

INBOX = "inbox"
# Signatures of imported files.
SEEN_FILES = "state/seen_files.json"
# The signature of an empty folder.
NOTHING = hashlib.sha256().hexdigest()


def waiting_files(settings: Settings) -> list[Path]:
    """The catalogue file and the files of import folder and inbox, where new or changed since their import.

    Without those that were set aside because runs died that imported them.

    Raises:
        LakehouseError: a folder cannot be read.
    """
    return [path for path, died in deaths_of(_new_files(settings), settings).items() if died < MOST_DEATHS]


def set_aside(settings: Settings) -> list[Path]:
    """What would wait for import if no runs had died that imported it."""
    # Asked for often, and almost always nothing is noted.
    new = _new_files(settings) if has_notes(settings) else []
    return [path for path, died in deaths_of(new, settings).items() if died >= MOST_DEATHS]


def deaths_of(paths: Sequence[Path], settings: Settings) -> dict[Path, int]:
    """How many runs died while they imported each of these deliveries as it is."""
    died = deaths(settings, signatures_of(paths)) if has_notes(settings) else {}
    return {path: died.get(_key(path), 0) for path in paths}


def _new_files(settings: Settings) -> list[Path]:
    seen = seen_files(settings)
    try:
        visible = units_of((path for folder in _folders(settings) for path in _visible(folder)), settings)
        # The catalogue may lie in the import folder.
        candidates = {_key(path): path for path in (settings.kaggle_csv, *visible)}.values()
        return [
            path for path in candidates
            if path.exists() and not _is_emptied(path, settings) and seen.get(_key(path)) != _signature(path)
        ]  # fmt: skip
    except PermissionError as error:
        raise LakehouseError(
            f"{error.filename} cannot be read ({error.strerror}): let user id {os.getuid()} read it, "
            f"such as by `chmod -R a+rX` on the folder"
        ) from None


def seen_files(settings: Settings) -> dict[str, Any]:
    """The signatures of imported files and folders, by their paths."""
    return read_state(settings.work_path / SEEN_FILES)


def linked_part(path: Path, settings: Settings) -> Path | None:
    """The first link on a path, below the folders for imports and catalogues, by whichever name these are given.

    Who may put files there must not choose what else is read.
    """
    folders = [folder for folder in (*_folders(settings), settings.kaggle_csv.parent) if folder.is_dir()]
    # With any "..", as the system follows them.
    absolute = path.absolute()
    is_below = False
    for part in (*reversed(absolute.parents), absolute):
        is_one = part.is_dir() and any(part.samefile(folder) for folder in folders)
        if is_below and part.is_symlink() and not is_one:
            return part
        is_below = is_below or is_one
    return None


def where_named(path: Path, settings: Settings) -> Path:
    """Where a path leads that a user named: elsewhere than in those folders, whoever made the link is trusted."""
    return Path(os.path.realpath(path)) if path.is_symlink() and linked_part(path, settings) is None else path


def units_of(paths: Iterable[Path], settings: Settings) -> list[Path]:
    """What is delivered at the paths: of the import folder and a listener's what lies in them, else the path itself."""
    seen, folders = seen_files(settings), {folder.absolute() for folder in _folders(settings)}
    whole = [
        below for path in paths
        for below in (_visible(path) if path.absolute() in folders else [where_named(path, settings)])
    ]  # fmt: skip
    return [unit for path in whole for unit in ((_is_of_listener(path, seen, settings) and _visible(path)) or [path])]


def listener_of(path: Path, settings: Settings, seen: Mapping[str, Any]) -> str:
    """Whose file it is: the listener's whose folder it lies in, inside the import folder or the inbox, else LISTENER's.

    Args:
        path: a file or folder.
        settings: name the folders.
        seen: of `seen_files`.

    Raises:
        UsageError: the folder's name cannot be a listener's.
    """
    for place in (path, *path.parents):
        if place.is_dir() and _is_delivery(place, settings):
            if not re.fullmatch(LISTENER_NAME, place.name):
                raise UsageError(
                    f"{place} is no listener's folder: names have up to 40 of a-z 0-9 _ -; give it such a name, or "
                    f"move its files up into {settings.import_dir}"
                )
            return place.name if _is_of_listener(place, seen, settings) else settings.listener
    return settings.listener


def _folders(settings: Settings) -> list[Path]:
    return [folder for folder in (settings.import_dir, settings.work_path / INBOX) if folder.is_dir()]


def _visible(folder: Path) -> list[Path]:
    """What is delivered in a folder, by name."""
    return [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and path.name != "README.md"]


def _is_delivery(path: Path, settings: Settings) -> bool:
    """Whether it lies directly in the import folder or in the inbox."""
    return path.absolute().parent in {folder.absolute() for folder in _folders(settings)}


def _is_of_listener(path: Path, seen: Mapping[str, Any], settings: Settings) -> bool:
    """Whether it is a listener's folder; one that was imported before there were listeners stays LISTENER's."""
    is_named = re.fullmatch(LISTENER_NAME, path.name) is not None
    return is_named and _is_folder(path) and _is_delivery(path, settings) and seen.get(_key(path), NOTHING) == NOTHING


def deliveries_of(listener: str, settings: Settings) -> list[Path]:
    """All that lies in import folder and inbox for a listener, imported or not: their folders, and single files."""
    found, seen = [], seen_files(settings)
    for folder in _folders(settings):
        for path in _visible(folder):
            # A folder with another kind of name belongs to nobody.
            with suppress(UsageError):
                found += [path] if listener_of(path, settings, seen) == listener else []
    return found


def listeners_with_folder(settings: Settings) -> set[str]:
    """Listeners who have a folder in the import folder or the inbox."""
    seen = seen_files(settings)
    paths = [path for folder in _folders(settings) for path in _visible(folder)]
    return {path.name for path in paths if _is_of_listener(path, seen, settings)}


def delete_deliveries(paths: Iterable[Path], settings: Settings) -> None:
    """Delete files and folders of import folder and inbox, and what is remembered of them."""
    for path in paths:
        if _is_folder(path):
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        _remember_moved(path, None, settings)


def rename_folders(old: str, new: str, settings: Settings) -> None:
    """Give a listener's folders in import folder and inbox another name; imported files stay so."""
    for folder in _folders(settings):
        if _is_folder(folder / old):
            (folder / new).mkdir(exist_ok=True)
            for path in (folder / old).iterdir():
                path.rename(folder / new / path.name)
            (folder / old).rmdir()
            _remember_moved(folder / old, folder / new, settings)


def _remember_moved(path: Path, target: Path | None, settings: Settings) -> None:
    """Keep the signatures of moved files under their new paths; of deleted ones none."""
    forget_attempts(settings, path)
    seen = seen_files(settings)
    kept = {}
    for key, signature in seen.items():
        if Path(key).is_relative_to(path.absolute()):
            if target is None:
                continue
            key = _key(target / Path(key).relative_to(path.absolute()))
        kept[key] = signature
    write_state(settings.work_path / SEEN_FILES, kept)


def _is_folder(path: Path) -> bool:
    """Whether it is a folder, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def _is_emptied(path: Path, settings: Settings) -> bool:
    """Whether it is a folder of the inbox whose answers were all imported."""
    return path.is_dir() and path.parent == settings.work_path / INBOX and not _visible(path)


def keep_answer(settings: Settings, kind: str, answer: object, now: datetime, listener: str = "") -> Path:
    """Keep an answer of a Web API until a run has imported it.

    Args:
        settings: name the lake.
        kind: the beginning of the file's name, by which the import recognises it.
        answer: the whole answer, a JSON value.
        now: when it arrived.
        listener: whose plays it has; '' for an answer about tracks.
    """
    file = settings.work_path / INBOX / listener / f"{kind}_{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:6]}.json"
    write_state(file, answer)
    return file


def signatures_of(paths: Iterable[Path]) -> dict[str, str]:
    """Signatures of files by path; taken before the import, given to `remember` after it."""
    return {_key(path): _signature(path) for path in paths}


def remember(settings: Settings, signatures: dict[str, str], refused: list[str]) -> None:
    """Remember files as imported, and delete imported answers from the inbox.

    Call it after the commit: a kill in between makes the next run import the files again, which is idempotent.

    Args:
        settings: name the lake.
        signatures: of the imported files, from before the import.
        refused: error messages; an answer that one of them names is not deleted.
    """
    inbox = (settings.work_path / INBOX).absolute()
    done = {
        key
        for key in signatures
        if inbox in Path(key).parents and not any(Path(key).name in message for message in refused)
    }
    seen = seen_files(settings) | signatures
    write_state(settings.work_path / SEEN_FILES, {key: seen[key] for key in seen if key not in done})
    for key in done:
        Path(key).unlink(missing_ok=True)


def _key(path: Path) -> str:
    return str(path.absolute())


def _signature(path: Path) -> str:
    """Digest of names, sizes and modification times of a file, or of all files in a folder; '' where unreadable.

    Of a link only what is said of it itself.
    """
    digest = hashlib.sha256()
    try:
        for file in [path, *(sorted(path.rglob("*")) if _is_folder(path) else [])]:
            found = file.lstat()
            if stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
                digest.update(repr((str(file.relative_to(path)), found.st_size, found.st_mtime_ns)).encode())
    except OSError:
        return ""
    return digest.hexdigest()
