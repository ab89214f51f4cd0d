"""What waits for import: files in the import folder, and answers of Web APIs in the lake's inbox.

Needs no Spark: the scheduler looks here for work.
"""

import hashlib
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.state_files import read_state, write_state

INBOX = "inbox"
# Signatures of imported files.
SEEN_FILES = "state/seen_files.json"


def waiting_files(settings: Settings) -> list[Path]:
    """The catalogue file and the files of import folder and inbox, where new or changed since their import.

    Raises:
        LakehouseError: a folder cannot be read.
    """
    seen = read_state(settings.work_path / SEEN_FILES)
    try:
        folders = [folder for folder in (settings.import_dir, settings.work_path / INBOX) if folder.is_dir()]
        visible = [path for folder in folders for path in sorted(folder.iterdir()) if _is_delivered(path)]
        # The catalogue may lie in the import folder.
        candidates = {_key(path): path for path in (settings.kaggle_csv, *visible)}.values()
        return [path for path in candidates if path.exists() and seen.get(_key(path)) != _signature(path)]
    except PermissionError as error:
        raise LakehouseError(
            f"{error.filename} cannot be read ({error.strerror}): let user id {os.getuid()} read it, "
            f"such as by `chmod -R a+rX` on the folder"
        ) from None


def _is_delivered(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "README.md"


def keep_answer(settings: Settings, kind: str, answer: object, now: datetime) -> Path:
    """Keep an answer of a Web API until a run has imported it.

    Args:
        settings: name the lake.
        kind: the beginning of the file's name, by which the import recognises it.
        answer: the whole answer, a JSON value.
        now: when it arrived.
    """
    file = settings.work_path / INBOX / f"{kind}_{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:6]}.json"
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
    inbox = str((settings.work_path / INBOX).absolute())
    done = {
        key
        for key in signatures
        if str(Path(key).parent) == inbox and not any(Path(key).name in message for message in refused)
    }
    seen = read_state(settings.work_path / SEEN_FILES) | signatures
    write_state(settings.work_path / SEEN_FILES, {key: seen[key] for key in seen if key not in done})
    for key in done:
        Path(key).unlink(missing_ok=True)


def _key(path: Path) -> str:
    return str(path.absolute())


def _signature(path: Path) -> str:
    """Digest of names, sizes and modification times of a file, or of all files in a folder; '' where unreadable."""
    digest = hashlib.sha256()
    try:
        for file in [path, *sorted(path.rglob("*"))]:
            if file.is_file():
                stat = file.stat()
                digest.update(repr((str(file.relative_to(path)), stat.st_size, stat.st_mtime_ns)).encode())
    except OSError:
        return ""
    return digest.hexdigest()
