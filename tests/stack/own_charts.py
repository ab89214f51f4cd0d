"""Charts and dashboards that a user makes in Superset, as its front end makes them."""

import json
from dataclasses import dataclass
from typing import Any

from tests.stack.services import Api


@dataclass(frozen=True)
class OwnChart:
    """A chart on a dashboard: their numbers, and the number of its dataset."""

    chart_id: int
    dashboard_id: int
    dataset_id: int


def make_chart(admin: Api, title: str, dashboard_title: str) -> OwnChart:
    """A chart on one of our datasets, on a new dashboard."""
    [dataset] = [row["id"] for row in admin.rows("/api/v1/dataset/") if row["table_name"] == "temporal_trends"]
    board = admin.post("/api/v1/dashboard/", {"dashboard_title": dashboard_title, "published": True}).json()["id"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(total_plays)", "label": "plays"}
    context = {
        "datasource": {"id": dataset, "type": "table"}, "force": False, "result_format": "json", "result_type": "full",
        "queries": [{"columns": [], "metrics": [metric], "filters": [], "extras": {}, "row_limit": 10}],
        "form_data": {"slice_id": 1},
    }  # fmt: skip
    params = {"viz_type": "big_number_total", "metric": metric, "datasource": f"{dataset}__table"}
    chart = {
        "slice_name": title, "viz_type": "big_number_total", "datasource_id": dataset, "datasource_type": "table",
        "params": json.dumps(params), "query_context": json.dumps(context), "dashboards": [board],
    }  # fmt: skip
    return OwnChart(admin.post("/api/v1/chart/", chart).json()["id"], board, dataset)


def lay_out(admin: Api, own: OwnChart) -> None:
    """Give the dashboard a layout with its chart, and a filter that leaves it out."""
    chart = admin.get(f"/api/v1/chart/{own.chart_id}").json()["result"]
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": ["ROW-a"], "parents": ["ROOT_ID"]},
        "ROW-a": {"id": "ROW-a", "type": "ROW", "children": ["CHART-a"], "parents": ["ROOT_ID", "GRID_ID"], "meta": {}},
        "CHART-a": {
            "id": "CHART-a", "type": "CHART", "children": [], "parents": ["ROOT_ID", "GRID_ID", "ROW-a"],
            "meta": {
                "chartId": own.chart_id, "uuid": chart["uuid"], "sliceName": chart["slice_name"], "width": 4,
                "height": 30,
            },
        },
    }  # fmt: skip
    only_a_filter = {
        "id": "NATIVE_FILTER-a", "type": "NATIVE_FILTER", "filterType": "filter_select", "name": "Plays",
        "targets": [{"datasetId": own.dataset_id, "column": {"name": "total_plays"}}],
        "chartsInScope": [own.chart_id], "scope": {"rootPath": ["ROOT_ID"], "excluded": [own.chart_id]},
        "cascadeParentIds": [], "controlValues": {},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
    }  # fmt: skip
    metadata = {"native_filter_configuration": [only_a_filter], "map_label_colors": {"a": "#000"}}
    body = {"position_json": json.dumps(position), "json_metadata": json.dumps(metadata)}
    assert admin.put(f"/api/v1/dashboard/{own.dashboard_id}", body).ok
