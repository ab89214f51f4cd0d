"""Superset as users meet it: real Postgres, Redis, Trino and gunicorn."""

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from lakehouse.stack.superset_refresh import Refreshed, refresh
from tests.stack.own_charts import OwnChart, make_chart
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import charts

DASHBOARDS = {
    "Daily Overview", "Mood Analysis", "Recommendations", "Deep Insights", "Model Performance", "Data Health",
}  # fmt: skip


@pytest.fixture(scope="module")
def admin(superset: SupersetServer) -> Api:
    """The API for `admin`."""
    return superset.login()


@pytest.fixture(scope="module")
def own(admin: Api) -> OwnChart:
    """A user's own chart and dashboard on one of our datasets."""
    return make_chart(admin, "My plays", "Mine")


@dataclass(frozen=True)
class Refresh:
    """A refresh, after much that was cached had expired.

    Attributes:
        done: what it did.
        keys: how many answers it left in Redis.
        seen_before: when the user's chart had been computed that was shown before.
        seen_after: what the user's chart shows afterwards.
        filtered: whether that chart's rows as somebody had filtered them before still come from the cache.
    """

    done: Refreshed
    keys: int
    seen_before: str
    seen_after: dict[str, Any]
    filtered: list[bool]


@pytest.fixture(scope="module")
def refreshed(superset: SupersetServer, admin: Api, own: OwnChart) -> Refresh:
    for number in range(5):
        is_cached(admin, own, filtered_by=number)
    superset.redis.expire("superset_data_*")
    seen_before = [result(admin, own.chart_id)["cached_dttm"] for _ in range(2)][-1]
    assert [is_cached(admin, own, filtered_by=3) for _ in range(2)] == [False, True]
    for number in range(10):
        is_cached(admin, own, filtered_by=number)
    time.sleep(1.1)  # Superset tells whole seconds
    done = refresh(superset.settings)
    assert done
    keys = len(superset.redis.keys("superset_data_*"))
    seen_after = result(admin, own.chart_id)
    assert len(superset.redis.keys("superset_data_*")) == keys
    filtered = [is_cached(admin, own, filtered_by=number) for number in range(10)]
    return Refresh(done, keys, seen_before, seen_after, filtered)


def result(api: Api, chart_id: int) -> dict[str, Any]:
    """What a chart gets when somebody looks at it."""
    answer = api.get(f"/api/v1/chart/{chart_id}/data/")
    assert answer.status_code == requests.codes.ok, answer.text
    [found] = answer.json()["result"]
    return dict(found)


def test_the_six_dashboards_are_there(admin: Api) -> None:
    assert {board["dashboard_title"] for board in admin.rows("/api/v1/dashboard/")} >= DASHBOARDS


def test_what_a_refresh_computed_is_served_from_redis(refreshed: Refresh) -> None:
    assert refreshed.keys > len(charts())
    assert refreshed.seen_after["is_cached"]


def test_a_refresh_computes_charts_from_the_lake_anew(refreshed: Refresh) -> None:
    assert refreshed.done.charts > len(charts())
    assert "My plays" not in refreshed.done.failed
    assert refreshed.seen_after["cached_dttm"] > refreshed.seen_before


def test_what_is_not_on_a_dashboard_is_forgotten_too_though_other_keys_have_expired(refreshed: Refresh) -> None:
    assert refreshed.filtered == [False] * 10


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
