"""The six dashboards on demo data, in a real browser and through the API, against real Trino."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lakehouse.stack.trino_registration import USER
from tests.stack import query_contexts
from tests.stack.browser import Browser, Opened, browser
from tests.stack.conftest import Query, run_query
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import Chart, charts, dashboards, label_of
from tests.superset.own_sql import own_sql

SCREENSHOTS = Path("data/screenshots")
SLUGS = sorted(dashboards())
every_dashboard = pytest.mark.parametrize("slug", SLUGS)
every_chart = pytest.mark.parametrize("chart", charts().values(), ids=str)


@pytest.fixture(scope="module")
def api(superset: SupersetServer) -> Api:
    """Superset's API for the administrator."""
    return superset.login()


@pytest.fixture(scope="module")
def numbers(api: Api) -> dict[str, int]:
    """The number that Superset gave each chart, by uuid."""
    return {chart["uuid"]: chart["id"] for chart in api.rows("/api/v1/chart/")}


@pytest.fixture(scope="module")
def chromium(superset: SupersetServer) -> Iterator[Browser]:
    """A browser logged in as administrator."""
    with browser(superset.address, "admin", superset.admin_password) as started:
        yield started


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> dict[str, Opened]:
    """Every dashboard as it opened, each kept as a picture."""
    found = {}
    for slug in SLUGS:
        found[slug] = chromium.open(slug)
        chromium.screenshot(SCREENSHOTS / "demo" / f"{slug}.png")
        assert chromium.problems == []
    return found


@every_dashboard
def test_every_chart_shows_data_or_says_that_there_is_none(opened: dict[str, Opened], slug: str, query: Query) -> None:
    assert {chart.name for chart in opened[slug].charts} == {chart.title for chart in dashboards()[slug].charts}
    assert [(chart.name, chart.error) for chart in opened[slug].charts if chart.error] == []
    for chart in dashboards()[slug].charts:
        if opened[slug].chart(chart.title).is_empty:
            assert query(own_sql(chart)) == [], chart


def test_kept_queries_are_what_the_browser_asks(opened: dict[str, Opened], numbers: dict[str, int]) -> None:
    asked = {number: body["queries"] for shown in opened.values() for number, body in shown.asked.items()}
    if os.environ.get("UPDATE_QUERY_CONTEXTS"):
        query_contexts.keep({chart: asked[numbers[uuid]] for uuid, chart in charts().items()})
    for uuid, chart in charts().items():
        assert query_contexts.kept()[uuid]["queries"] == asked[numbers[uuid]], f"{chart}: run `make query-contexts`"


@every_chart
def test_a_charts_query_succeeds_and_the_second_time_comes_from_the_cache(
    api: Api, numbers: dict[str, int], chart: Chart
) -> None:
    fresh, again = (data_of(api, numbers[chart.uuid], force) for force in (True, False))
    assert not any(result["is_cached"] for result in fresh)
    assert all(result["is_cached"] for result in again)
    assert [result["rowcount"] for result in fresh] == [result["rowcount"] for result in again]


def test_a_dashboard_whose_charts_were_warmed_opens_from_the_cache(
    api: Api, numbers: dict[str, int], chromium: Browser
) -> None:
    for chart in dashboards()["daily-overview"].charts:
        data_of(api, numbers[chart.uuid], force=True)
    cached = chromium.open("daily-overview").cached
    assert cached == {numbers[chart.uuid]: True for chart in dashboards()["daily-overview"].charts}


@every_chart
def test_numbers_of_a_chart_equal_own_sql_through_trino(api: Api, query: Query, chart: Chart) -> None:
    given = rows_of(api, chart)
    own = [tuple(normal(value) for value in row) for row in query(own_sql(chart))]
    limit = chart.params.get("row_limit", len(own))
    assert len(given) == min(len(own), limit)
    if not chart.metrics:
        assert not set(given) - set(own)
        return
    by_dimensions = {row[:-1]: row[-1] for row in own}
    for *dimensions, metric in given:
        expected = by_dimensions[tuple(dimensions)]
        assert metric == (pytest.approx(expected, rel=1e-6) if isinstance(expected, float) else expected), dimensions


def test_a_filter_changes_the_numbers_of_its_charts_and_only_those(
    chromium: Browser, numbers: dict[str, int], query: Query
) -> None:
    everything = chromium.open("daily-overview").chart("Plays").text
    chosen = chromium.choose("Part of day", "evening")
    [[plays]] = query("SELECT count(*) FROM delta.default.listening_with_features WHERE part_of_day = 'evening'")
    assert f"{plays:,}" in chosen.chart("Plays").text
    assert f"{plays:,}" not in everything
    part_of_day = next(each for each in dashboards()["daily-overview"].filters if each["name"] == "Part of day")
    assert set(chosen.asked) == {numbers[chart.uuid] for chart in dashboards()["daily-overview"].in_scope(part_of_day)}


def test_a_table_that_vanished_is_named_by_its_charts_and_the_dashboard_stays_usable(
    superset: SupersetServer, api: Api, chromium: Browser
) -> None:
    table = "default.top_tracks_by_mood"
    trino = superset.settings
    [[statement]] = run_query(trino, f"SHOW CREATE TABLE delta.{table}", USER)
    location = statement.split("location = '")[1].split("'")[0]
    run_query(trino, "CALL delta.system.unregister_table('default', 'top_tracks_by_mood')", USER)
    try:
        forget_cached(api)
        shown = chromium.open("mood-analysis").charts
    finally:
        run_query(trino, f"CALL delta.system.register_table('default', 'top_tracks_by_mood', '{location}')", USER)
    [broken] = [chart for chart in shown if chart.error]
    assert broken.name.startswith("Top tracks of each mood")
    assert "top_tracks_by_mood' does not exist" in broken.error


def data_of(api: Api, number: int, force: bool) -> list[dict[str, Any]]:
    """The results of a chart's own queries."""
    answer = api.get(f"/api/v1/chart/{number}/data/?force={str(force).lower()}")
    assert answer.status_code == 200, answer.text[:500]
    return list(answer.json()["result"])


def rows_of(api: Api, chart: Chart) -> list[tuple[Any, ...]]:
    """The rows of the chart's first query before they are arranged for drawing: dimensions, then its first metric."""
    asked = query_contexts.kept()[chart.uuid]["queries"][0] | {"post_processing": []}
    dataset = next(found for found in api.rows("/api/v1/dataset/") if found["uuid"] == chart.dataset.uuid)
    body = {
        "datasource": {"id": dataset["id"], "type": "table"}, "queries": [asked],
        "result_format": "json", "result_type": "full",
    }  # fmt: skip
    answer = api.post("/api/v1/chart/data", body)
    assert answer.status_code == 200, answer.text[:500]
    labels = [label_of(value) for value in (*chart.dimensions, *chart.metrics[:1])]
    return [tuple(normal(row[label]) for label in labels) for row in answer.json()["result"][0]["data"]]


def normal(value: Any) -> Any:
    """A value as both sides give it: times as milliseconds, numbers as rounded floats."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).timestamp() * 1000
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC).timestamp() * 1000
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return value
    return round(float(value), 9)


def forget_cached(api: Api) -> None:
    """Make Superset ask Trino anew for everything."""
    numbers = [f"{dataset['id']}__table" for dataset in api.rows("/api/v1/dataset/")]
    answer = api.post("/api/v1/cachekey/invalidate", {"datasource_uids": numbers})
    assert answer.status_code == 201, json.dumps(answer.json())
