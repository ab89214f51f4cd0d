"""What waits to be taken into bronze: files in the import folder, and answers of Web APIs in the lake's inbox.

Needs no Spark: the scheduler asks here whether there is anything to do.
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
# Remembers which files were taken, and what they looked like then.
SEEN_FILES = "state/seen_files.json"


def waiting_files(settings: Settings) -> list[Path]:
    """The catalogue file, and the files of the import folder and the inbox that are new or changed since taken.

    Raises:
        LakehouseError: a folder cannot be read.
    """
    seen = read_state(settings.work_path / SEEN_FILES)
    try:
        folders = [folder for folder in (settings.import_dir, settings.work_path / INBOX) if folder.is_dir()]
        visible = [path for folder in folders for path in sorted(folder.iterdir()) if _is_delivered(path)]
        # The catalogue may lie in the import folder.
        candidates = {_key(path): path for path in (settings.kaggle_csv, *visible)}.values()
        return [path for path in candidates if path.exists() and seen.get(_key(path)) != _look(path)]
    except PermissionError as error:
        raise LakehouseError(
            f"{error.filename} cannot be read ({error.strerror}): let user id {os.getuid()} read it, "
            f"such as by `chmod -R a+rX` on the folder"
        ) from None


def _is_delivered(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "README.md"


def keep_answer(settings: Settings, kind: str, answer: object, now: datetime) -> Path:
    """Keep a whole answer of a Web API until a run has taken it into bronze.

    Args:
        settings: name the lake.
        kind: the beginning of the file's name, by which the importer knows it.
        answer: the JSON value that was answered.
        now: when it was answered.
    """
    file = settings.work_path / INBOX / f"{kind}_{now:%Y%m%dT%H%M%SZ}_{uuid.uuid4().hex[:6]}.json"
    write_state(file, answer)
    return file


def looks_of(paths: Iterable[Path]) -> dict[str, str]:
    """What the files look like before they are taken; to be remembered afterwards."""
    return {_key(path): _look(path) for path in paths}


def remember(settings: Settings, looks: dict[str, str], refused: list[str]) -> None:
    """Remember files as taken; answers in the inbox have done their duty and go.

    Called after the commit: a kill in between imports the files again, which changes nothing.

    Args:
        settings: name the lake.
        looks: the files taken, as they looked before.
        refused: messages of refusals; an answer that one of them names stays.
    """
    inbox = str((settings.work_path / INBOX).absolute())
    done = {
        key
        for key in looks
        if str(Path(key).parent) == inbox and not any(Path(key).name in message for message in refused)
    }
    seen = read_state(settings.work_path / SEEN_FILES) | looks
    write_state(settings.work_path / SEEN_FILES, {key: look for key, look in seen.items() if key not in done})
    for key in done:
        Path(key).unlink(missing_ok=True)


def _key(path: Path) -> str:
    return str(path.absolute())


def _look(path: Path) -> str:
    """Digest of names, sizes and times of change, of a folder of everything in it; '' where nothing can be seen."""
    digest = hashlib.sha256()
    try:
        for file in [path, *sorted(path.rglob("*"))]:
            if file.is_file():
                stat = file.stat()
                digest.update(repr((str(file.relative_to(path)), stat.st_size, stat.st_mtime_ns)).encode())
    except OSError:
        return ""
    return digest.hexdigest()
