"""What changed in a table after one of its versions, and how the rows that are new are added."""

from dataclasses import replace

import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import Table
from lakehouse.lake.checks import DIGEST, collect_with_checks, evaluate_rows, row_digest
from lakehouse.lake.logs import OpenLog
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import conform
from lakehouse.lake.storage import SMALL_ROWS, Lake, Written
from lakehouse.lake.uncommitted_files import are_there


def appended(lake: Lake, table: Table, since: int) -> DataFrame | None:
    """The rows that were added after a version; None where files were replaced or deleted since."""
    if (versions := _changed_files(lake, table, since)) is None:
        return None
    (_, gone), (log, new) = versions
    return None if gone else lake.read_files(table, log.delta, new)


def changed_keys(lake: Lake, table: Table, since: int) -> DataFrame | None:
    """The keys of rows that were added, deleted or changed after a version; None where its files no longer exist."""
    versions = _changed_files(lake, table, since)
    if versions is None or not are_there(lake.location(table), lake.options, versions[0][1]):
        return None
    frames = [lake.read_files(table, log.delta, names) for log, names in versions]
    before, now = (frame.selectExpr(*table.key, f"{row_digest(frame)} AS {DIGEST}") for frame in frames)
    by_key = before.unionAll(now).groupBy(*table.key)
    found = by_key.agg(F.count(F.lit(1)).alias("rows"), F.min(DIGEST).alias("least"), F.max(DIGEST).alias("most"))
    return found.where("rows = 1 OR least <> most").select(*table.key)


def _changed_files(
    lake: Lake, table: Table, since: int
) -> tuple[tuple[OpenLog, list[str]], tuple[OpenLog, list[str]]] | None:
    """A table's log at a version and now, each with the files that the other does not have.

    None where the log no longer reaches back so far, or the rows are not exactly those of the files.
    """
    now = lake.open(table)
    # An input that did not exist has the version -1.
    if now is None or since < 0:
        return None
    try:
        then = OpenLog(DeltaTable(lake.location(table), version=since, storage_options=lake.options))
    except DeltaError:
        return None
    if not (now.is_plain and then.is_plain):
        return None
    return (then, sorted({*then.files} - {*now.files})), (now, sorted({*now.files} - {*then.files}))


def grow(lake: Lake, table: Table, frame: DataFrame, since: int, provenance: Provenance) -> Written | None:
    """Add those rows of a frame that a table does not have, if the frame has all that the table has from an instant on.

    Args:
        lake: the lake of the table.
        table: the table, with a `growth`.
        frame: its rows from that instant on.
        since: the instant, in microseconds since 1970.
        provenance: stored with the commit; rows and digest are set here.

    Returns:
        None where the table has other rows from then on, or there are too many to compare: nothing was written.

    Raises:
        ContractViolation: names every difference; nothing was added.
    """
    state, growth = lake.state(table), table.growth
    assert state is not None and growth is not None, f"{table.name} was never built, or does not grow"
    stored = lake.read(table).where(F.col(growth.by) >= F.timestamp_micros(F.lit(since)))
    known = stored.selectExpr(f"{row_digest(stored)} AS {DIGEST}").limit(SMALL_ROWS + 1).toArrow()[DIGEST]
    rows = collect_with_checks(table, conform(table, frame), SMALL_ROWS)
    if rows is None or len(known) > SMALL_ROWS or not pc.all(pc.is_in(known, rows[DIGEST]), min_count=0).as_py():
        return None
    added = rows.filter(pc.invert(pc.is_in(rows[DIGEST], known)))
    evaluation = evaluate_rows(table, added)
    digest = int(state.provenance.digest, 16) ^ int(evaluation.digest, 16)
    provenance = replace(provenance, rows=state.provenance.rows + evaluation.rows, digest=f"{digest:x}")
    if not evaluation.rows:
        provenance = replace(provenance, same_as=state.version)
    lake.commit(table, added.select(frame.columns), provenance, mode="append")
    return lake.written(table, evaluation.checks)
