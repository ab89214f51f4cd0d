"""New versions of a lake's tables for a test, taken back at its end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from lakehouse.contract import Table
from lakehouse.settings import Settings
from pipeline.registry import all_tables


@contextmanager
def changed_tables(
    settings: Settings, change: Callable[[Table, DeltaTable], pa.Table | None], mode: Literal["append", "overwrite"]
) -> Iterator[None]:
    """Write what `change` gives for each table, None for a table that stays as it is."""
    versions: dict[str, int] = {}
    try:
        for table in all_tables().values():
            place = str(settings.lake_path / table.location)
            if (rows := change(table, delta := DeltaTable(place))) is not None:
                write_deltalake(place, rows, mode=mode)
                versions[place] = delta.version()
        yield
    finally:
        for place, version in versions.items():
            DeltaTable(place).restore(version)
