"""What runs recorded about themselves (`lakehouse.runlog.spool`), appended to the ops tables by Spark.

A run writes to a folder of its own below `spool/`. It is appended when the run is finished, in batches that are applied
exactly once; a folder that a killed run left behind is closed by the next run. So nothing recorded is lost, and runs
without news need no Spark.
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

# Records with these verdicts became rows.
ADDED_VERDICTS = ("counted", "too_short")


def close_killed_runs(lake: Lake, spool: Path, *, history: Table, catalogue: Table) -> list[str]:
    """Close what killed runs left behind; the caller holds the writer's lock, so nobody else is running.

    Args:
        lake: tells what the runs committed.
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
            except DamagedTable:  # what the run committed shows when the table is mended
                continue
            killed.append(folder.name)
            started = next(iter(_records(folder / STARTED)), {"run_id": folder.name})
            _rewrite(ended, [{**started, "status": "killed", "new_plays": new_plays}])
        (folder / FINISHED).touch()
    return killed


def drop_uncommitted(lake: Lake, folder: Path, *, history: Table, catalogue: Table) -> int:
    """Drop audit and rejects of imports that a broken run recorded but did not commit: they will be imported again.

    An import that was completed is kept as a whole: its files count as taken, though perhaps none added a row.

    Returns:
        The number of plays that the run did add.
    """
    audit_file, rejects_file = (folder / f"{table.name}.jsonl" for table in (IMPORT_AUDIT, REJECTED_ROWS))
    audit = _records(audit_file)
    if not (folder / IMPORTED).exists():
        histories = {record["source_file"] for record in audit}
        committed = {table.name: _is_newest_by(lake, table, folder.name) for table in (history, catalogue)}
        if not committed[history.name]:
            audit = []
        # A catalogue has rejects but no audit. Fetched features wait on and will be rejected again.
        origin = {True: history.name, False: catalogue.name}
        rejects = [row for row in _records(rejects_file) if committed[origin[row["source_file"] in histories]]]
        _rewrite(audit_file, audit)
        _rewrite(rejects_file, rejects)
    return sum(record["record_count"] for record in audit if record["verdict"] in ADDED_VERDICTS)


def append_finished_runs(lake: Lake, spool: Path) -> list[str]:
    """Append the records of all finished runs to the ops tables, exactly once however often it is interrupted.

    Returns:
        One line per table that refused records. Those are set aside, so that they do not stop the ones to come.
        Where a table is damaged, its line, and all records wait until it is mended.
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
    """Append a batch's records of one table; return why they are refused, or ''."""
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
    """Move finished runs into a new batch: from then on the batch never changes, so it can be applied once."""
    finished = [folder for folder in run_folders(spool) if (folder / FINISHED).exists()]
    if finished:
        batch = spool / f"{BATCH_PREFIX}{new_run_id(datetime.now(UTC))}"
        batch.mkdir()
        for folder in finished:
            folder.rename(batch / folder.name)


def _is_newest_by(lake: Lake, table: Table, run_id: str) -> bool:
    state = lake.state(table)
    return state is not None and state.provenance.run_id == run_id


def _records(file: Path) -> list[dict[str, Any]]:
    """The records of a file, without a last one that a kill cut off."""
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
    """Replace a file's records, at once; without records there is no file."""
    if not records:
        file.unlink(missing_ok=True)
        return
    partial = file.with_suffix(".partial")
    partial.write_text("".join(to_json(record) + "\n" for record in records), encoding="utf-8")
    partial.replace(file)
