"""Everything that can be delivered, brought into bronze: what a command names, and what lies in the import folders."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from bronze.catalogue_files import is_catalogue
from bronze.delivered_files import BadFile, printable
from bronze.kaggle_tracks import import_catalogue, kaggle_tracks_bronze
from bronze.listening_history import holds_demo, holds_real, import_history, listening_history_bronze
from lakehouse.contract import Table
from lakehouse.import_report import ImportReport
from lakehouse.run_log import RunLog
from lakehouse.settings import Settings
from lakehouse.storage import Lake, Provenance

# Remembers which files of the import folders were taken, and what they looked like then.
SEEN_FILES = "state/seen_files.json"
FILLED_TABLES: tuple[Table, ...] = (kaggle_tracks_bronze, listening_history_bronze)


def waiting_files(settings: Settings) -> list[Path]:
    """The catalogue file and the files of the import folder that are new or changed since they were taken."""
    seen = _seen(settings)
    folder = sorted(settings.import_dir.iterdir()) if settings.import_dir.is_dir() else []
    visible = [path for path in folder if not path.name.startswith(".")]
    # The catalogue may lie in the import folder.
    candidates = {_key(path): path for path in (settings.kaggle_csv, *visible)}.values()
    return [path for path in candidates if path.exists() and seen.get(_key(path)) != _look(path)]


def take(
    lake: Lake,
    settings: Settings,
    paths: list[Path],
    log: RunLog,
    now: datetime,
    *,
    catalogue: Path | None = None,
    on_file: Callable[[str], None] = lambda name: None,
) -> ImportReport:
    """Import files: the catalogue first, then listening histories; see `import_catalogue` and `import_history`.

    Args:
        lake: where to.
        settings: name the catalogue file, which may be among `paths`.
        paths: histories, and perhaps the catalogue.
        log: takes audit and rejects.
        now: the current time.
        catalogue: a catalogue file to take even where the settings name another.
        on_file: called with each file's name before it is read.
    """
    looks = {_key(path): _look(path) for path in paths}
    catalogues = [catalogue] if catalogue else [path for path in paths if _is_catalogue(path, settings)]
    report = ImportReport()
    for path in catalogues[:1]:
        on_file(printable(path.name))
        try:
            _take_catalogue(lake, path, log, now, report)
        except BadFile as error:
            report.errors.append(str(error))
    for path in catalogues[1:]:
        report.errors.append(printable(f"{path} is a second catalogue and stays out: `lakehouse catalogue` takes it"))
    histories = [path for path in paths if path not in catalogues]
    if histories:
        # A catalogue that was just taken counts, too.
        takes_demo = not _holds_real(lake)
        history = import_history(lake, histories, log, now, takes_demo=takes_demo, on_file=on_file)
        report = replace(
            history,
            catalogue_rows=report.catalogue_rows,
            removed_demo=report.removed_demo or history.removed_demo,
            errors=report.errors + history.errors,
        )
    report.removed_demo |= _remove_demo_beside_real(lake, log)
    _remember(settings, looks)
    return report


def _take_catalogue(lake: Lake, path: Path, log: RunLog, now: datetime, report: ImportReport) -> None:
    had_demo = holds_demo(lake, kaggle_tracks_bronze)
    state = import_catalogue(lake, path, log, now, takes_demo=not _holds_real(lake))
    report.catalogue_rows = state.provenance.rows if state else 0
    report.removed_demo = had_demo and not holds_demo(lake, kaggle_tracks_bronze)


def _holds_real(lake: Lake) -> bool:
    return any(holds_real(lake, table) for table in FILLED_TABLES)


def _remove_demo_beside_real(lake: Lake, log: RunLog) -> bool:
    """Real data of one kind removes demo data of the other."""
    leftovers = [table for table in FILLED_TABLES if holds_demo(lake, table)]
    if not leftovers or not _holds_real(lake):
        return False
    for table in leftovers:
        lake.overwrite(table, lake.read(table).where("false"), Provenance(run_id=log.run_id))
    return True


def _is_catalogue(path: Path, settings: Settings) -> bool:
    return path == settings.kaggle_csv or is_catalogue(path)


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


def _seen(settings: Settings) -> dict[str, str]:
    try:
        seen = json.loads((settings.lake_path / SEEN_FILES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _remember(settings: Settings, looks: dict[str, str]) -> None:
    """Written after the commit: a kill in between imports the files again, which changes nothing."""
    target = settings.lake_path / SEEN_FILES
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(_seen(settings) | looks, indent=1), encoding="utf-8")
    partial.replace(target)
