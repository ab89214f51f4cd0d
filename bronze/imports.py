"""Everything that can be delivered, brought into bronze: what a command names, and what lies in the import folders."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from bronze.delivered_files import BadFile
from bronze.history_files import DEMO_PREFIX
from bronze.kaggle_tracks import import_catalogue, kaggle_tracks_bronze
from bronze.listening_history import holds_demo, holds_real, import_history, listening_history_bronze
from lakehouse.contract import Table
from lakehouse.import_report import ImportReport
from lakehouse.run_log import RunLog
from lakehouse.settings import Settings
from lakehouse.storage import Lake, Provenance

# Remembers which files of the import folders were taken: {path: [size, time of change]}.
SEEN_FILES = "state/seen_files.json"


def waiting_files(settings: Settings) -> list[Path]:
    """The catalogue file and the files of the import folder that are new or changed since they were taken."""
    seen = _seen(settings)
    folder = sorted(settings.import_dir.iterdir()) if settings.import_dir.is_dir() else []
    candidates = [settings.kaggle_csv, *(path for path in folder if not path.name.startswith("."))]
    return [path for path in candidates if path.exists() and seen.get(str(path)) != _look(path)]


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
    looks = {str(path): _look(path) for path in paths if path.exists()}
    catalogue_paths = [catalogue] if catalogue else [path for path in paths if _is_catalogue(path, settings)]
    report = ImportReport()
    for path in catalogue_paths:
        on_file(path.name)
        try:
            _take_catalogue(lake, path, log, now, report)
        except BadFile as error:
            report.errors.append(str(error))
    histories = [path for path in paths if path not in catalogue_paths]
    if histories:
        history = import_history(lake, histories, log, now, on_file=on_file)
        history.errors = report.errors + history.errors
        history.catalogue_rows, report = report.catalogue_rows, history
    report.removed_demo |= _remove_demo_beside_real(lake, log)
    _remember(settings, looks)
    return report


def _take_catalogue(lake: Lake, path: Path, log: RunLog, now: datetime, report: ImportReport) -> None:
    is_demo = path.name.startswith(DEMO_PREFIX)
    if is_demo and any(holds_real(lake, table) for table in (kaggle_tracks_bronze, listening_history_bronze)):
        raise BadFile(f"{path.name} is demo data and this lake holds real data: it stays out")
    state = import_catalogue(lake, path, log, now, is_demo=is_demo)
    report.catalogue_rows = state.provenance.rows if state else 0


def _remove_demo_beside_real(lake: Lake, log: RunLog) -> bool:
    """Real data of one kind removes demo data of the other."""
    tables: tuple[Table, ...] = (kaggle_tracks_bronze, listening_history_bronze)
    leftovers = [table for table in tables if holds_demo(lake, table)]
    if not leftovers or not any(holds_real(lake, table) for table in tables):
        return False
    for table in leftovers:
        lake.overwrite(table, lake.read(table).where("false"), Provenance(run_id=log.run_id))
    return True


def _is_catalogue(path: Path, settings: Settings) -> bool:
    return path == settings.kaggle_csv or path.name.lower().endswith((".csv", ".csv.gz"))


def _look(path: Path) -> list[int]:
    """Size and time of change; of a folder, of everything in it."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [file.stat() for file in files if file.is_file()]
    return [sum(stat.st_size for stat in stats), max((stat.st_mtime_ns for stat in stats), default=0)]


def _seen(settings: Settings) -> dict[str, list[int]]:
    try:
        seen = json.loads((settings.lake_path / SEEN_FILES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _remember(settings: Settings, looks: dict[str, list[int]]) -> None:
    """Written after the commit: a kill in between imports the files again, which changes nothing."""
    target = settings.lake_path / SEEN_FILES
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(_seen(settings) | looks, indent=1), encoding="utf-8")
    partial.replace(target)
