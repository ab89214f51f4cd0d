"""A cache of the frames that several transforms of one run read."""

from threading import Lock

import pyarrow as pa
from pyspark.sql import DataFrame

from lakehouse.contract import Table
from lakehouse.lake.parts import rows_of
from lakehouse.lake.storage import Lake
from silver.rules.bounded import sample

# Larger tables are not persisted: a reader needs few of their columns, and caching all costs more than it saves.
MOST_KEPT_ROWS = 1_000_000


class SharedReads:
    """The frames that one run's transforms read; one frame per version of a table."""

    def __init__(self, lake: Lake) -> None:
        """Read from `lake`."""
        self._lake = lake
        self._frames: dict[tuple[str, int, frozenset[str] | None], DataFrame] = {}
        self._samples: dict[tuple[DataFrame, int], pa.Table] = {}
        self._lock = Lock()
        self._sampling = Lock()

    def read(self, table: Table, listeners: frozenset[str] | None = None) -> DataFrame:
        """The table's rows, of all listeners or some, persisted in memory from the second reader on."""
        state = self._lake.state(table)
        if state is None:
            return self._lake.read(table)
        key = table.name, state.version, listeners
        with self._lock:
            if key not in self._frames:
                self._frames[key] = self._lake.read(table, listeners)
            elif rows_of(state, listeners) <= MOST_KEPT_ROWS:
                self._frames[key].persist()
            return self._frames[key]

    def sample(self, table: Table, max_rows: int) -> pa.Table:
        """At most so many of the table's rows, see `bounded.sample`; collected once per run."""
        frame = self.read(table)
        with self._sampling:
            if (frame, max_rows) not in self._samples:
                self._samples[frame, max_rows] = sample(frame, table.key, max_rows).toArrow()
            return self._samples[frame, max_rows]

    def release(self) -> None:
        """Empty the cache."""
        with self._lock:
            for frame in self._frames.values():
                frame.unpersist()
            self._frames.clear()
            self._samples.clear()
