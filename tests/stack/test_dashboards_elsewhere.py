"""The dashboards on an empty lake and on a real listener's: another Trino behind the same Superset."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.console import Console

from lakehouse.settings import Settings
from lakehouse.stack.local_stack import stack_down, stack_up
from pipeline.registry import all_tables
from pipeline.runs.run import run
from tests.stack.browser import Browser, browser
from tests.stack.conftest import run_query, settings_in
from tests.stack.services import SupersetServer
from tests.stack.test_dashboards import SCREENSHOTS, SLUGS, forget_cached
from tests.superset.bundle import dashboards
from tests.superset.own_sql import own_sql


@pytest.fixture(scope="module")
def chromium(superset: SupersetServer) -> Iterator[Browser]:
    """A browser logged in as administrator."""
    with browser(superset.address, "admin", superset.admin_password) as started:
        yield started


@contextmanager
def showing(superset: SupersetServer, lake: Settings, folder: Path, downloads: Path) -> Iterator[Settings]:
    """Superset over another lake's Trino; gives that Trino."""
    trino = settings_in(folder, downloads)
    shutil.copytree(lake.lake_path, trino.lake_path)
    stack_up(trino, all_tables().values(), Console(), superset=False)
    api = superset.login()
    [database] = api.rows("/api/v1/database/")
    try:
        for port in (trino.trino_port, superset.settings.trino_port):
            address = f"trino://superset@127.0.0.1:{port}/delta/default"
            answer = api.put(f"/api/v1/database/{database['id']}", {"sqlalchemy_uri": address})
            assert answer.ok, answer.text
            forget_cached(api)
            if port == trino.trino_port:
                yield trino
    finally:
        stack_down(trino, Console())


def test_an_empty_lake_says_how_to_bring_data_and_shows_no_error(
    superset: SupersetServer, chromium: Browser, tmp_path: Path, downloads: Path
) -> None:
    (tmp_path / "import").mkdir()
    lake = Settings(
        lake_uri=f"file:{tmp_path}/lake",
        import_dir=tmp_path / "import",
        kaggle_csv=tmp_path / "none.csv",
        _env_file=None,
    )
    run(lake)
    with showing(superset, lake, tmp_path, downloads):
        for slug in SLUGS:
            shown = chromium.open(slug)
            chromium.screenshot(SCREENSHOTS / "empty" / f"{slug}.png")
            assert [(chart.name, chart.error) for chart in shown.charts if chart.error] == []
            told = shown.chart("What these charts rest on · all time").text
            assert "Put Spotify's zip into data/import" in told
            assert "lakehouse catalogue" in told


@pytest.mark.real_data
def test_on_real_data_every_chart_shows_data_or_says_that_there_is_none(
    superset: SupersetServer, chromium: Browser, real_lake: Settings, tmp_path: Path, downloads: Path
) -> None:
    with showing(superset, real_lake, tmp_path, downloads) as trino:
        for slug in SLUGS:
            shown = chromium.open(slug)
            chromium.screenshot(SCREENSHOTS / "real" / f"{slug}.png")
            assert [(chart.name, chart.error) for chart in shown.charts if chart.error] == []
            for chart in dashboards()[slug].charts:
                if shown.chart(chart.title).is_empty:
                    assert run_query(trino, own_sql(chart)) == [], chart
