"""A second listener in a lake of one: rows of her own in each table that tells listeners apart, and gone again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, write_deltalake

from lakehouse.contract import Table
from lakehouse.settings import Settings
from pipeline.registry import all_tables

FIRST, SECOND = "me", "anna"
COLUMN = "listener"


def tells_listeners_apart(table: Table) -> bool:
    """Whether each of its rows says whose it is."""
    return any(column.name == COLUMN for column in table.columns)


@contextmanager
def second_listener(settings: Settings) -> Iterator[None]:
    """Every other row of the first listener's as one of hers, with other numbers; new versions of the tables."""
    versions: dict[str, int] = {}
    try:
        for table in filter(tells_listeners_apart, all_tables().values()):
            place = str(settings.lake_path / table.location)
            delta = DeltaTable(place)
            write_deltalake(place, _of_both(delta) if table.compares_listeners else _as_hers(delta), mode="append")
            versions[place] = delta.version()
        yield
    finally:
        for place, version in versions.items():
            DeltaTable(place).restore(version)


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
