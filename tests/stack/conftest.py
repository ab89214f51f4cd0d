"""A real Trino over a copy of the demo lake and a real Superset on it, each started once for all tests that need it."""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pydantic import SecretStr
from rich.console import Console
from trino.dbapi import connect

from lakehouse.settings import Settings
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.secret_files import create_secrets, read_secret
from lakehouse.stack.superset_server import start_superset, superset_process
from lakehouse.stack.trino_server import get_cli, get_server
from pipeline.registry import all_tables
from tests.stack.services import RedisServer, SupersetServer, postgres, require_superset
from tests.support.ports import free_port

Query = Callable[..., list[tuple[Any, ...]]]


def run_query(settings: Settings, sql: str, user: str = "reader") -> list[tuple[Any, ...]]:
    """The rows of a query, as any user of the server."""
    connection = connect(host="127.0.0.1", port=settings.trino_port, user=user, source="tests")  # type: ignore[no-untyped-call]
    with connection:
        cursor = connection.cursor()
        cursor.execute(sql)
        return [tuple(row) for row in cursor.fetchall()]


@pytest.fixture(scope="session")
def downloads() -> Path:
    """Trino's server and client, downloaded once to the place that STACK_DIR names, or its default."""
    settings = Settings(stack_dir=os.environ.get("STACK_DIR") or "data/stack", _env_file=None)
    get_server(settings, Console())
    get_cli(settings, Console())
    return settings.stack_dir.resolve()


@pytest.fixture
def native(downloads: Path, tmp_path: Path) -> Settings:
    """Settings of a stack that does not run yet, with the downloads in place and a folder name that is not plain."""
    return settings_in(tmp_path, downloads)


@dataclass(frozen=True)
class FirstStart:
    """Trino's first start, on a lake without tables of ours: where it is, what it said, and the schemas it then had."""

    settings: Settings
    output: str
    schemas: list[tuple[Any, ...]]


@pytest.fixture(scope="session")
def first_start(downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FirstStart]:
    """The one Trino that all tests share, started before its lake has tables."""
    settings, output = settings_in(tmp_path_factory.mktemp("trino"), downloads), io.StringIO()
    foreign = settings.lake_path / "temporal_trends"
    write_deltalake(foreign, pa.table({"foreign": [1]}))
    try:
        stack_up(settings, all_tables().values(), Console(file=output), superset=False)
        schemas = run_query(settings, "SHOW SCHEMAS FROM delta LIKE 'default'")
        shutil.rmtree(foreign)
        yield FirstStart(settings, output.getvalue(), schemas)
    finally:
        stack_down(settings, Console())


@pytest.fixture(scope="session")
def trino(first_start: FirstStart, demo_lake: Settings) -> Settings:
    """A running Trino on a copy of the demo lake, with all tables registered."""
    settings = first_start.settings
    shutil.copytree(demo_lake.lake_path, settings.lake_path, dirs_exist_ok=True)
    stack_up(settings, all_tables().values(), Console(), superset=False)
    return settings


@pytest.fixture
def query(trino: Settings) -> Query:
    """Runs SQL on the running Trino."""
    return lambda sql, user="reader": run_query(trino, sql, user)


@pytest.fixture(scope="session")
def superset(trino: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupersetServer]:
    """A running Superset with Postgres, Redis and the repository's dashboards, over the running Trino."""
    require_superset()
    # Postgres runs as another user, who cannot enter pytest's folders.
    with tempfile.TemporaryDirectory(prefix="lakehouse-tests-") as folder:
        Path(folder).chmod(0o755)
        secrets = tmp_path_factory.mktemp("secrets") / "made"
        create_secrets(secrets)
        redis = RedisServer(tmp_path_factory.mktemp("redis"), free_port(), read_secret(secrets, "redis_password"))
        with postgres(Path(folder) / "postgres", free_port(), read_secret(secrets, "postgres_password")) as uri:
            settings = trino.model_copy(
                update={
                    "superset_port": free_port(),
                    "secrets_dir": secrets,
                    "superset_database_uri": SecretStr(uri),
                    "redis_url": SecretStr(redis.url),
                }
            )
            try:
                redis.start()
                start_superset(settings, Console())
                yield SupersetServer(settings, redis)
            finally:
                superset_process(settings).stop()
                redis.stop()


def settings_in(folder: Path, downloads: Path) -> Settings:
    """Settings of a stack and a lake below a folder."""
    stack_dir = folder / "stack"
    stack_dir.mkdir()
    for path in downloads.glob("trino-*-*"):
        (stack_dir / path.name).symlink_to(path)
    return Settings(
        lake_uri=f"file:{folder}/Läke of mine", stack_dir=stack_dir, trino_port=free_port(), trino_memory="1g",
        _env_file=None,
    )  # fmt: skip
