"""Reads the lake's Delta logs with delta-rs, which needs no Spark: what tables hold now, and what it was made from."""

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakehouse.contract import Table
from lakehouse.errors import LakehouseError
from lakehouse.lake.provenance import TableState, newest_state
from lakehouse.settings import Settings

if TYPE_CHECKING:
    from lakehouse.lake.object_store import ObjectStore


class DamagedTable(LakehouseError):
    """A table whose log cannot be read; says what to do."""

    def __init__(self, table: Table, location: str, reason: str) -> None:
        """Name the remedy: a table with a transform can be rebuilt, the rows of others came from outside."""
        if table.transform is None:
            remedy = "restore a backup, or move this folder away and import again"
        else:
            remedy = "the next `lakehouse run` rebuilds it"
        super().__init__(f"{table.name} is damaged, {location} cannot be read ({reason}): {remedy}")


class OpenLog:
    """A table's Delta log as of one version; each part of it is read at most once."""

    def __init__(self, delta: DeltaTable) -> None:
        """Use a log that delta-rs has opened."""
        self.delta = delta

    @cached_property
    def state(self) -> TableState:
        """The newest commit of ours; see `DeltaLogs.state`."""
        return newest_state(self.delta)

    @cached_property
    def files(self) -> dict[str, str | None]:
        """Names of the table's files, relative to its folder, with the listener whose rows each has.

        None where the table is not partitioned by listener.
        """
        actions = self.delta.get_add_actions(flatten=True)
        # As URIs: a character that a folder's name escapes is escaped twice.
        names = [unquote(name) for name in actions["path"].to_pylist()]
        partitions = self.delta.metadata().partition_columns
        listeners = actions["partition.listener"].to_pylist() if partitions else [None] * len(names)
        return dict(zip(names, listeners, strict=True))

    @cached_property
    def is_plain(self) -> bool:
        """Whether the table's rows are exactly those of its files: no feature such as deletion vectors is on."""
        protocol = self.delta.protocol()
        features = set(protocol.reader_features or ())
        return protocol.min_reader_version == 1 or (protocol.min_reader_version == 3 and features <= {"timestampNtz"})


class DeltaLogs:
    """The logs of all tables below one URI.

    By default each call reads a log anew. A writer passes `opened`, which keeps logs open: while it holds the
    writer's lock only its own commits change them, and it reports those with `committed`.
    """

    def __init__(
        self, uri: str, *, store: "ObjectStore | None" = None, opened: dict[str, OpenLog] | None = None
    ) -> None:
        """Read logs below `uri`; `open_logs` does so by the settings.

        Args:
            uri: the lake's root.
            store: the object store that it is in; None for a folder.
            opened: keeps open logs by table name; None keeps none.
        """
        self.uri = uri.rstrip("/")
        self._store = store
        self._opened = opened

    def location(self, table: Table) -> str:
        """URI of a table's folder."""
        return f"{self.uri}/{table.location}"

    def state(self, table: Table) -> TableState | None:
        """The newest commit of ours, or None where the table was never written.

        Commits that change no rows (OPTIMIZE) are passed over, so a table's version here moves only when its rows may
        have changed. A commit by another program does move it; its `code` is '', as its origin is unknown.

        Raises:
            DamagedTable: the log cannot be read.
        """
        log = self.open(table)
        try:
            return log.state if log else None
        except (DeltaError, OSError) as error:
            raise self._read_error(table, error) from None

    def log(self, table: Table) -> DeltaTable | None:
        """A table's log, which also reads its rows without Spark; None where it was never written.

        Raises:
            DamagedTable: the log cannot be read.
        """
        log = self.open(table)
        return log.delta if log else None

    def open(self, table: Table) -> OpenLog | None:
        """The same with what was read from it so far."""
        if self._opened is not None and table.name in self._opened:
            return self._opened[table.name]
        try:
            opened = OpenLog(DeltaTable(self.location(table), storage_options=self.options))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise self._read_error(table, error) from None
        if self._opened is not None:
            self._opened[table.name] = opened
        return opened

    def exists(self, table: Table) -> bool:
        """Whether a table was ever written, damaged or not."""
        return DeltaTable.is_deltatable(self.location(table), storage_options=self.options)

    def newest_commit(self, table: Table) -> dict[str, Any]:
        """The newest commit of a table, whatever it did; {} where it was never written.

        Raises:
            DamagedTable: the log cannot be read.
        """
        log = self.log(table)
        try:
            return log.history(1)[0] if log else {}
        except (DeltaError, OSError) as error:
            raise self._read_error(table, error) from None

    def committed(self, table: Table) -> None:
        """Bring a log that is kept open up to a commit of ours."""
        if self._opened is not None and (log := self._opened.pop(table.name, None)):
            log.delta.update_incremental()
            self._opened[table.name] = OpenLog(log.delta)

    def closed(self, table: Table) -> None:
        """Forget a log that is kept open: the next call reads it anew."""
        if self._opened is not None:
            self._opened.pop(table.name, None)

    @property
    def options(self) -> dict[str, str] | None:
        """How delta-rs reaches the tables: the options of the object store."""
        return self._store.delta_options() if self._store else None

    def _read_error(self, table: Table, error: Exception) -> Exception:
        """The exception for a log that could not be read; an unreachable object store is not damage."""
        reason = str(error).splitlines()[0]
        if isinstance(error, DeltaError):
            return DamagedTable(table, self.location(table), reason)
        if self._store:
            self._store.require()
            return LakehouseError(f"{table.name} could not be read from {self._store.uri} ({reason}): run it again")
        return error


def open_logs(settings: Settings, *, opened: dict[str, OpenLog] | None = None) -> DeltaLogs:
    """The logs of the lake that the settings name.

    Raises:
        LakehouseError: the lake is in an object store that does not answer, or refuses.
    """
    return DeltaLogs(settings.lake_uri, store=store_for(settings), opened=opened)


def store_for(settings: Settings) -> "ObjectStore | None":
    """The object store that the lake is in, known to answer; None for a lake in a folder."""
    if not settings.is_in_object_store:
        return None
    # Takes half a second to load, which a lake in a folder never needs.
    from lakehouse.lake.object_store import store_of

    store = store_of(settings)
    store.require()
    return store
