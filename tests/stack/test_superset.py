"""Superset as users meet it: real Postgres, Redis, Trino and gunicorn."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from lakehouse.stack.superset_refresh import refresh
from lakehouse.stack.superset_server import bootstrap
from tests.stack.services import Api, SupersetServer

DASHBOARDS = {
    "Daily Overview", "Mood Analysis", "Recommendations", "Deep Insights", "Model Performance", "Data Health",
}  # fmt: skip
KINDS = ("dashboard", "chart", "dataset", "database")


@dataclass(frozen=True)
class OwnChart:
    """A chart on a dashboard, as a user makes them."""

    chart_id: int
    dashboard_id: int


@pytest.fixture(scope="module")
def admin(superset: SupersetServer) -> Api:
    """The API for `admin`."""
    return superset.login()


@pytest.fixture(scope="module")
def own(admin: Api) -> OwnChart:
    """A user's own chart and dashboard on one of our datasets."""
    [dataset] = [row for row in admin.rows("/api/v1/dataset/") if row["table_name"] == "temporal_trends"]
    board = admin.post("/api/v1/dashboard/", {"dashboard_title": "Mine", "published": True}).json()["id"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(total_plays)", "label": "plays"}
    source = {"id": dataset["id"], "type": "table"}
    context = {
        "datasource": source, "force": False, "result_format": "json", "result_type": "full",
        "queries": [{"columns": [], "metrics": [metric], "filters": [], "extras": {}, "row_limit": 10}],
    }  # fmt: skip
    params = {"viz_type": "big_number_total", "metric": metric, "datasource": f"{dataset['id']}__table"}
    chart = {
        "slice_name": "My plays", "viz_type": "big_number_total", "datasource_id": dataset["id"],
        "datasource_type": "table", "params": json.dumps(params), "query_context": json.dumps(context),
        "dashboards": [board],
    }  # fmt: skip
    return OwnChart(admin.post("/api/v1/chart/", chart).json()["id"], board)


def counts(api: Api) -> dict[str, int]:
    return {kind: api.get(f"/api/v1/{kind}/").json()["count"] for kind in KINDS}


def result(api: Api, chart_id: int) -> dict[str, Any]:
    """What a chart gets when somebody looks at it."""
    answer = api.get(f"/api/v1/chart/{chart_id}/data/")
    assert answer.status_code == requests.codes.ok, answer.text
    [found] = answer.json()["result"]
    return dict(found)


def test_the_six_dashboards_are_there(admin: Api) -> None:
    assert {board["dashboard_title"] for board in admin.rows("/api/v1/dashboard/")} >= DASHBOARDS


def test_a_second_bootstrap_changes_no_count_and_leaves_what_users_made(
    superset: SupersetServer, admin: Api, own: OwnChart
) -> None:
    before = counts(admin)
    ids = {row["id"] for row in admin.rows("/api/v1/chart/")}
    bootstrap(superset.settings)
    assert counts(admin) == before
    assert {row["id"] for row in admin.rows("/api/v1/chart/")} == ids
    mine = admin.get(f"/api/v1/chart/{own.chart_id}").json()["result"]
    assert (mine["slice_name"], [board["id"] for board in mine["dashboards"]]) == ("My plays", [own.dashboard_id])


def test_a_changed_asset_becomes_again_what_is_in_git(superset: SupersetServer, admin: Api) -> None:
    [board] = [row for row in admin.rows("/api/v1/dashboard/") if row["dashboard_title"] == "Daily Overview"]
    charts = admin.get(f"/api/v1/dashboard/{board['id']}/charts").json()["result"]
    changed = charts[0]["id"]
    assert admin.put(f"/api/v1/chart/{changed}", {"slice_name": "Spoilt"}).ok
    bootstrap(superset.settings)
    assert admin.get(f"/api/v1/chart/{changed}").json()["result"]["slice_name"] == charts[0]["slice_name"]


def test_the_second_look_is_served_from_redis(superset: SupersetServer, admin: Api, own: OwnChart) -> None:
    refresh(superset.settings)
    before = len(superset.redis.keys("superset_data_*"))
    assert before
    assert result(admin, own.chart_id)["is_cached"]
    assert len(superset.redis.keys("superset_data_*")) == before


def test_after_a_refresh_charts_are_computed_from_the_lake_anew(
    superset: SupersetServer, admin: Api, own: OwnChart
) -> None:
    first = result(admin, own.chart_id)["cached_dttm"] or result(admin, own.chart_id)["cached_dttm"]
    time.sleep(1.1)
    done = refresh(superset.settings)
    assert done is not None
    assert done.charts >= 1
    assert "My plays" not in done.failed
    again = result(admin, own.chart_id)
    assert again["is_cached"]
    assert again["cached_dttm"] > first


def test_what_is_not_on_a_dashboard_is_forgotten_too(superset: SupersetServer, admin: Api, own: OwnChart) -> None:
    asked = [is_cached(admin, own, filtered_by=3) for _ in range(2)]
    assert asked[-1]
    refresh(superset.settings)
    assert not is_cached(admin, own, filtered_by=3)


def test_what_has_expired_keeps_nothing_else_from_being_forgotten(
    superset: SupersetServer, admin: Api, own: OwnChart
) -> None:
    refresh(superset.settings)
    superset.redis.expire("superset_data_*")
    for number in range(10):
        is_cached(admin, own, filtered_by=number)
    refresh(superset.settings)
    assert [is_cached(admin, own, filtered_by=number) for number in range(10)] == [False] * 10


def is_cached(api: Api, own: OwnChart, filtered_by: int) -> bool:
    """Whether the rows came from the cache, of the chart as somebody filters it."""
    context = json.loads(api.get(f"/api/v1/chart/{own.chart_id}").json()["result"]["query_context"])
    context["queries"][0]["filters"] = [{"col": "total_plays", "op": ">", "val": filtered_by}]
    [found] = api.post("/api/v1/chart/data", context).json()["result"]
    return bool(found["is_cached"])


def test_without_superset_a_refresh_is_over_at_once(superset: SupersetServer) -> None:
    began = time.monotonic()
    assert refresh(superset.settings.model_copy(update={"superset_uri": "http://127.0.0.1:1"})) is None
    assert time.monotonic() - began < 2


def test_a_restarted_redis_is_used_again(superset: SupersetServer, own: OwnChart) -> None:
    superset.redis.stop()
    superset.redis.start()
    api = superset.login()
    result(api, own.chart_id)
    assert result(api, own.chart_id)["is_cached"]
    assert superset.redis.keys("superset_data_*")
