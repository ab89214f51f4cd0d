"""The lake's listeners: who they are, another name for one, and forgetting one."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.delivered.inbox import delete_deliveries, listeners_with_folder, rename_folders
from bronze.imports import histories_of
from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features import my_tracks_features_bronze
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.errors import UsageError
from lakehouse.lake.logs import DamagedTable, open_logs
from lakehouse.lake.storage import Lake
from lakehouse.lake.writer import one_writer
from lakehouse.listeners import require_listener_name
from lakehouse.runlog.append import append_finished_runs
from lakehouse.runlog.spool import REFUSED_PREFIX, SPOOL
from lakehouse.settings import Settings
from lakehouse.spotify import logins
from lakehouse.spotify.logins import forget_login, listeners_with_login, rename_login
from lakehouse.state_files import read_state, write_state
from pipeline.registry import all_tables
from pipeline.runs.recording import recorded_run

# Names the rename at work, so that the same command finishes one that was killed.
RENAMING = "state/renaming.json"
# Columns of the ops tables whose text may name a listener, as paths and errors do.
FREE_TEXT = ("error", "detail", "reason")
NAMED_SOMEBODY = "(removed: it named a listener who was forgotten)"


@dataclass
class Reported:
    """What sources reported of one listener: the number of plays, and the first and the last instant of one."""

    plays: int = 0
    first: datetime | None = None
    last: datetime | None = None


def reported_by_listener(settings: Settings) -> dict[str, Reported]:
    """What sources reported of each listener, from the table's log alone; {} before there were listeners."""
    log = open_logs(settings).log(listening_history_bronze)
    found: dict[str, Reported] = {}
    if log is None or "listener" not in log.metadata().partition_columns:
        return found
    for file in pa.table(log.get_add_actions(flatten=True)).to_pylist():
        reported = found.setdefault(file["partition.listener"], Reported())
        reported.plays += file["num_records"]
        # Files of another program may have no statistics.
        for bound, choose in (("first", min), ("last", max)):
            instants = [getattr(reported, bound), file.get(f"{choose.__name__}.played_at")]
            setattr(reported, bound, choose(filter(None, instants), default=None))
    return found


@dataclass(frozen=True)
class KnownListener:
    """A listener of the lake.

    Attributes:
        name: theirs in every table.
        display_name: for people to read; '' for none.
        time_zone: IANA name.
        has_login: whether they are logged in at Spotify.
        reported: their plays in bronze.
    """

    name: str
    display_name: str
    time_zone: str
    has_login: bool
    reported: Reported


@dataclass(frozen=True)
class Forgotten:
    """What was deleted.

    Attributes:
        rows: by table, without tables that had none.
        files: logins, answers and exports, with folders as one.
    """

    rows: dict[str, int]
    files: list[Path]


def known_listeners(settings: Settings) -> list[KnownListener]:
    """Everyone who has plays, a login, a folder of files or an entry in the file of listeners, by name.

    Needs no Spark.
    """
    reported, with_login = reported_by_listener(settings), listeners_with_login(settings)
    zones, entries = settings.parameter("listener_time_zone"), settings.listeners
    return [
        KnownListener(
            name,
            entries[name].display_name if name in entries else "",
            zones[name],
            name in with_login,
            reported.get(name, Reported()),
        )
        for name in sorted(_with_data(settings) | entries.keys())
    ]


def _with_data(settings: Settings) -> set[str]:
    """Listeners of whom something is here: plays, a login, what polls kept, or a folder of files."""
    plays = reported_by_listener(settings)
    return {*plays, *logins.known_listeners(settings), *listeners_with_folder(settings)}


def _require_data(settings: Settings, name: str) -> None:
    if name not in _with_data(settings):
        raise UsageError(f"there is no listener {name!r}: `lakehouse listeners` shows who there is")


def rename_listener(settings: Settings, old: str, new: str) -> None:
    """Give a listener another name: their login, their folders, and their plays and audit; a run rebuilds the rest.

    One that was killed is finished by the same command.

    Raises:
        UsageError: there is no such listener, or the new name is taken or cannot be one.
    """
    require_listener_name(new)
    with one_writer(settings, purpose="rename a listener") as still_writer:
        if read_state(settings.work_path / RENAMING) != {old: new}:
            _require_data(settings, old)
            if new in _with_data(settings):
                raise UsageError(f"there is a listener {new} already: choose another name")
        with recorded_run(settings, "rename", still_writer) as run:
            write_state(settings.work_path / RENAMING, {old: new})
            # From then on polls are the new one's.
            rename_login(settings, old, new)
            rename_folders(old, new, settings)
            append_finished_runs(run.lake, settings.work_path / SPOOL)
            renamed = F.when(F.col("listener") == old, new).otherwise(F.col("listener"))
            for table in (IMPORT_AUDIT, listening_history_bronze):
                state = run.lake.state(table)
                assert state is not None, "a run creates these tables"
                listeners = _stored_apart(run.lake, table, {old, new})
                rows = run.lake.read(table, listeners).withColumn("listener", renamed)
                run.lake.overwrite(table, rows, replace(state.provenance, same_as=None), listeners=listeners)
            (settings.work_path / RENAMING).unlink()


