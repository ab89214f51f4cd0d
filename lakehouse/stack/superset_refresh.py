"""Refreshes Superset after a run: invalidates its cache, then computes the dashboards' charts into it."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack.asset_form import LISTENER_FILTER
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_api import SupersetApi, is_there

# Superset's user for this, who has no other rights.
USER = "pipeline"
# Superset is one process: more requests at once would only wait there.
PARALLEL_CHARTS = 4
# So that a slow Superset does not hold up a run: charts that are left are computed when somebody opens them.
WARM_SECONDS = 120


@dataclass(frozen=True)
class Refreshed:
    """The outcome of a refresh.

    Attributes:
        charts: number of charts that were computed.
        failed: the reason by name of each chart whose query failed.
        seconds: how long it took.
    """

    charts: int
    failed: dict[str, str]
    seconds: float

    @property
    def summary(self) -> str:
        """The count in one line, and a line per distinct failure."""
        lines = [f"Superset: {self.charts} charts show the new data, after {self.seconds:.0f} s."]
        for reason in dict.fromkeys(self.failed.values()):
            names = [name for name, why in self.failed.items() if why == reason]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"Superset cannot compute chart {names[0]}{more}: {reason}")
        return "\n".join(lines)


def refresh(settings: Settings, on_chart: Callable[[int, int], None] = lambda done, total: None) -> Refreshed | None:
    """Make Superset show the current lake.

    Args:
        settings: where Superset is, and the secret of its user `pipeline`.
        on_chart: called with the number of charts done and in all.

    Returns:
        The outcome; None where no Superset answers.

    Raises:
        LakehouseError: Superset answers but refuses.
    """
    if not is_there(settings):
        return None
    began = time.monotonic()
    api = SupersetApi(settings, USER, read_secret(settings.secrets_dir, "superset_pipeline_password"))
    datasets = [f"{dataset['id']}__table" for dataset in api.rows("/api/v1/dataset/", "table_name", "id")]
    api.call("POST", "/api/v1/cachekey/invalidate", json={"datasource_uids": datasets})
    boards = [board["id"] for board in api.rows("/api/v1/dashboard/", "dashboard_title", "id")]
    filters = {board: _listener_filter(api, board) for board in boards}
    charts = [
        chart
        for chart in api.rows("/api/v1/chart/", "slice_name", "id", "slice_name", "dashboards.id")
        if chart["dashboards"]
    ]  # fmt: skip
    failed: dict[str, str] = {}
    computed: list[int] = []

    def compute(chart: dict[str, Any]) -> None:
        if time.monotonic() - began > WARM_SECONDS:
            return
        error = _warm_up(api, chart["id"], filters.get(chart["dashboards"][0]["id"]))
        if error:
            failed[str(chart["slice_name"])] = error
        else:
            computed.append(1)
        on_chart(len(computed) + len(failed), len(charts))

    with ThreadPoolExecutor(PARALLEL_CHARTS) as pool:
        list(pool.map(compute, charts))
    return Refreshed(len(computed), dict(sorted(failed.items())), time.monotonic() - began)


def _listener_filter(api: SupersetApi, board: int) -> dict[str, Any] | None:
    """A dashboard's filter by listener, None where it has none."""
    metadata = json.loads(api.call("GET", f"/api/v1/dashboard/{board}").json()["result"]["json_metadata"] or "{}")
    filters = metadata.get("native_filter_configuration") or []
    return next((each for each in filters if each["id"] == LISTENER_FILTER), None)


def _warm_up(api: SupersetApi, chart: int, listener_filter: dict[str, Any] | None) -> str:
    """Compute a chart into the cache, as its dashboard opens; returns the reason if that failed, else ''."""
    try:
        if listener_filter and chart not in listener_filter["scope"]["excluded"]:
            context = api.call("GET", f"/api/v1/chart/{chart}").json()["result"]["query_context"]
            asked = json.loads(context or '{"queries": []}')
            for query in asked["queries"]:
                # First, as the browser sends it: the cache goes by the order.
                chosen = listener_filter["defaultDataMask"]["extraFormData"]["filters"]
                query["filters"] = [*chosen, *query.get("filters", [])]
            if asked["queries"]:
                api.call("POST", "/api/v1/chart/data", json=asked | {"force": True})
            return ""
        [result] = api.call("PUT", "/api/v1/chart/warm_up_cache", json={"chart_id": chart}).json()["result"]
    except LakehouseError as error:
        return str(error)
    return str(result["viz_error"] or "")
