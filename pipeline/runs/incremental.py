"""New rows of an input are taken into tables that it would be dear to make anew; the rows are the same either way.

A table declares how: by its `Growth`, `Summary` or `Update`, see `lakehouse.contract`. Where none of them can tell what
is new, the table is made anew.
"""

from collections.abc import Callable
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import Growth, Node, Table
from lakehouse.lake.changes import appended, changed_keys, grow
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake, Written
from lakehouse.models.artifacts import Artifact
from lakehouse.settings import Settings

Versions = dict[str, int | str]

# Smaller tables are made anew as fast.
LARGE_ROWS = 100_000
# Their keys are sent to every task, some hundred bytes each.
MOST_FEW_ROWS = 250_000


class Incremental:
    """Builds tables from what is new in their inputs."""

    def __init__(
        self,
        lake: Lake,
        nodes: dict[str, Node],
        read: Callable[[Node], DataFrame | Artifact],
        settings: Settings,
    ) -> None:
        """Build tables of a lake.

        Args:
            lake: read and written.
            nodes: all tables and models by name.
            read: reads an input.
            settings: what transforms take beside their inputs.
        """
        self._lake = lake
        self._nodes = nodes
        self._read = read
        self._settings = settings

    def build(self, table: Table, making: Provenance) -> Written | None:
        """Take in what is new.

        Args:
            table: it may never have been made.
            making: what it is to be made from.

        Returns:
            The commit; None where the table has to be made anew.
        """
        if not (table.growth or table.summary or table.update):
            return None
        state = self._lake.state(table)
        # Only commits of ours that looked at all rows have a digest.
        if state is None or not state.provenance.digest:
            return None
        stored = state.provenance
        if (stored.code, stored.parameters) != (making.code, making.parameters):
            return None
        if stored.rows >= LARGE_ROWS and (
            written := self._kept(table, stored, making) or self._grown(table, stored, making)
        ):
            return written
        return self._updated(table, stored, making)

    def _kept(self, table: Table, stored: Provenance, making: Provenance) -> Written | None:
        """Leave a table as it is where all that is new are rows that it holds already."""
        summary = table.summary
        rows = self._only_news(summary.input, stored, making) if summary else None
        if summary is None or rows is None or not summary.adds(rows, self._lake.read(table)).isEmpty():
            return None
        return self._lake.keep(table, making)

    def _updated(self, table: Table, stored: Provenance, making: Provenance) -> Written | None:
        """Change what new rows of a large input concern."""
        update = table.update
        if update is None:
            return None
        growing = self._table(update.input)
        state = self._lake.state(growing)
        is_large = state is not None and state.provenance.rows >= LARGE_ROWS
        new_rows = self._only_news(growing.name, stored, making) if is_large else None
        if new_rows is None:
            return None
        rows = self._lake.read(growing)
        # Older plays that come late concern too many others.
        if update.by and not _are_few(rows.where(F.col(update.by) >= new_rows.agg(F.min(update.by)).scalar())):
            return None
        return self._lake.overwrite(table, update.updated(self._lake.read(table), rows, new_rows), making)

    def _only_news(self, name: str, stored: Provenance, making: Provenance) -> DataFrame | None:
        """The rows that were added to an input, where nothing else happened to it or another one; else None."""
        before, now = stored.inputs or {}, making.inputs or {}
        version = before.get(name)
        if not isinstance(version, int) or any(before.get(other) != now[other] for other in now if other != name):
            return None
        return appended(self._lake, self._table(name), version)

    def _grown(self, table: Table, stored: Provenance, making: Provenance) -> Written | None:
        """Add what new rows of the growing input bring."""
        growth = table.growth
        if growth is None:
            return None
        rows = self._lake.read(self._table(growth.input))
        earliest = self._first_concerned(growth, rows, stored.inputs or {}, making.inputs or {})
        if earliest is None:
            return None
        since = earliest
        if growth.settled_before is not None:
            settled = growth.settled_before(self._lake.read(table), earliest).first()
            if settled is None or settled[0] is None:
                return None
            since = settled[0]
        tail = rows.where(F.col(growth.by) >= F.timestamp_micros(F.lit(since)))
        inputs = {name: tail if name == growth.input else self._read(self._nodes[name]) for name in table.inputs}
        transform: Callable[..., DataFrame] = table
        # Not counted where that decides nothing.
        if (growth.joined or growth.of_few) and _are_few(tail):
            inputs |= {name: self._joined_with(tail, growth, name) for name in growth.joined}
            transform = growth.of_few or table
        frame = transform(*inputs.values(), **table.taken_from(self._settings))
        return grow(self._lake, table, frame, since, making)

    def _first_concerned(self, growth: Growth, rows: DataFrame, before: Versions, now: Versions) -> int | None:
        """The earliest instant of the growing input's rows that are new, or joined with others than before.

        Args:
            growth: how the table grows.
            rows: all of the growing input.
            before: the inputs' versions that the table was made from.
            now: their versions now.

        Returns:
            Microseconds since 1970; None where nobody can tell, or nothing is new.
        """
        news = [name for name, version in now.items() if before.get(name) != version]
        concerned = [self._concerned(growth, rows, self._nodes[name], before.get(name)) for name in news]
        known = [found.select(F.unix_micros(growth.by).alias("micros")) for found in concerned if found is not None]
        if not known or len(known) < len(concerned):
            return None
        earliest = reduce(DataFrame.unionAll, known).agg(F.min("micros")).first()
        return earliest[0] if earliest else None

    def _concerned(
        self, growth: Growth, rows: DataFrame, changed: Node, version_before: int | str | None
    ) -> DataFrame | None:
        """The growing input's rows that what is new in an input concerns; None where nobody can tell."""
        if not isinstance(changed, Table) or not isinstance(version_before, int):
            return None
        if changed.name == growth.input:
            return appended(self._lake, changed, version_before)
        keys = changed_keys(self._lake, changed, version_before) if changed.name in growth.joined else None
        if keys is None:
            return None
        [key] = changed.key
        return _with_key(rows, growth, key).join(keys, on=key, how="left_semi")

    def _joined_with(self, few: DataFrame, growth: Growth, name: str) -> DataFrame:
        """The rows of a joined input that have the key of any of the growing input's."""
        joined = self._table(name)
        [key] = joined.key
        keys = _with_key(few, growth, key).select(key).distinct()
        return self._lake.read(joined).join(F.broadcast(keys), on=key, how="left_semi")

    def _table(self, name: str) -> Table:
        node = self._nodes[name]
        assert isinstance(node, Table), "models do not grow"
        return node


def _with_key(rows: DataFrame, growth: Growth, key: str) -> DataFrame:
    assert growth.key_of is not None, "what is joined has a key"
    return rows.withColumn(key, growth.key_of())


def _are_few(rows: DataFrame) -> bool:
    return rows.limit(MOST_FEW_ROWS + 1).count() <= MOST_FEW_ROWS
