"""Dashboards show one listener at a time, and offer the others where there are several."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakehouse.stack.dashboards_export import export
from lakehouse.stack.superset_invitations import invite
from lakehouse.stack.superset_refresh import refresh
from lakehouse.stack.superset_server import CONFIGURATION
from tests.stack.browser import Opened, browser
from tests.stack.chart_data import forget_cached, numbers_of
from tests.stack.conftest import Query
from tests.stack.household import COLUMN, FIRST, SECOND, second_listener
from tests.stack.own_charts import OwnChart, lay_out, make_chart
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import Dashboard, dashboards

HOME = "daily-overview"
FILTER = "Listener"
COUNT = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}
every_dashboard = pytest.mark.parametrize("dashboard", dashboards().values(), ids=str)

Filters = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Household:
    """A lake in which a second listener appeared.

    Attributes:
        alone: the filters of each dashboard while there was one listener.
        together: the same after the run that brought the second one.
    """

    admin: Api
    alone: Filters
    together: Filters


@pytest.fixture(scope="module")
def household(superset: SupersetServer) -> Iterator[Household]:
    admin = superset.login()
    alone = filters_for(admin)
    with second_listener(superset.settings):
        # What each run ends with.
        done = refresh(superset.settings)
        assert done
        assert done.failed == {}
        yield Household(admin, alone, filters_for(admin))
    forget_cached(admin)


@dataclass(frozen=True)
class Shown:
    """The home dashboard in a browser: as it opened, with the second listener chosen, and with all filters cleared."""

    opened: Opened
    chosen: Opened
    cleared: Opened


@pytest.fixture(scope="module")
def shown(superset: SupersetServer, household: Household) -> Shown:
    with browser(superset.address, "admin", superset.admin_password) as started:
        opened, chosen = started.open(HOME), started.choose(FILTER, SECOND)
        return Shown(opened, chosen, started.clear())


def filters_for(api: Api) -> Filters:
    """The filters of each of our dashboards, as a user gets them."""
    boards = {slug: api.get(f"/api/v1/dashboard/{slug}").json()["result"] for slug in dashboards()}
    return {slug: json.loads(board["json_metadata"])["native_filter_configuration"] for slug, board in boards.items()}


def names_of(filters: list[dict[str, Any]]) -> list[str]:
    return [each["name"] for each in filters]


def plays_of(query: Query, listener: str) -> str:
    """How many plays a listener has, as a chart shows it."""
    [[plays]] = query(f"SELECT count(*) FROM delta.default.listening_with_features WHERE listener = '{listener}'")
    return f"{plays:,}"


@every_dashboard
def test_with_one_listener_a_dashboard_has_its_own_filters_alone(household: Household, dashboard: Dashboard) -> None:
    assert names_of(household.alone[dashboard.slug]) == names_of(dashboard.filters)


@every_dashboard
def test_after_the_run_that_brought_a_second_one_the_listener_comes_first(
    household: Household, dashboard: Dashboard
) -> None:
    assert names_of(household.together[dashboard.slug]) == [FILTER, *names_of(dashboard.filters)]


@every_dashboard
def test_the_choice_reaches_every_chart_that_tells_listeners_apart(household: Household, dashboard: Dashboard) -> None:
    numbers = numbers_of(household.admin)
    scope = household.together[dashboard.slug][0]["scope"]
    others = {numbers[chart.uuid] for chart in dashboard.charts if COLUMN not in chart.dataset.columns}
    assert (scope["rootPath"], set(scope["excluded"])) == (["ROOT_ID"], others)


def test_a_dashboard_opens_with_the_listener_of_this_lake_from_the_cache(shown: Shown, query: Query) -> None:
    assert plays_of(query, FIRST) in shown.opened.chart("Plays").text
    assert shown.opened.cached == dict.fromkeys(shown.opened.asked, True)
    assert [chart.error for chart in shown.opened.charts if chart.error] == []


def test_all_charts_follow_who_is_chosen(shown: Shown, query: Query) -> None:
    assert set(shown.chosen.asked) == set(shown.opened.asked)
    for title in ("Plays", "What these charts rest on · all time"):
        assert plays_of(query, SECOND) in shown.chosen.chart(title).text


def test_without_a_choice_charts_do_not_mix_listeners(shown: Shown, query: Query) -> None:
    for title in ("Plays", "What these charts rest on · all time"):
        assert plays_of(query, FIRST) in shown.cleared.chart(title).text


def test_outside_of_dashboards_rows_of_all_are_there_to_be_compared(household: Household) -> None:
    [plays] = [
        each["id"]
        for each in household.admin.rows("/api/v1/dataset/")
        if each["table_name"] == "listening_with_features"
    ]
    asked = {"datasource": {"id": plays, "type": "table"}, "queries": [{"columns": [COLUMN], "metrics": [COUNT]}]}
    [result] = household.admin.post("/api/v1/chart/data", asked).json()["result"]
    assert {row[COLUMN] for row in result["data"]} == {FIRST, SECOND}


def test_who_was_invited_has_no_choice_to_make(superset: SupersetServer, household: Household) -> None:
    invitation = invite(superset.settings, FIRST)
    api = superset.login(FIRST, invitation.password)
    board = api.get(f"/api/v1/dashboard/{HOME}").json()["result"]
    assert names_of(json.loads(board["json_metadata"])["native_filter_configuration"]) == names_of(
        household.alone[HOME]
    )


def test_a_dashboard_of_ones_own_has_the_choice_too_and_git_never(
    superset: SupersetServer, household: Household, tmp_path: Path
) -> None:
    admin, folder = household.admin, tmp_path / "assets"
    shutil.copytree(CONFIGURATION / "assets", folder)
    own = make_chart(admin, "Plays of a listener", "Of my own")
    lay_out(admin, own)
    try:
        offered = own_metadata(admin, own)
        # As Superset's editor saves it.
        assert admin.put(f"/api/v1/dashboard/{own.dashboard_id}", {"json_metadata": json.dumps(offered)}).ok
        saved = own_metadata(admin, own)
        written = export(superset.settings, folder, ["Of my own"]).written
    finally:
        admin.delete(f"/api/v1/chart/{own.chart_id}")
        admin.delete(f"/api/v1/dashboard/{own.dashboard_id}")
    assert [names_of(each["native_filter_configuration"]) for each in (offered, saved)] == [[FILTER, "Plays"]] * 2
    [board] = [yaml.safe_load((folder / path).read_text()) for path in written if path.startswith("dashboards/")]
    assert names_of(board["metadata"]["native_filter_configuration"]) == ["Plays"]


def own_metadata(api: Api, own: OwnChart) -> dict[str, Any]:
    board = api.get(f"/api/v1/dashboard/{own.dashboard_id}").json()["result"]
    return dict(json.loads(board["json_metadata"]))
