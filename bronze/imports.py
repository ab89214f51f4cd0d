"""Imports delivered files of every kind into bronze: those that a command names, and those in the import folders."""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from bronze.delivered.attempts import noted_attempt
from bronze.delivered.catalogue_files import is_catalogue
from bronze.delivered.delivered_files import LINKED, BadFile, printable
from bronze.delivered.inbox import (
    deaths_of,
    deliveries_of,
    linked_part,
    listener_of,
    remember,
    seen_files,
    signatures_of,
    units_of,
    waiting_files,
    where_named,
)
from bronze.kaggle_tracks import import_catalogue, kaggle_tracks_bronze
from bronze.listening_history import holds_demo, holds_real, import_history, listening_history_bronze
from bronze.my_tracks_features import import_features, is_features_answer
from lakehouse.contract import Table
from lakehouse.errors import UsageError
from lakehouse.lake.logs import DamagedTable, DeltaLogs
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.runlog.import_report import ImportReport
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings

__all__ = [
    "holds_demo",
    "holds_demo_beside_real",
    "kaggle_tracks_bronze",
    "listening_history_bronze",
    "take",
    "waiting_files",
]

FILLED_TABLES: tuple[Table, ...] = (kaggle_tracks_bronze, listening_history_bronze)


def take(
    lake: Lake,
    settings: Settings,
    paths: list[Path],
    log: RunLog,
    now: datetime,
    *,
    catalogue: Path | None = None,
    listener: str | None = None,
    on_file: Callable[[str], None] = lambda name: None,
) -> ImportReport:
    """Import files: the catalogue first, then listening histories; see `import_catalogue` and `import_history`.

    Args:
        lake: the lake to import into.
        settings: give the path of the catalogue file, which may be among `paths`.
        paths: histories, answers with audio features, and perhaps the catalogue.
        log: gets audit and rejects.
        now: the current time.
        catalogue: a catalogue file to import in place of any that waits.
        listener: whose histories they are; None where their folders say it.
        on_file: called with each file's name before it is read.
    """
    paths = units_of(paths, settings)
    catalogue = where_named(catalogue, settings) if catalogue else None
    named = paths if catalogue is None else [*paths, catalogue]
    signatures = signatures_of(named)
    linked = {path: link for path in named if (link := linked_part(path, settings))}
    paths = [path for path in paths if path not in linked]
    # A catalogue that a command names supersedes those that wait; one that is delivered later supersedes it.
    waiting = [path for path in waiting_files(settings) if _is_catalogue(path, settings)] if catalogue else []
    superseded = signatures_of(waiting)
    catalogues = [path for path in paths if _is_catalogue(path, settings)] if catalogue is None else [catalogue]
    catalogues = [path for path in catalogues if path not in linked]
    report = ImportReport(errors=[printable(f"{link} {LINKED}") for link in linked.values()])
    for path in catalogues[:1]:
        on_file(printable(path.name))
        try:
            _import_catalogue(lake, path, log, now, report)
            signatures |= superseded
        except BadFile as error:
            report.errors.append(str(error))
    for path in catalogues[1:]:
        report.errors.append(printable(f"{path} is a second catalogue and stays out: `lakehouse catalogue` takes it"))
    features = [path for path in paths if is_features_answer(path)]
    histories: dict[Path, str] = {}
    seen = seen_files(settings)
    for path in paths:
        if path not in catalogues and path not in features:
            try:
                histories[path] = listener or listener_of(path, settings, seen)
            except UsageError as error:
                report.errors.append(printable(str(error)))
    if histories:
        # Asked here because the catalogue that was just imported counts as well.
        takes_demo = not _holds_real(lake)
        history = import_history(
            lake, histories, log, now, listener_of=histories.__getitem__, takes_demo=takes_demo, on_file=on_file
        )
        report = report.with_next(history)
    report.removed_demo |= _remove_demo_beside_real(lake, log)
    if features:
        report.new_features = import_features(lake, features, log, now, report.errors)
    # First: once files are remembered as imported, no run reads them again.
    log.note_import_complete()
    remember(settings, signatures, refused=report.errors)
    return report


def take_waiting(
    lake: Lake,
    settings: Settings,
    waiting: Sequence[Path],
    log: RunLog,
    now: datetime,
    *,
    on_file: Callable[[str], None],
) -> ImportReport:
    """Import what waits, all in one; each on its own during whose import a run died, so that only one can die again."""
    died = deaths_of(waiting, settings)
    report = ImportReport()
    for paths in [[path for path in waiting if not died[path]], *([path] for path in waiting if died[path])]:
        with noted_attempt(settings, signatures_of(paths)):
            report = report.with_next(take(lake, settings, paths, log, now, on_file=on_file))
    return report


def histories_of(listener: str, settings: Settings) -> list[Path]:
    """Files and folders of histories that lie in import folder and inbox for a listener, imported or not."""
    delivered = deliveries_of(listener, settings)
    return [path for path in delivered if not (_is_catalogue(path, settings) or is_features_answer(path))]


def _import_catalogue(lake: Lake, path: Path, log: RunLog, now: datetime, report: ImportReport) -> None:
    had_demo = holds_demo(lake, kaggle_tracks_bronze)
    state = import_catalogue(lake, path, log, now, takes_demo=not _holds_real(lake))
    report.catalogue_rows = state.provenance.rows if state else 0
    report.removed_demo = had_demo and not holds_demo(lake, kaggle_tracks_bronze)


def _holds_real(lake: DeltaLogs) -> bool:
    return any(holds_real(lake, table) for table in FILLED_TABLES)


def holds_demo_beside_real(lake: DeltaLogs) -> bool:
    """Whether a kill left demo data of one kind in a lake with real data of the other; `take` removes it."""
    try:
        return _holds_real(lake) and any(holds_demo(lake, table) for table in FILLED_TABLES)
    except DamagedTable:  # unknown until the table is repaired
        return False


def _remove_demo_beside_real(lake: Lake, log: RunLog) -> bool:
    """Real data of one kind removes demo data of the other."""
    if not holds_demo_beside_real(lake):
        return False
    for table in FILLED_TABLES:
        if holds_demo(lake, table):
            lake.overwrite(table, lake.read(table).where("false"), Provenance(run_id=log.run_id))
    return True


def _is_catalogue(path: Path, settings: Settings) -> bool:
    return path == settings.kaggle_csv or is_catalogue(path)
