"""The listeners' parts of a table: each is built when its inputs changed, and keeps its version while its rows stay."""

from collections.abc import Collection
from dataclasses import replace
from functools import reduce
from operator import xor

from deltalake import DeltaTable

from lakehouse.contract import Table
from lakehouse.lake.checks import Evaluation
from lakehouse.lake.provenance import Part, Provenance, TableState

NO_ROWS = (0, "0")


def next_version(log: DeltaTable | None) -> int:
    """The version that the next commit of ours has."""
    return log.version() + 1 if log else 0


def rows_of(state: TableState, listeners: Collection[str] | None) -> int:
    """Rows of some listeners in a table, or of all."""
    parts = state.provenance.parts
    if listeners is None or parts is None:
        return state.provenance.rows
    return sum(parts[name].rows for name in listeners if name in parts)


def with_results(
    table: Table,
    provenance: Provenance,
    evaluation: Evaluation,
    stored: TableState | None,
    version: int,
    listeners: Collection[str] | None,
) -> Provenance:
    """The provenance of rows that replace some listeners' or all, with their number and digest.

    Args:
        table: the table.
        provenance: has in its parts what each of the listeners is made from.
        evaluation: of the new rows.
        stored: the table's state; None where equal rows have to be written, too.
        version: that of the commit.
        listeners: those that are replaced; None for all.
    """
    if not table.is_by_listener:
        return replace(provenance, rows=evaluation.rows, digest=evaluation.digest)
    made = provenance.parts or {}
    before = (stored.provenance.parts or {}) if stored else {}
    parts = {name: part for name, part in before.items() if listeners is not None and name not in listeners}
    for name in {*made, *evaluation.by_listener}:
        rows, digest = evaluation.by_listener.get(name, NO_ROWS)
        part = made.get(name, Part(version))
        # Of a listener who is gone nothing is kept, not even the name.
        if rows or any(number != -1 for number in part.inputs.values()):
            known = before.get(name)
            is_same = known is not None and (known.rows, known.digest) == (rows, digest)
            since = known.version if known and is_same else version
            parts[name] = replace(part, version=since, rows=rows, digest=digest)
    all_rows = sum(part.rows for part in parts.values())
    of_all = reduce(xor, (int(part.digest, 16) for part in parts.values()), 0)
    return replace(provenance, rows=all_rows, digest=f"{of_all:x}", parts=parts)


def with_more_rows(
    table: Table, evaluation: Evaluation, stored: TableState | None, version: int
) -> dict[str, Part] | None:
    """The parts of a table to which rows are added; None where it is not by listener, or its parts are unknown."""
    is_unknown = stored is not None and stored.provenance.parts is None and stored.provenance.rows > 0
    if not table.is_by_listener or is_unknown:
        return None
    parts = dict((stored.provenance.parts or {}) if stored else {})
    for name, (rows, digest) in evaluation.by_listener.items():
        known = parts.get(name, Part(version, digest="0"))
        parts[name] = Part(version, {}, known.rows + rows, f"{int(known.digest, 16) ^ int(digest, 16):x}")
    return parts