def _stored_apart(lake: Lake, table: Table, listeners: set[str]) -> set[str] | None:
    """The listeners, where their rows can be replaced alone; None where the whole table has to be written."""
    state = lake.state(table)
    is_known = state is not None and state.provenance.parts is not None
    return listeners if table.is_by_listener and is_known and lake.has_contract_schema(table) else None


def forgettable_files(settings: Settings, name: str) -> list[Path]:
    """The exports and answers of a listener in import folder and inbox, which `forget_listener` deletes."""
    return histories_of(name, settings)


def forget_listener(
    settings: Settings, name: str, *, on_table: Callable[[str], None] = lambda table_name: None
) -> Forgotten:
    """Delete every row of a listener in every table and in every older version, their login and their files.

    Bronze comes last: until then they are known here, and the same command finishes one that was killed.

    Args:
        settings: name the lake, the import folder and the logins.
        name: the listener.
        on_table: called with each table's name before it is looked at.

    Raises:
        UsageError: there is no such listener, or a file of theirs cannot be deleted from here.
    """
    with one_writer(settings, purpose="forget a listener") as still_writer:
        _require_data(settings, name)
        files = histories_of(name, settings)
        for file in files:
            if not os.access(file.parent, os.W_OK):
                raise UsageError(f"{file} cannot be deleted from here: delete it yourself, then run this again")
        with recorded_run(settings, "forget", still_writer) as run:
            # First: without a login no poll brings new plays.
            files = [*forget_login(settings, name), *files]
            delete_deliveries(files, settings)
            append_finished_runs(run.lake, settings.work_path / SPOOL)
            _delete_records(settings, name)
            rows = {}
            for table in _bronze_last():
                on_table(table.name)
                rows[table.name] = _forget_rows(run.lake, table, name)
                run.lake.drop_older_versions(table)
    return Forgotten({table: count for table, count in rows.items() if count}, files)


def _delete_records(settings: Settings, name: str) -> None:
    """Delete records that no table took, and the note of an unfinished rename, where they name a listener."""
    refused = (settings.work_path / SPOOL).glob(f"{REFUSED_PREFIX}*")
    for place in (settings.work_path / RENAMING, *refused):
        files = place.rglob("*") if place.is_dir() else [place]
        if any(name in file.read_text(errors="replace") for file in files if file.is_file()):
            shutil.rmtree(place) if place.is_dir() else place.unlink()


def _bronze_last() -> list[Table]:
    """All tables, those first that are made from others, and plays last."""
    tables = [table for table in reversed(all_tables().values()) if table != listening_history_bronze]
    # Whose rejected rows they are stands in the audit.
    tables.sort(key=lambda table: table == IMPORT_AUDIT)
    return [*tables, listening_history_bronze]


def _forget_rows(lake: Lake, table: Table, name: str) -> int:
    """Delete a listener's rows from a table's newest version; returns their number."""
    try:
        state = lake.state(table)
    except DamagedTable:
        if table.transform is None:
            raise
        # The next run makes it anew.
        lake.set_aside(table, "forgotten")
        return 0
    if state is None:
        return 0
    if table.transform is not None and not lake.has_contract_schema(table):
        lake.set_aside(table, "older")
        return state.provenance.rows
    listeners = _stored_apart(lake, table, {name})
    kept = lake.read(table, listeners).where("false") if listeners else _without(lake, table, name)
    if kept is None or (listeners and name not in (state.provenance.parts or {})):
        return 0
    provenance = replace(state.provenance, same_as=None, parts=None)
    after = lake.overwrite(table, kept, provenance, listeners=listeners).state
    return state.provenance.rows - after.provenance.rows


def _without(lake: Lake, table: Table, name: str) -> DataFrame | None:
    """A table's rows without a listener's, and without texts that name them; None where it can have neither."""
    rows = lake.read(table)
    names = {column.name for column in table.columns}
    about = [column for column in ("listener", "other_listener") if column in names]
    if table == REJECTED_ROWS:
        audit = lake.read(IMPORT_AUDIT).where(F.col("listener") == name).select("run_id", "source_file").distinct()
        rows = rows.join(audit, on=["run_id", "source_file"], how="left_anti")
    elif table == my_tracks_features_bronze:
        plays = lake.read(listening_history_bronze).select("listener", "track_id")
        of_others = plays.where(F.col("listener") != name).select("track_id")
        theirs = plays.where(F.col("listener") == name).select("track_id").join(of_others, "track_id", "left_anti")
        return rows.join(theirs, on="track_id", how="left_anti")
    elif not about and table.layer != "ops":
        return None
    for column in about:
        rows = rows.where(F.col(column) != name)
    texts = [column for column in FREE_TEXT if column in names and table.layer == "ops"]
    return rows.withColumns({column: _unless_it_names(column, name) for column in texts})


def _unless_it_names(column: str, name: str) -> Column:
    is_named = F.col(column).rlike(f"(^|[^a-z0-9_-]){name}($|[^a-z0-9_-])")
    return F.when(is_named, NAMED_SOMEBODY).otherwise(F.col(column))
