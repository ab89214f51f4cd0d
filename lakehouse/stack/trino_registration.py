"""Keeps the tables registered in Trino equal to those in the lake, through Trino's own client.

Trino's metastore is a cache: if it is lost or wrong, the next registration restores it from the lake.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import requests
from trino.auth import BasicAuthentication
from trino.dbapi import connect
from trino.exceptions import Error as TrinoError
from trino.exceptions import HttpError, TrinoConnectionError, TrinoQueryError

from lakehouse.contract import Table
from lakehouse.errors import LakehouseError
from lakehouse.lake.logs import DamagedTable, open_logs
from lakehouse.settings import Settings

# The only user that Trino's access rules let register tables.
USER = "pipeline"
# A lake in a folder, as Trino's catalog names it.
FOLDER = "local://"
SCHEMAS = ("default", "ops")
PARALLEL_STATEMENTS = 6

Query = Callable[[str], list[list[Any]]]


@dataclass
class Registration:
    """The outcome of a registration, by names such as 'default.temporal_trends'.

    Attributes:
        registered: tables that were missing, or registered at another place.
        kept: tables that were already registered correctly.
        dropped: registrations of tables that no longer exist; no data is touched.
        broken: tables that Trino cannot read, with its reason.
    """

    registered: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The counts in one line, and a line for each broken table."""
        counts = f"Trino: {len(self.registered)} tables registered, {len(self.kept)} kept, {len(self.dropped)} dropped."
        return "\n".join([counts, *(f"{name} cannot be read: {why}" for name, why in self.broken.items())])


def register(settings: Settings, tables: Iterable[Table]) -> Registration:
    """Register the tables that exist in the lake, and drop the registrations of those that do not.

    Idempotent; may be run at any time.

    Raises:
        LakehouseError: Trino is not reachable, or refuses; or the lake has no tables, or Trino serves another one.
    """
    stored = {f"{table.trino_schema}.{table.name}": table for table in built(settings, tables)}
    wanted = {name: _location(settings, table) for name, table in stored.items()}
    if not wanted:
        raise LakehouseError(f"no table of this version is in the lake {settings.lake_uri}: run `lakehouse run` first")
    with _queries(settings) as query:
        for schema in SCHEMAS:
            query(f"CREATE SCHEMA IF NOT EXISTS delta.{schema}")
        # A table that was deleted and created again may repeat cached versions with other rows.
        query("CALL delta.system.flush_metadata_cache()")
        known = query(
            "SELECT table_schema || '.' || table_name FROM delta.information_schema.tables "
            "WHERE table_schema IN ('default', 'ops')"
        )
        names = {name for (name,) in known}
        _require_same_lake(query, settings, stored, names)
        return _reconcile(query, wanted, names)


def built(settings: Settings, tables: Iterable[Table]) -> list[Table]:
    """The tables that exist in the lake."""
    lake = open_logs(settings)
    return [table for table in tables if lake.exists(table)]


def answers(settings: Settings) -> bool:
    """Whether Trino runs queries."""
    try:
        require_answer(settings)
    except LakehouseError:
        return False
    return True


def require_answer(settings: Settings) -> None:
    """Run a minimal query.

    Raises:
        LakehouseError: Trino is not reachable, or refuses.
    """
    with _queries(settings) as query:
        query("SELECT 1")


def local_session(certificate: Path | None = None) -> requests.Session:
    """An HTTP session that ignores the environment's proxy and certificates, which are for the internet."""
    session = requests.Session()
    session.trust_env = False
    session.verify = str(certificate) if certificate else True
    return session


def _require_same_lake(query: Query, settings: Settings, stored: dict[str, Table], known: set[str]) -> None:
    """Compare the newest commit of one table: locations alone are the same in every lake.

    A table that Trino knows is preferred to one that has to be registered for the comparison, and an ops table to
    others: every run appends to those, so even copies of a lake differ.
    """
    lake, reasons = open_logs(settings), []
    for name in sorted(stored, key=lambda name: (name not in known, not name.startswith("ops."))):
        try:
            newest = lake.newest_commit(stored[name])
            with (
                nullcontext()
                if name in known
                else _temporarily_registered(query, name, _location(settings, stored[name]))
            ):
                same = _has_commit(query, name, newest["version"], newest["timestamp"])
        except (TrinoError, DamagedTable) as error:
            reasons.append(f"{name}: {_reason(error)}")
            continue
        if same:
            return
        raise LakehouseError(
            f"Trino at {settings.trino_address} serves another lake than {settings.lake_uri}, so its tables stay as "
            "they are: stop it there, or set TRINO_PORT or TRINO_URI to this lake's Trino"
        )
    raise LakehouseError(
        f"Trino at {settings.trino_address} reads no table of {settings.lake_uri}; does it serve another lake? "
        f"The first: {reasons[0]}"
    )


