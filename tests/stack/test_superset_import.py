"""Over several bootstraps ours becomes what is in git, what users made stays, and what they exported becomes ours."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.stack.dashboards_export import export
from lakehouse.stack.superset_invitations import invite
from lakehouse.stack.superset_server import CONFIGURATION, bootstrap
from pipeline.documents.superset_datasets import DATABASE_UUID
from tests.stack.own_charts import OwnChart, lay_out, make_chart
from tests.stack.services import Api, SupersetServer

BOARD, CHART = "Mine, to keep", "Plays: überall"
SPOILT = "charts/daily_overview/plays.yaml"
KINDS = ("dashboard", "chart", "dataset", "database")
EXTRA = {
    "table_name": "extra", "schema": "default", "catalog": "delta", "version": "1.0.0",
    "uuid": "00000000-0000-4000-8000-0000000e07a4", "database_uuid": str(DATABASE_UUID),
    "sql": "SELECT DISTINCT listener FROM delta.default.listening_with_features",
    "columns": [{"column_name": "listener", "type": "VARCHAR"}],
    "metrics": [{"metric_name": "count", "expression": "COUNT(*)"}],
}  # fmt: skip


@dataclass(frozen=True)
class Seen:
    """What Superset holds at one instant: how many of each kind, its charts by number, and its rules for rows.

    Attributes:
        rules: names of the datasets that each rule holds for.
    """

    counts: dict[str, int]
    charts: dict[int, dict[str, Any]]
    rules: dict[str, set[str]]

    @classmethod
    def now(cls, admin: Api) -> "Seen":
        """As Superset's lists show it."""
        counts = {kind: admin.get(f"/api/v1/{kind}/").json()["count"] for kind in KINDS}
        rules = {
            rule["name"]: {table["table_name"] for table in rule["tables"]}
            for rule in admin.rows("/api/v1/rowlevelsecurity/")
        }
        return cls(counts, {chart["id"]: chart for chart in admin.rows("/api/v1/chart/")}, rules)


@dataclass(frozen=True)
class Story:
    """Two bootstraps: from a folder with more than git has, then from what git has.

    Attributes:
        folder: the assets of the first one: git's, one more chart, one more dataset, and an exported dashboard.
        written: the files of each of two exports in a row.
        mine: a user's chart on a dashboard, not exported.
        spoilt: the number of a chart of ours that a user renamed.
        board: the exported dashboard as the first bootstrap made it: its metadata, and its charts.
        answered: what the new dataset answered to a listener who had been invited before.
    """

    folder: Path
    written: list[list[str]]
    mine: OwnChart
    spoilt: int
    before: Seen
    with_more: Seen
    board: tuple[dict[str, Any], list[dict[str, Any]]]
    answered: dict[str, Any]
    after: Seen


@pytest.fixture(scope="module")
def story(superset: SupersetServer, tmp_path_factory: pytest.TempPathFactory) -> Story:
    admin, folder = superset.login(), tmp_path_factory.mktemp("git") / "assets"
    shutil.copytree(CONFIGURATION / "assets", folder)
    plays = yaml.safe_load((folder / SPOILT).read_text())

    mine, exported = make_chart(admin, "My plays", "Mine"), make_chart(admin, CHART, BOARD)
    lay_out(admin, exported)
    written = [export(superset.settings, folder, [BOARD]).written for _ in range(2)]
    assert admin.delete(f"/api/v1/chart/{exported.chart_id}").ok
    assert admin.delete(f"/api/v1/dashboard/{exported.dashboard_id}").ok
    [spoilt] = [row["id"] for row in admin.rows("/api/v1/chart/") if row["uuid"] == plays["uuid"]]
    assert admin.put(f"/api/v1/chart/{spoilt}", {"slice_name": "Spoilt"}).ok
    extra = plays | {"uuid": "00000000-0000-4000-8000-00000000beef", "slice_name": "Extra"}
    (folder / "charts/daily_overview/extra.yaml").write_text(yaml.safe_dump(extra, sort_keys=False))
    (folder / "datasets/virtual/extra.yaml").write_text(yaml.safe_dump(EXTRA, sort_keys=False))
    invitation = invite(superset.settings, "invited-before")

    before = Seen.now(admin)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SUPERSET_ASSETS", str(folder))
        bootstrap(superset.settings)
    with_more = Seen.now(admin)
    [board] = [row["id"] for row in admin.rows("/api/v1/dashboard/") if row["dashboard_title"] == BOARD]
    metadata = json.loads(admin.get(f"/api/v1/dashboard/{board}").json()["result"]["json_metadata"])
    shown = admin.get(f"/api/v1/dashboard/{board}/charts").json()["result"]
    [dataset] = [row["id"] for row in admin.rows("/api/v1/dataset/") if row["uuid"] == EXTRA["uuid"]]
    asked = {"datasource": {"id": dataset, "type": "table"}, "queries": [{"columns": ["listener"], "metrics": []}]}
    answered = superset.login(invitation.user, invitation.password).post("/api/v1/chart/data", asked).json()
    bootstrap(superset.settings)
    return Story(folder, written, mine, spoilt, before, with_more, (metadata, shown), answered, Seen.now(admin))


def test_a_repeated_bootstrap_changes_no_count_and_leaves_what_users_made(story: Story) -> None:
    assert story.after.counts == story.before.counts
    assert set(story.after.charts) == set(story.before.charts)
    mine = story.after.charts[story.mine.chart_id]
    assert (mine["slice_name"], [board["id"] for board in mine["dashboards"]]) == (
        "My plays",
        [story.mine.dashboard_id],
    )


def test_a_changed_asset_becomes_again_what_is_in_git(story: Story) -> None:
    in_git = yaml.safe_load((story.folder / SPOILT).read_text())["slice_name"]
    names = [seen.charts[story.spoilt]["slice_name"] for seen in (story.before, story.with_more, story.after)]
    assert names == ["Spoilt", in_git, in_git]


def test_what_comes_to_git_comes_to_superset_and_goes_with_it(story: Story) -> None:
    more = {"dashboard": 1, "chart": 2, "dataset": 1, "database": 0}
    assert story.with_more.counts == {kind: story.before.counts[kind] + more[kind] for kind in KINDS}
    assert {"Extra", CHART} <= {chart["slice_name"] for chart in story.with_more.charts.values()}
    assert not {"Extra", CHART} & {chart["slice_name"] for chart in story.after.charts.values()}


def test_a_new_dataset_comes_with_the_rules_of_those_who_were_invited_before(story: Story) -> None:
    rules = ("Listener", "Listener invited-before")
    assert ["extra" in story.with_more.rules[name] for name in rules] == [True, True]
    assert story.after.rules == {name: shown - {"extra"} for name, shown in story.with_more.rules.items()}
    [result] = story.answered["result"]
    assert "listener = 'invited-before'" in result["query"]


def test_a_new_dashboard_goes_to_git_and_from_there_into_superset(story: Story) -> None:
    assert story.written == [["charts/mine_to_keep/plays_uberall.yaml", "dashboards/mine_to_keep.yaml"], []]
    texts = [(story.folder / path).read_text() for path in story.written[0]]
    assert "__table" not in "".join(texts)
    assert "map_label_colors" not in "".join(texts)
    layout = yaml.safe_load(texts[1])
    assert layout["position"]["CHART-a"]["meta"]["chartId"] == 1
    assert layout["metadata"]["native_filter_configuration"][0]["scope"]["excluded"] == [1]

    metadata, [shown] = story.board
    assert shown["slice_name"] == CHART
    assert metadata["native_filter_configuration"][0]["scope"]["excluded"] == [shown["id"]]
