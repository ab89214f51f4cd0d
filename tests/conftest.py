"""One Spark session per process of tests, and lakes built once from demo and real data."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from filelock import FileLock
from pyspark.sql import DataFrame, SparkSession
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from lakehouse.spark.session import build_session
from pipeline.registry import pipeline_tables
from pipeline.runs.run import run
from tests.support.frames import Tables
from tests.support.readme import ReadmeRun, run_readme
from tests.support.spotify_server import SpotifyServer, log_in, spotify_server

REAL_DATA_DIR = Path(os.environ.get("REAL_DATA_DIR", "../shared/data"))
# Kept for the next run of the tests, whose run of the pipeline rebuilds what is out of date.
KEPT_REAL_LAKE = Path("data/test-lake")
HISTORY_ZIP = "spotify_extended_streaming_history.zip"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long-sample", type=int, metavar="N", help="run N of the long tests that can be shortened")
    parser.addoption("--seed", type=int, default=1, help="of the sample and of what long tests do at random")


# Folders whose tests share servers; of the other folders each is a scope.
WHOLE = ("tests/stack", "tests/cluster")
# The first two fill the lakes that other scopes read; then comes what takes longest.
FIRST = ("tests/pipeline", "tests/gold/learning", "tests/stack", "tests/cluster")
# Fixtures that fill a lake.
LAKES = ("readme_run", "real_lake")


class _ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a folder run in one process, in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return _scope_of(nodeid)


def _scope_of(nodeid: str) -> str:
    folder = nodeid.partition("::")[0].rpartition("/")[0]
    return next((whole for whole in WHOLE if f"{folder}/".startswith(f"{whole}/")), folder)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How `--numprocesses` distributes tests."""
    return _ByFolder(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need, put them in order, and keep a sample of the long ones if that is asked for."""
    for item in items:
        if _scope_of(item.nodeid) in WHOLE:
            item.add_marker("stack")
        if "real_data_dir" in _fixtures_of(item):
            item.add_marker("real_data")
        if not set(LAKES).isdisjoint(_fixtures_of(item)):
            item.add_marker("whole_lake")
    items[:] = _in_turn(items)
    count = config.getoption("--long-sample")
    if count is None:
        return
    able = [item for item in items if item.get_closest_marker("long") and "sampled" in _fixtures_of(item)]
    chosen = Random(config.getoption("--seed")).sample(able, min(count, len(able)))
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def _in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """The items of FIRST, those before all that fill a lake; then scopes that can do without the demo lake."""
    waiting = {_scope_of(item.nodeid) for item in items if "readme_run" in _fixtures_of(item)}

    def turn(item: pytest.Item) -> tuple[int, bool]:
        scope = _scope_of(item.nodeid)
        if scope in FIRST:
            return FIRST.index(scope), set(LAKES).isdisjoint(_fixtures_of(item))
        return len(FIRST), scope in waiting

    return sorted(items, key=turn)


def _fixtures_of(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


@pytest.fixture(scope="session")
def sampled(pytestconfig: pytest.Config) -> bool:
    """Whether long tests are to be shortened."""
    return pytestconfig.getoption("--long-sample") is not None


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """What long tests do at random follows from it."""
    return int(pytestconfig.getoption("--seed"))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A session as runs have it, with fewer threads; it interprets queries, as compiling them takes longer on few rows.

    The README's commands and the real lake are built by compiled queries.
    """
    session = build_session(Settings(spark_master="local[2]", _env_file=None), app_name="tests")
    _compile_queries(session, False)
    yield session
    session.stop()


def _compile_queries(session: SparkSession, compiled: bool) -> None:
    session.conf.set("spark.sql.codegen.wholeStage", compiled)
    session.conf.set("spark.sql.codegen.factoryMode", "FALLBACK" if compiled else "NO_CODEGEN")


@pytest.fixture(scope="session")
def real_data_dir() -> Path:
    """The folder of real data; tests that ask for it are marked `real_data`."""
    if not REAL_DATA_DIR.is_dir():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no real data at {REAL_DATA_DIR}")
    return REAL_DATA_DIR.resolve()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A folder that all processes of one test run share."""
    base = tmp_path_factory.getbasetemp()
    return base if worker_id == "master" else base.parent


@contextmanager
def made_once(folder: Path) -> Iterator[bool]:
    """Whether the folder is still to be filled, by whichever process comes first; the others wait."""
    with FileLock(f"{folder}.lock"):
        done = folder.with_suffix(".done")
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def real_lake(real_data_dir: Path, spark: SparkSession, shared: Path) -> Settings:
    """A lake with everything built from the real listener's export and the real catalogue; in CI a fresh one."""
    folder = shared / "real" if os.environ.get("CI") else KEPT_REAL_LAKE.resolve()
    settings = Settings(
        lake_uri=f"file:{folder}/lake",
        kaggle_csv=real_data_dir / "kaggle_tracks_dataset.csv.gz",
        import_dir=folder / "import",
        listener_time_zone="America/New_York",
        _env_file=None,
    )
    with made_once(shared / "real") as missing:
        if missing:
            settings.import_dir.mkdir(parents=True, exist_ok=True)
            # A copy of the same time counts as imported; a link would be refused.
            (settings.import_dir / HISTORY_ZIP).unlink(missing_ok=True)
            shutil.copy2(real_data_dir / HISTORY_ZIP, settings.import_dir)
            _compile_queries(spark, True)
            assert not run(settings).errors
            _compile_queries(spark, False)
    return settings


@pytest.fixture(scope="session")
def real_table(real_lake: Settings, spark: SparkSession) -> Tables:
    """Reads a table of the real listener's lake, by its name."""
    return _reader(real_lake, spark)


@pytest.fixture(scope="session")
def real_silver_spark(real_table: Tables) -> DataFrame:
    """`listening_with_features` of the real listener."""
    return real_table("listening_with_features").cache()


@pytest.fixture(scope="session")
def real_silver(real_silver_spark: DataFrame) -> pd.DataFrame:
    """`listening_with_features` of the real listener, for independent computations."""
    return real_silver_spark.toPandas()


@pytest.fixture(scope="session")
def real_catalogue_tracks(real_table: Tables) -> DataFrame:
    """`catalogue_tracks` of the real catalogue."""
    return real_table("catalogue_tracks").cache()


@pytest.fixture(scope="session")
def readme_run(shared: Path) -> ReadmeRun:
    """What the README's commands answered on the demo data, and the folder that they filled."""
    folder = shared / "readme"
    with made_once(folder) as missing:
        if missing:
            folder.mkdir()
            run_readme(folder)
    return ReadmeRun(folder)


@pytest.fixture(scope="session")
def demo_lake(readme_run: ReadmeRun) -> Settings:
    """A lake with everything built from the demo data."""
    readme_run.require_success()
    folder = readme_run.folder
    return Settings(
        lake_uri=f"file:{folder}/data/lake", import_dir=folder / "data/import", kaggle_csv=folder / "none.csv",
        _env_file=None,
    )  # fmt: skip


@pytest.fixture(scope="session")
def demo_table(demo_lake: Settings, spark: SparkSession) -> Tables:
    """Reads a table of the demo lake, by its name."""
    return _reader(demo_lake, spark)


def _reader(settings: Settings, spark: SparkSession) -> Tables:
    lake = Lake(settings.lake_uri, spark)
    return lambda name: lake.read(pipeline_tables()[name])


@pytest.fixture
def spotify() -> Iterator[SpotifyServer]:
    """A local server in the place of Spotify's and ReccoBeats'."""
    with spotify_server() as server:
        yield server


@pytest.fixture
def web_settings(spotify: SpotifyServer, tmp_path: Path) -> Settings:
    """Settings that name the local server, an empty lake and nobody's login."""
    named: dict[str, Any] = {name.lower(): value for name, value in spotify.settings().items()}
    return Settings(
        lake_uri=f"file:{tmp_path}/lake", kaggle_csv=tmp_path / "none.csv", import_dir=tmp_path / "import",
        spotify_token_file=tmp_path / "private" / "token.json", _env_file=None, **named,
    )  # fmt: skip


@pytest.fixture
def logged_in(web_settings: Settings, spotify: SpotifyServer) -> Settings:
    """The same with a login."""
    log_in(web_settings, spotify)
    return web_settings
