"""A second listener in a lake of one: rows of her own in each table that tells listeners apart, and gone again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.contract import Table
from lakehouse.settings import Settings
from tests.stack.changed_tables import changed_tables

FIRST, SECOND = "me", "anna"
COLUMN = "listener"


def tells_listeners_apart(table: Table) -> bool:
    """Whether each of its rows says whose it is."""
    return any(column.name == COLUMN for column in table.columns)


@contextmanager
def second_listener(settings: Settings) -> Iterator[None]:
    """Every other row of the first listener's as one of hers, with other numbers; new versions of the tables."""
    with changed_tables(settings, _rows_of_hers, "append"):
        yield


def _rows_of_hers(table: Table, delta: DeltaTable) -> pa.Table | None:
    if not tells_listeners_apart(table):
        return None
    return _of_both(delta) if table.compares_listeners else _as_hers(delta)


def _as_hers(table: DeltaTable) -> pa.Table:
    rows = table.to_pyarrow_table(filters=[(COLUMN, "=", FIRST)])
    rows = rows.take(pa.array(range(0, len(rows), 2), pa.int64()))
    for place, field in enumerate(rows.schema):
        if field.name == COLUMN:
            rows = rows.set_column(place, field, pa.array([SECOND] * len(rows), field.type))
        elif pa.types.is_float64(field.type):
            rows = rows.set_column(place, field, pc.multiply(rows[field.name], 0.5))
    return rows


def _of_both(table: DeltaTable) -> pa.Table:
    """What compares the two; there is nothing of one who is alone."""
    pairs = [{COLUMN: one, "other_listener": other} for one, other in ((FIRST, SECOND), (SECOND, FIRST))]
    return pa.Table.from_pylist(pairs, schema=table.to_pyarrow_table().schema)