def _location(settings: Settings, table: Table) -> str:
    """Where Trino finds a table: relative to the lake in a folder, by its full URI in an object store."""
    return f"{settings.lake_uri if settings.is_in_object_store else FOLDER}/{table.location}"


def _has_commit(query: Query, name: str, version: int, committed_at_ms: int) -> bool:
    schema, table = name.split(".")
    history = f'delta.{schema}."{table}$history"'
    found = query(
        f"SELECT CAST(to_unixtime(timestamp) * 1000 AS bigint) FROM {history} WHERE version = {version}"  # noqa: S608 (all ours)
    )
    return found == [[committed_at_ms]]


@contextmanager
def _temporarily_registered(query: Query, name: str, location: str) -> Iterator[None]:
    _register(query, name, location)
    try:
        yield
    finally:
        _unregister(query, name)


def _reconcile(query: Query, wanted: dict[str, str], known: set[str]) -> Registration:
    result = Registration()
    for name in sorted(known - set(wanted)):
        _unregister(query, name)
        result.dropped.append(name)

    def restore(name: str) -> None:
        try:
            if name in known and _registered_location(query, name) == wanted[name]:
                result.kept.append(name)
                return
            if name in known:
                _unregister(query, name)
            _register(query, name, wanted[name])
            result.registered.append(name)
        except TrinoError as error:
            result.broken[name] = _reason(error)

    # Most of a statement's time is spent waiting for the answer.
    with ThreadPoolExecutor(PARALLEL_STATEMENTS) as pool:
        list(pool.map(restore, wanted))
    result.registered.sort()
    result.kept.sort()
    return result


def _register(query: Query, name: str, location: str) -> None:
    schema, table = name.split(".")
    query(f"CALL delta.system.register_table('{schema}', '{table}', '{location}')")


def _unregister(query: Query, name: str) -> None:
    schema, table = name.split(".")
    query(f"CALL delta.system.unregister_table('{schema}', '{table}')")


def _registered_location(query: Query, name: str) -> str | None:
    """The location registered in Trino; None where Trino cannot read the table there."""
    schema, table = name.split(".")
    try:
        [[statement]] = query(f'SHOW CREATE TABLE delta.{schema}."{table}"')
    except TrinoError:
        return None
    found = re.search(r"\blocation = '([^']*)'", statement)
    return found[1] if found else None


@contextmanager
def _queries(settings: Settings) -> Iterator[Query]:
    address = urlparse(settings.trino_address)
    encrypted = address.scheme == "https"
    password = settings.trino_password if encrypted else None
    connection = connect(  # type: ignore[no-untyped-call]
        host=address.hostname,
        port=address.port,
        http_scheme=address.scheme,
        user=USER,
        auth=BasicAuthentication(USER, password.get_secret_value()) if password else None,
        http_session=local_session(settings.trino_certificate),
        source="lakehouse",
    )

    def query(statement: str) -> list[list[Any]]:
        return list(connection.cursor().execute(statement).fetchall())

    try:
        yield query
    except (TrinoConnectionError, requests.RequestException) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise LakehouseError(
                f"the certificate of {settings.trino_address} is not trusted: set TRINO_CERTIFICATE"
            ) from error
        raise LakehouseError(
            f"Trino does not answer at {settings.trino_address}: run `lakehouse stack up`, or set TRINO_URI"
        ) from error
    except HttpError as error:
        status = str(error).partition(":")[0]  # a page of HTML may follow
        remedy = "check TRINO_PASSWORD" if status == "error 401" else "is another program there?"
        raise LakehouseError(f"Trino at {settings.trino_address} refused, {status}: {remedy}") from error
    except TrinoError as error:
        raise LakehouseError(f"Trino at {settings.trino_address} refused: {_reason(error)}") from error
    finally:
        connection.close()


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, TrinoQueryError) else str(error)
