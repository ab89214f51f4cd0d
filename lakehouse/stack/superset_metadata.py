"""Superset's metadata as one file: a copy of its SQLite file, or a zip of its Postgres tables, without pg_dump."""

import json
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import psycopg
from psycopg import sql

from lakehouse.errors import LakehouseError, one_line
from lakehouse.settings import Settings
from lakehouse.stack.restored_accounts import Accounts, accounts_in, keep_accounts
from lakehouse.stack.secret_files import read_secret
from lakehouse.zips import open_zip

TABLES_FILE = "tables.json"
VERSION = "SELECT version_num FROM alembic_version"
LOCK_SECONDS = 60
# Bytes of all tables; those of a home have some megabytes, most of them what was clicked.
LARGEST_METADATA = 2**30
BLOCK = 2**20


@dataclass(frozen=True)
class SupersetMetadata:
    """The database with Superset's metadata.

    Attributes:
        settings: name the database; without one it is a SQLite file below STACK_DIR.
    """

    settings: Settings

    @property
    def kind(self) -> str:
        """'postgres' or 'sqlite'."""
        return "postgres" if self.settings.superset_database_uri else "sqlite"

    @property
    def sqlite_file(self) -> Path:
        """The SQLite file; it may not exist."""
        return self.settings.stack_dir.resolve() / "superset" / "superset.db"

    def exists(self) -> bool:
        """Whether there is metadata to save."""
        return self.kind == "postgres" or self.sqlite_file.is_file()

    def save(self, target: Path) -> None:
        """Write a consistent snapshot of all of it to a file.

        Raises:
            LakehouseError: the database does not answer, or is not Superset's.
        """
        if self.kind == "sqlite":
            with closing(sqlite3.connect(self.sqlite_file)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
            return
        with self._postgres() as connection, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            columns = _columns(connection)
            archive.writestr(TABLES_FILE, json.dumps({"version": _version(connection), "columns": columns}))
            for table, names in columns.items():
                statement = _copy("COPY {} ({}) TO STDOUT", table, names)
                with archive.open(table, "w", force_zip64=True) as member, connection.cursor().copy(statement) as rows:
                    for block in rows:
                        member.write(block)

    @contextmanager
    def replaced(self, source: Path) -> Iterator[None]:
        """Replace all of it by a file's content, in one transaction; for users see `lakehouse.stack.restored_accounts`.

        What is done within the context comes after all checks and before the commit: where that fails, nothing changes.

        Raises:
            LakehouseError: the file was not written by `save`, or is of another version of Superset; nothing was
                changed.
        """
        try:
            with self._sqlite_replaced(source) if self.kind == "sqlite" else self._postgres_replaced(source):
                yield
        except (sqlite3.Error, zipfile.BadZipFile, KeyError, ValueError) as error:
            raise LakehouseError(f"Superset's metadata in the backup cannot be read ({error})") from None

    @contextmanager
    def _sqlite_replaced(self, source: Path) -> Iterator[None]:
        with closing(sqlite3.connect(source)) as backup:
            if backup.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise LakehouseError("Superset's metadata in the backup is damaged")
            schema = {name: kind for kind, name in backup.execute("SELECT type, name FROM sqlite_master")}
            if not {*schema.values()} <= {"table", "index"}:
                # A trigger would change what is written afterwards.
                raise LakehouseError(
                    "Superset's metadata in the backup holds triggers or views, which no backup contains"
                )
            version = backup.execute(VERSION).fetchall()
            accounts = Accounts({}, set())
            self.sqlite_file.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.sqlite_file, timeout=LOCK_SECONDS)) as ours:
                if ours.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
                    _require_same(version, ours.execute(VERSION).fetchall())
                    accounts = accounts_in(ours)
                keep_accounts(backup, accounts, schema, mark="?")
                backup.commit()
                yield
                backup.backup(ours)

    @contextmanager
    def _postgres_replaced(self, source: Path) -> Iterator[None]:
        with source.open("rb") as stream, open_zip(stream) as archive, self._postgres() as connection:
            size = sum(member.file_size for member in archive.infolist())
            if size > LARGEST_METADATA:
                raise ValueError(f"it unpacks to {size:,} bytes, more than {LARGEST_METADATA:,}")
            saved = json.loads(archive.read(TABLES_FILE))
            columns = _columns(connection)
            _require_same(saved["version"], _version(connection))
            if saved["columns"] != columns:
                raise LakehouseError("Superset's metadata in the backup has other tables than Superset has here")
            connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            accounts = accounts_in(connection)
            # Foreign keys are not checked meanwhile: tables refer to each other, some in circles.
            connection.execute("SET LOCAL session_replication_role = replica")
            tables = sql.SQL(", ").join(map(sql.Identifier, columns))
            connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
            for table, names in columns.items():
                statement = _copy("COPY {} ({}) FROM STDIN", table, names)
                with archive.open(table) as member, connection.cursor().copy(statement) as rows:
                    while block := member.read(BLOCK):
                        rows.write(block)
                _reset_sequences(connection, table, names)
            keep_accounts(connection, accounts, columns, mark="%s")
            yield

    @contextmanager
    def _postgres(self) -> "Iterator[psycopg.Connection[Any]]":
        """A connection with one transaction, committed at the end and rolled back on an error."""
        assert self.settings.superset_database_uri, "called for Postgres only"
        uri = urlparse(self.settings.superset_database_uri.get_secret_value())
        password = unquote(uri.password) if uri.password else None
        try:
            with psycopg.connect(
                host=uri.hostname, port=uri.port or 5432, user=unquote(uri.username or ""), dbname=uri.path.strip("/"),
                password=password or read_secret(self.settings.secrets_dir, "postgres_password"), connect_timeout=10,
            ) as connection:  # fmt: skip
                yield connection
        except psycopg.Error as error:
            raise LakehouseError(f"Superset's database at {uri.hostname} refused: {one_line(error)}") from None


def _columns(connection: "psycopg.Connection[Any]") -> dict[str, list[str]]:
    rows = connection.execute(
        "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE' "
        "AND is_generated = 'NEVER' ORDER BY table_name, column_name"
    ).fetchall()
    columns: dict[str, list[str]] = {}
    for table, column in rows:
        columns.setdefault(table, []).append(column)
    if "alembic_version" not in columns:
        raise LakehouseError("the database that SUPERSET_DATABASE_URI names is not Superset's: start Superset once")
    return columns


def _version(connection: "psycopg.Connection[Any]") -> list[list[str]]:
    return [list(row) for row in connection.execute(VERSION).fetchall()]


def _require_same(saved: Any, here: Any) -> None:
    if sorted(map(tuple, saved)) != sorted(map(tuple, here)):
        raise LakehouseError(
            f"Superset's metadata in the backup is of another version ({saved}, here {here}): restore with the version "
            "that made it, then upgrade; or restore the lake alone (--lake-only)"
        )


def _copy(template: str, table: str, columns: list[str]) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL(template).format(sql.Identifier(table), names)


def _reset_sequences(connection: "psycopg.Connection[Any]", table: str, columns: list[str]) -> None:
    """Let sequences of generated ids continue after the highest stored one."""
    for column in columns:
        quoted = sql.Identifier(table).as_string(connection)
        [[sequence]] = connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (quoted, column)).fetchall()
        if sequence:
            highest = sql.SQL("SELECT setval(%s, coalesce(max({}), 0) + 1, false) FROM {}")
            connection.execute(highest.format(sql.Identifier(column), sql.Identifier(table)), (sequence,))
