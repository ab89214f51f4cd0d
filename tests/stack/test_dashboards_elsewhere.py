"""What charts get on a lake without rows and on a real listener's, by the API: a browser would show the same."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from lakehouse.stack import trino_registration
from lakehouse.stack.trino_registration import register
from pipeline.registry import all_tables
from tests.stack.chart_data import Results, computed, forget_cached
from tests.stack.conftest import run_query
from tests.stack.services import SupersetServer
from tests.superset.bundle import charts
from tests.superset.own_sql import own_sql

ELSEWHERE = "elsewhere"


@contextmanager
def showing(superset: SupersetServer, lake: Path) -> Iterator[None]:
    """Another lake's tables in the place of the demo lake's: its copy lies in a folder that Trino serves."""
    trino = superset.settings
    folder = trino.lake_path / ELSEWHERE
    shutil.copytree(lake, folder)
    other = trino.model_copy(update={"lake_uri": f"file:{folder}"})
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trino_registration, "FOLDER", f"{trino_registration.FOLDER}/{ELSEWHERE}")
            register_instead(trino, other)
        yield
    finally:
        shutil.rmtree(folder)
        register_instead(trino, trino)
        forget_cached(superset.login())


def register_instead(trino: Settings, lake: Settings) -> None:
    """Let Trino forget its tables, and then know a lake's."""
    shutil.rmtree(trino.lake_path / "metastore")
    assert register(lake, all_tables().values()).broken == {}


def require_data_where_the_lake_has_some(results: dict[str, Results], trino: Settings) -> None:
    """A chart without rows must have none by our own SQL, either."""
    for uuid, chart in charts().items():
        if not any(result["rowcount"] for result in results[uuid]):
            assert run_query(trino, own_sql(chart)) == [], chart


def result_of(results: dict[str, Results], chart: str) -> str:
    """What a chart got, by the name of its file."""
    [uuid] = [uuid for uuid, each in charts().items() if str(each) == chart]
    return str([result["data"] for result in results[uuid]])


def test_without_any_rows_no_chart_fails_and_it_is_said_how_to_bring_data(
    superset: SupersetServer, spark: SparkSession, tmp_path: Path
) -> None:
    lake = Lake(f"file:{tmp_path}", spark)
    for table in all_tables().values():
        lake.create(table)
    with showing(superset, tmp_path):
        results = computed(superset.login())
        require_data_where_the_lake_has_some(results, superset.settings)
    assert "'count': 0" in result_of(results, "daily_overview/plays")
    said = result_of(results, "shared/what_charts_rest_on")
    assert "Put Spotify's zip into data/import" in said
    assert "lakehouse catalogue" in said


@pytest.mark.real_data
def test_on_real_data_every_chart_has_data_unless_the_lake_has_none(
    superset: SupersetServer, real_lake: Settings
) -> None:
    state = DeltaLogs(real_lake.lake_uri).state(all_tables()["listening_with_features"])
    assert state
    with showing(superset, real_lake.lake_path):
        results = computed(superset.login())
        require_data_where_the_lake_has_some(results, superset.settings)
    assert f"'count': {state.provenance.rows}" in result_of(results, "daily_overview/plays")
