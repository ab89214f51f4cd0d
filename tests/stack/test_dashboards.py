"""The six dashboards on demo data, against real Trino: drawn by a real browser from what the API computed."""

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
from tests.stack.chart_data import Results, computed, forget_cached, numbers_of
from tests.stack.conftest import Query, run_query
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import Chart, charts, dashboards, label_of
from tests.superset.own_sql import own_sql

SCREENSHOTS = Path("data/screenshots")
HOME = "daily-overview"
# The last one stays open.
SLUGS = [*sorted(set(dashboards()) - {HOME}), HOME]
every_dashboard = pytest.mark.parametrize("slug", SLUGS)
every_chart = pytest.mark.parametrize("chart", charts().values(), ids=str)


@pytest.fixture(scope="module")
def api(superset: SupersetServer) -> Api:
    """Superset's API for the administrator."""
    return superset.login()


@pytest.fixture(scope="module")
def numbers(api: Api) -> dict[str, int]:
    """The number that Superset gave each chart, by uuid."""
    return numbers_of(api)


@pytest.fixture(scope="module")
def datasets(api: Api) -> dict[str, int]:
    """The number that Superset gave each dataset, by uuid."""
    return {dataset["uuid"]: dataset["id"] for dataset in api.rows("/api/v1/dataset/")}


@pytest.fixture(scope="module")
def results(api: Api) -> dict[str, Results]:
    """The results of every chart, computed once, by uuid."""
    return computed(api)


@pytest.fixture(scope="module")
def chromium(superset: SupersetServer) -> Iterator[Browser]:
    """A browser logged in as administrator."""
    with browser(superset.address, "admin", superset.admin_password) as started:
        yield started


@pytest.fixture(scope="module")
def opened(chromium: Browser, results: dict[str, Results]) -> dict[str, Opened]:
    """Every dashboard as it opened after its charts were computed, each kept as a picture."""
    found = {}
    for slug in SLUGS:
        found[slug] = chromium.open(slug)
        chromium.screenshot(SCREENSHOTS / f"{slug}.png")
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


@every_dashboard
def test_a_dashboard_whose_charts_were_computed_opens_from_the_cache(
    opened: dict[str, Opened], results: dict[str, Results], numbers: dict[str, int], slug: str
) -> None:
    of_dashboard = {numbers[chart.uuid]: results[chart.uuid] for chart in dashboards()[slug].charts}
    assert not any(result["is_cached"] for fresh in of_dashboard.values() for result in fresh)
    assert opened[slug].cached == dict.fromkeys(of_dashboard, True)
    fresh_rows = {number: [result["rowcount"] for result in fresh] for number, fresh in of_dashboard.items()}
    assert opened[slug].rows == fresh_rows


@every_chart
def test_numbers_of_a_chart_equal_own_sql_through_trino(
    api: Api, datasets: dict[str, int], query: Query, chart: Chart
) -> None:
    given = rows_of(api, datasets[chart.dataset.uuid], chart)
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
    chromium: Browser, opened: dict[str, Opened], numbers: dict[str, int], query: Query
) -> None:
    if not chromium.shows(HOME):
        chromium.open(HOME)
    chosen = chromium.choose("Part of day", "evening")
    [[plays]] = query("SELECT count(*) FROM delta.default.listening_with_features WHERE part_of_day = 'evening'")
    assert f"{plays:,}" in chosen.chart("Plays").text
    assert f"{plays:,}" not in opened[HOME].chart("Plays").text
    part_of_day = next(each for each in dashboards()[HOME].filters if each["name"] == "Part of day")
    assert set(chosen.asked) == {numbers[chart.uuid] for chart in dashboards()[HOME].in_scope(part_of_day)}


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


def rows_of(api: Api, dataset: int, chart: Chart) -> list[tuple[Any, ...]]:
    """The rows of the chart's first query before they are arranged for drawing: dimensions, then its first metric."""
    asked = query_contexts.kept()[chart.uuid]["queries"][0] | {"post_processing": []}
    body = {
        "datasource": {"id": dataset, "type": "table"}, "queries": [asked],
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
