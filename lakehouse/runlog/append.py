"""Appends what runs recorded about themselves (`lakehouse.runlog.spool`) to the ops tables.

Each run writes to its own folder below `spool/`. Finished runs are appended in batches, each of them exactly once; the
next run closes the folder of a killed one. So no record is lost, and runs without news need no Spark.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, OPS_TABLES, PIPELINE_RUNS, REJECTED_ROWS
from lakehouse.lake.logs import DamagedTable
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import ContractViolation, schema_of
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import (
    BATCH_PREFIX,
    FINISHED,
    IMPORTED,
    REFUSED_PREFIX,
    STARTED,
    new_run_id,
    run_folders,
    to_json,
)

# Records with these verdicts are rows of the bronze history.
ADDED_VERDICTS = ("counted", "too_short")


def close_killed_runs(lake: Lake, spool: Path, *, history: Table, catalogue: Table) -> list[str]:
    """Close the records of killed runs; the caller holds the writer's lock, so no other run is at work.

    Args:
        lake: shows what the runs committed.
        spool: folder for the records of all runs.
        history: the table that listening histories are imported into.
        catalogue: the table that catalogues are imported into.

    Returns:
        The ids of the killed runs.
    """
    killed = []
    for folder in sorted(folder for folder in run_folders(spool) if not (folder / FINISHED).exists()):
        for file in folder.glob("*.jsonl"):
            _rewrite(file, _records(file))
        ended = folder / f"{PIPELINE_RUNS.name}.jsonl"
        if not ended.exists():
            try:
                new_plays = drop_uncommitted(lake, folder, history=history, catalogue=catalogue)
            except DamagedTable:  # what the run committed is known only once the table is repaired
                continue
            killed.append(folder.name)
            started = next(iter(_records(folder / STARTED)), {"run_id": folder.name})
            _rewrite(ended, [{**started, "status": "killed", "new_plays": new_plays}])
        (folder / FINISHED).touch()
    return killed


def drop_uncommitted(lake: Lake, folder: Path, *, history: Table, catalogue: Table) -> int:
    """Drop the records of imports that a failed run did not commit: their files will be imported again.

    A completed import is kept as a whole: its files count as imported, even if none of them added a row.

    Returns:
        The number of plays that the run added.
    """
    audit_file, rejects_file = (folder / f"{table.name}.jsonl" for table in (IMPORT_AUDIT, REJECTED_ROWS))
    audit = _records(audit_file)
    if not (folder / IMPORTED).exists():
        histories = {record["source_file"] for record in audit}
        committed = {table.name: _was_committed_by(lake, table, folder.name) for table in (history, catalogue)}
        if not committed[history.name]:
            audit = []
        # A catalogue has rejects but no audit. Fetched features stay in the inbox and will be rejected again.
        origin = {True: history.name, False: catalogue.name}
        rejects = [row for row in _records(rejects_file) if committed[origin[row["source_file"] in histories]]]
        _rewrite(audit_file, audit)
        _rewrite(rejects_file, rejects)
    return sum(record["record_count"] for record in audit if record["verdict"] in ADDED_VERDICTS)


def append_finished_runs(lake: Lake, spool: Path) -> list[str]:
    """Append the records of all finished runs to the ops tables; idempotent, so it may be interrupted at any point.

    Returns:
        One line per table that refused records, which are set aside so that they do not block later ones. For a
        damaged table its error; all records then wait until it is repaired.
    """
    _make_batch(spool)
    refused: list[str] = []
    for batch in sorted(spool.glob(f"{BATCH_PREFIX}*")):
        try:
            problems = [problem for table in OPS_TABLES if (problem := _append(lake, batch, table))]
        except DamagedTable as damaged:
            return [*refused, str(damaged)]
        if problems:
            aside = batch.rename(spool / f"{REFUSED_PREFIX}{batch.name}")
            refused += [f"{problem} (its records are kept in {aside})" for problem in problems]
        else:
            shutil.rmtree(batch)
    return refused


def _append(lake: Lake, batch: Path, table: Table) -> str:
    """Append a batch's records of one table; returns why they were refused, or ''."""
    files = sorted(batch.glob(f"*/{table.name}.jsonl"))
    if not files:
        return ""
    state = lake.state(table)
    rows_before = state.provenance.rows if state else 0
    provenance, once = Provenance(run_id=batch.name), f"{batch.name}-{table.name}"
    with lake.readable_by_workers(files) as readable:
        frame = lake.spark.read.schema(schema_of(table)).json(readable)
        try:
            lake.append(table, frame, provenance, rows_before=rows_before, once=once)
        except ContractViolation as error:
            return str(error)
    return ""


def _make_batch(spool: Path) -> None:
    """Move finished runs into a new batch: a batch never changes, so it can be applied exactly once."""
    finished = [folder for folder in run_folders(spool) if (folder / FINISHED).exists()]
    if finished:
        batch = spool / f"{BATCH_PREFIX}{new_run_id(datetime.now(UTC))}"
        batch.mkdir()
        for folder in finished:
            folder.rename(batch / folder.name)


def _was_committed_by(lake: Lake, table: Table, run_id: str) -> bool:
    state = lake.state(table)
    return state is not None and state.provenance.run_id == run_id


def _records(file: Path) -> list[dict[str, Any]]:
    """The records of a file, except a last one that was cut off by a kill."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    records = []
    for line in text.split("\n"):
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def _rewrite(file: Path, records: list[dict[str, Any]]) -> None:
    """Replace a file's records atomically; without records the file is deleted."""
    if not records:
        file.unlink(missing_ok=True)
        return
    partial = file.with_suffix(".partial")
    partial.write_text("".join(to_json(record) + "\n" for record in records), encoding="utf-8")
    partial.replace(file)
