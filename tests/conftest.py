"""One Spark session per process of tests, and lakes built once from demo and real data."""

import os
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
from pipeline.runner import run
from tests.support.frames import Tables
from tests.support.readme import ReadmeRun, run_readme
from tests.support.spotify_server import SpotifyServer, log_in, spotify_server

REAL_DATA_DIR = Path(os.environ.get("REAL_DATA_DIR", "../shared/data"))
TESTS = Path(__file__).parent
HISTORY_ZIP = "spotify_extended_streaming_history.zip"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long-sample", type=int, metavar="N", help="run N of the long tests that can be shortened")
    parser.addoption("--seed", type=int, default=1, help="of the sample and of what long tests do at random")


class _ByFolder(LoadScopeScheduling):  # type: ignore[misc]
    """Tests of a folder stay in one process: they share servers and a Spark session."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("/")[1]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """How `--numprocesses` distributes tests."""
    return _ByFolder(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep a sample of the long tests, if that is asked for."""
    count = config.getoption("--long-sample")
    if count is None:
        return
    able = [
        item for item in items if item.get_closest_marker("long") and "sampled" in getattr(item, "fixturenames", ())
    ]
    chosen = Random(config.getoption("--seed")).sample(able, min(count, len(able)))
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


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
    """A session as runs have it, with fewer threads."""
    session = build_session(Settings(spark_master="local[2]", _env_file=None), app_name="tests")
    yield session
    session.stop()


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
    """A lake with everything built from the real listener's export and the real catalogue."""
    folder = shared / "real"
    settings = Settings(
        lake_uri=f"file:{folder}/lake",
        kaggle_csv=real_data_dir / "kaggle_tracks_dataset.csv.gz",
        import_dir=folder / "import",
        listener_time_zone="America/New_York",
        _env_file=None,
    )
    with made_once(folder) as missing:
        if missing:
            settings.import_dir.mkdir(parents=True)
            (settings.import_dir / HISTORY_ZIP).symlink_to(real_data_dir / HISTORY_ZIP)
            assert not run(settings).errors
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
