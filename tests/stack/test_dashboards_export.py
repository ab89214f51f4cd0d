"""What users make in Superset comes back into files that another Superset takes."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from lakehouse.errors import UsageError
from lakehouse.stack.dashboards_export import export
from lakehouse.stack.superset_server import CONFIGURATION, bootstrap
from tests.stack.services import Api, SupersetServer

BOARD = "Mine, to keep"


@pytest.fixture(scope="module")
def admin(superset: SupersetServer) -> Api:
    return superset.login()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the repository's assets."""
    shutil.copytree(CONFIGURATION / "assets", tmp_path / "assets")
    return tmp_path / "assets"


def contents(folder: Path) -> dict[Path, str]:
    return {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}


def make_dashboard(admin: Api) -> tuple[int, int]:
    """A chart on a dashboard with a filter that leaves it out, as the front end makes them; their numbers."""
    [dataset] = [row for row in admin.rows("/api/v1/dataset/") if row["table_name"] == "temporal_trends"]
    board = admin.post("/api/v1/dashboard/", {"dashboard_title": BOARD, "published": True}).json()["id"]
    metric = {"expressionType": "SQL", "sqlExpression": "SUM(total_plays)", "label": "plays"}
    source = {"id": dataset["id"], "type": "table"}
    query = {"columns": [], "metrics": [metric], "filters": [], "extras": {}, "row_limit": 10}
    params = {"viz_type": "big_number_total", "metric": metric, "datasource": f"{dataset['id']}__table"}
    chart = {
        "slice_name": "Plays: überall", "viz_type": "big_number_total", "dashboards": [board],
        "datasource_id": dataset["id"], "datasource_type": "table",
        "params": json.dumps(params),
        "query_context": json.dumps({"datasource": source, "queries": [query], "form_data": {"slice_id": 1}}),
    }  # fmt: skip
    made = admin.post("/api/v1/chart/", chart).json()["id"]
    uuid = admin.get(f"/api/v1/chart/{made}").json()["result"]["uuid"]
    position = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"id": "ROOT_ID", "type": "ROOT", "children": ["GRID_ID"]},
        "GRID_ID": {"id": "GRID_ID", "type": "GRID", "children": ["ROW-a"], "parents": ["ROOT_ID"]},
        "ROW-a": {"id": "ROW-a", "type": "ROW", "children": ["CHART-a"], "parents": ["ROOT_ID", "GRID_ID"], "meta": {}},
        "CHART-a": {
            "id": "CHART-a", "type": "CHART", "children": [], "parents": ["ROOT_ID", "GRID_ID", "ROW-a"],
            "meta": {"chartId": made, "uuid": uuid, "sliceName": "Plays: überall", "width": 4, "height": 30},
        },
    }  # fmt: skip
    only_a_filter = {
        "id": "NATIVE_FILTER-a", "type": "NATIVE_FILTER", "filterType": "filter_select", "name": "Plays",
        "targets": [{"datasetId": dataset["id"], "column": {"name": "total_plays"}}], "chartsInScope": [made],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": [made]}, "cascadeParentIds": [], "controlValues": {},
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
    }  # fmt: skip
    metadata = {"native_filter_configuration": [only_a_filter], "map_label_colors": {"a": "#000"}}
    body = {"position_json": json.dumps(position), "json_metadata": json.dumps(metadata)}
    assert admin.put(f"/api/v1/dashboard/{board}", body).ok
    return board, made


def test_what_is_in_git_as_it_is_stays_untouched(superset: SupersetServer, folder: Path) -> None:
    before = contents(folder)
    done = export(superset.settings, folder, ["daily-overview", "Data Health"])
    assert (done.written, done.left_out) == ([], [])
    assert done.unchanged > 10
    assert contents(folder) == before


def test_a_changed_chart_changes_its_own_file_only(superset: SupersetServer, admin: Api, folder: Path) -> None:
    file = Path("charts/daily_overview/plays.yaml")
    uuid = yaml.safe_load((folder / file).read_text())["uuid"]
    [chart] = [row for row in admin.rows("/api/v1/chart/") if row["uuid"] == uuid]
    before = contents(folder)
    assert admin.put(f"/api/v1/chart/{chart['id']}", {"description": "Changed"}).ok
    try:
        assert export(superset.settings, folder, ["daily-overview"]).written == [str(file)]
    finally:
        admin.put(f"/api/v1/chart/{chart['id']}", {"description": chart["description"] or ""})
    assert {path for path, text in contents(folder).items() if before.get(path) != text} == {file}
    assert yaml.safe_load((folder / file).read_text())["description"] == "Changed"


def test_a_new_dashboard_goes_to_git_and_from_there_into_superset(
    superset: SupersetServer, admin: Api, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, chart = make_dashboard(admin)
    done = export(superset.settings, folder, [BOARD])
    assert done.written == ["charts/mine_to_keep/plays_uberall.yaml", "dashboards/mine_to_keep.yaml"]
    assert export(superset.settings, folder, [BOARD]).written == []
    texts = "".join((folder / path).read_text() for path in done.written)
    assert "__table" not in texts
    assert "map_label_colors" not in texts
    layout = yaml.safe_load((folder / done.written[1]).read_text())
    assert layout["position"]["CHART-a"]["meta"]["chartId"] == 1
    assert layout["metadata"]["native_filter_configuration"][0]["scope"]["excluded"] == [1]

    assert admin.delete(f"/api/v1/chart/{chart}").ok
    assert admin.delete(f"/api/v1/dashboard/{board}").ok
    monkeypatch.setenv("SUPERSET_ASSETS", str(folder))
    bootstrap(superset.settings)
    [again] = [row for row in admin.rows("/api/v1/dashboard/") if row["dashboard_title"] == BOARD]
    [shown] = admin.get(f"/api/v1/dashboard/{again['id']}/charts").json()["result"]
    assert shown["slice_name"] == "Plays: überall"
    metadata = json.loads(admin.get(f"/api/v1/dashboard/{again['id']}").json()["result"]["json_metadata"])
    assert metadata["native_filter_configuration"][0]["scope"]["excluded"] == [shown["id"]]
    monkeypatch.delenv("SUPERSET_ASSETS")
    bootstrap(superset.settings)


def test_an_unknown_dashboard_is_said_with_those_there_are(superset: SupersetServer, folder: Path) -> None:
    with pytest.raises(UsageError, match=r"no dashboard 'nonsense'; it has .*Daily Overview"):
        export(superset.settings, folder, ["nonsense"])


def test_another_folder_is_refused(superset: SupersetServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no assets of Superset"):
        export(superset.settings, tmp_path)
