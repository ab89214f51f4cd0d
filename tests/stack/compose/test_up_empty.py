"""`docker compose up` with nothing to import: an empty stack says how to bring data, and takes what is dropped."""

import gzip
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.demo.data import write_demo_data
from tests.conftest import HISTORY_ZIP
from tests.stack.compose.stack import UP_SECONDS, Stack
from tests.superset.bundle import charts
from tests.superset.own_sql import own_sql
from tests.support.ports import free_port

pytestmark = pytest.mark.compose
RUN_SECONDS = 900
PLAYS = "SELECT count(*) FROM listening_with_features"


@pytest.fixture(scope="module")
def empty(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second project that came up without demo data, and looks for news every minute.

    Without Superset: the first project's imports its dashboards while the lake is as empty as here.
    """
    folder = tmp_path_factory.mktemp("empty")
    made = stack.copy(folder, "lakehouse-empty", DEMO="", POLL_INTERVAL_MINUTES="1", TRINO_PORT=str(free_port()))
    try:
        made("up", "--detach", "--wait", "spotify-scheduler", timeout=UP_SECONDS)
        yield made
    finally:
        made.run("down", "--volumes", "--remove-orphans")


def test_an_empty_lake_is_served_and_says_how_to_import(empty: Stack) -> None:
    assert empty.sql(PLAYS) == "0"
    [rests_on] = [chart for chart in charts().values() if str(chart) == "shared/what_charts_rest_on"]
    assert "Put Spotify's zip into data/import" in empty.sql(own_sql(rests_on))


def test_a_file_that_is_dropped_is_taken_by_the_next_run(empty: Stack) -> None:
    data = empty.folder / "data"
    shutil.copy(write_demo_data(data / "elsewhere").history, data / "import" / "my_spotify_data.zip")
    done = '"command": "run --trigger schedule", "exit_code": 0'
    empty.wait_for(lambda: done in empty.log("spotify-scheduler"), "spotify-scheduler")
    assert empty.sql(PLAYS) == "1504"


@pytest.mark.real_data
def test_a_first_run_on_real_data_trains_its_models_within_the_memory(empty: Stack, real_data_dir: Path) -> None:
    data = empty.folder / "data"
    with gzip.open(real_data_dir / "kaggle_tracks_dataset.csv.gz") as catalogue:
        (data / "kaggle" / "dataset.csv").write_bytes(catalogue.read())
    shutil.copy(real_data_dir / HISTORY_ZIP, data / "import")
    empty.wait_for(lambda: empty.sql(PLAYS) == "13596", "spotify-scheduler", RUN_SECONDS)
    ended = '"command": "run --trigger schedule", "exit_code": '
    before = empty.log("spotify-scheduler").count(ended)
    empty.wait_for(lambda: empty.log("spotify-scheduler").count(ended) > before, "spotify-scheduler", RUN_SECONDS)
    exit_codes = re.findall(rf"{ended}(-?\d+)", empty.log("spotify-scheduler"))
    assert set(exit_codes) == {"0"}


def test_a_folder_that_cannot_be_read_shows_in_the_health(empty: Stack) -> None:
    folder = empty.folder / "data" / "import"
    folder.chmod(0o700)
    empty.wait_until("spotify-scheduler", "unhealthy")
    told = empty.container("spotify-scheduler")["State"]["Health"]["Log"][-1]["Output"]
    assert "/import cannot be read (Permission denied): let user id 1000 read it" in told
    assert told.count("\n") == 1
    folder.chmod(0o755)
    empty.wait_until("spotify-scheduler", "healthy")
