"""Who was invited as a listener sees that listener's rows alone, whatever is asked for, and by whichever way."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.stack.superset_invitations import ROLES, RULES, USERS, invite, withdraw
from tests.stack import query_contexts
from tests.stack.chart_data import forget_cached, numbers_of
from tests.stack.household import COLUMN, FIRST, SECOND, second_listener
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import Chart, Dataset, charts, dashboards, datasets

HERS = {SECOND, "*"}
PLAYS = "delta.default.listening_with_features"
REFUSED = {requests.codes.unauthorized, requests.codes.forbidden, requests.codes.not_found}
COUNT = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "rows"}
every_dataset = pytest.mark.parametrize("dataset", datasets().values(), ids=lambda each: each.table_name)
every_chart = pytest.mark.parametrize("chart", charts().values(), ids=str)


def sql(expression: str) -> dict[str, str]:
    return {"expressionType": "SQL", "sqlExpression": expression, "label": "x"}


# Queries on the plays that try to say more than they may.
ATTEMPTS: dict[str, dict[str, Any]] = {
    "everything": {"columns": [COLUMN], "metrics": [COUNT]},
    "another listener": {"columns": [COLUMN], "filters": [{"col": COLUMN, "op": "==", "val": FIRST}]},
    "a condition": {"columns": [COLUMN], "extras": {"where": f"1 = 1 OR listener = '{FIRST}'"}},
    "a closed bracket": {"columns": [COLUMN], "extras": {"where": "1 = 1) OR (1 = 1"}},
    "a comment": {"columns": [COLUMN], "extras": {"where": "1 = 1) OR 1 = 1 --"}},
    "a group": {"columns": [COLUMN], "metrics": [COUNT], "extras": {"having": f"1 = 1) OR (listener = '{FIRST}'"}},
    "a sub-query": {"metrics": [sql(f"(SELECT max(listener) FROM {PLAYS})")]},
    "a sub-query in a condition": {
        "columns": [COLUMN], "extras": {"where": f"EXISTS (SELECT 1 FROM {PLAYS} WHERE listener = '{FIRST}')"},
    },
    "another SELECT": {"metrics": [sql(f"listener FROM {PLAYS} UNION SELECT max(listener)")]},
    "another SELECT in a column": {"columns": [sql(f"listener FROM {PLAYS} UNION SELECT listener")], "metrics": []},
    "another SELECT by order": {
        "columns": [COLUMN], "orderby": [[sql(f"1 LIMIT 1) UNION (SELECT listener FROM {PLAYS}"), True]],
    },
    "a filter by SQL": {
        "columns": [COLUMN], "filters": [{"col": sql(f"listener = '{FIRST}' OR listener"), "op": "==", "val": FIRST}],
    },
    "series": {
        "columns": [COLUMN], "metrics": [COUNT], "series_columns": [COLUMN], "series_limit": 5,
        "series_limit_metric": sql(f"max(listener) FROM {PLAYS} UNION SELECT max(listener)"),
    },
}  # fmt: skip


@dataclass(frozen=True)
class Accounts:
    """Two accounts of one Superset, and its numbers of datasets by uuid and of charts by uuid."""

    admin: Api
    hers: Api
    datasets: dict[str, int]
    charts: dict[str, int]


@pytest.fixture(scope="module")
def accounts(superset: SupersetServer) -> Iterator[Accounts]:
    admin = superset.login()
    invitation = invite(superset.settings, SECOND)
    hers = superset.login(SECOND, invitation.password)
    with second_listener(superset.settings):
        forget_cached(admin)
        numbers = {each["uuid"]: each["id"] for each in admin.rows("/api/v1/dataset/")}
        yield Accounts(admin, hers, numbers, numbers_of(admin))
    forget_cached(admin)


@pytest.fixture(scope="module")
def plays(accounts: Accounts) -> int:
    """The number of the dataset of single plays."""
    [uuid] = [uuid for uuid, dataset in datasets().items() if dataset.table_name == "listening_with_features"]
    return accounts.datasets[uuid]


@pytest.fixture(scope="module")
def session(superset: SupersetServer, accounts: Accounts) -> requests.Session:
    """Her browser's session: some addresses take no other login."""
    password = invite(superset.settings, SECOND, reset=True).password
    return superset.browse(SECOND, password)


def ask(api: Api, dataset: int, *queries: dict[str, Any], **result: str) -> requests.Response:
    """Ask for rows of a dataset, as a chart does; a `result_type` or `result_format` replaces full and JSON."""
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": queries}
    return api.post("/api/v1/chart/data", body | {"result_type": "full", "result_format": "json"} | result)


@every_dataset
def test_a_dataset_gives_her_own_rows_or_none(accounts: Accounts, dataset: Dataset) -> None:
    number = accounts.datasets[dataset.uuid]
    query = {"columns": [COLUMN], "metrics": [COUNT]}
    if COLUMN not in dataset.columns:
        assert ask(accounts.hers, number, {"metrics": [COUNT]}).status_code in REFUSED
        return
    [everybody] = ask(accounts.admin, number, query).json()["result"]
    [hers] = ask(accounts.hers, number, query).json()["result"]
    assert {FIRST, SECOND} <= {row[COLUMN] for row in everybody["data"]}
    assert rows_of(hers) == [row for row in rows_of(everybody) if row[COLUMN] in HERS]
    # Superset asks for no more, and does not rest on Trino's refusal.
    assert f"listener = '{SECOND}'" in hers["query"]


@every_dataset
def test_drilling_to_single_rows_gives_her_own_or_none(
    session: requests.Session, superset: SupersetServer, accounts: Accounts, dataset: Dataset
) -> None:
    asked = f"datasource_type=table&datasource_id={accounts.datasets[dataset.uuid]}&per_page=1000"
    answer = session.post(f"{superset.address}/datasource/samples?{asked}", json={}, timeout=60)
    if COLUMN not in dataset.columns:
        assert answer.status_code in REFUSED
        return
    assert answer.status_code == requests.codes.ok, answer.text
    assert {row[COLUMN] for row in answer.json()["result"]["data"]} <= HERS


@every_chart
def test_a_chart_shows_her_what_it_shows_of_her(accounts: Accounts, chart: Chart) -> None:
    saved = accounts.hers.get(f"/api/v1/chart/{accounts.charts[chart.uuid]}/data/")
    if COLUMN not in chart.dataset.columns:
        assert saved.status_code in REFUSED
        return
    assert saved.status_code == requests.codes.ok, saved.text
    number = accounts.datasets[chart.dataset.uuid]
    # All rows: of those that are equal by the chart's order, a limit takes any.
    queries = [
        each | {"row_limit": 10_000, "post_processing": []} for each in query_contexts.kept()[chart.uuid]["queries"]
    ]
    chosen = {"col": COLUMN, "op": "IN", "val": sorted(HERS)}
    hers = ask(accounts.hers, number, *queries)
    of_her = ask(accounts.admin, number, *(each | {"filters": [chosen, *each["filters"]]} for each in queries))
    assert list(map(rows_of, hers.json()["result"])) == list(map(rows_of, of_her.json()["result"]))


def test_an_export_has_her_rows_alone(accounts: Accounts, plays: int) -> None:
    exported = ask(accounts.hers, plays, {"columns": [COLUMN, "play_id"], "metrics": []}, result_format="csv")
    assert exported.headers["Content-Type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(exported.content.decode("utf-8-sig"))))
    assert {row["Listener"] for row in rows} == {SECOND}


@pytest.mark.parametrize("query", ATTEMPTS.values(), ids=ATTEMPTS)
def test_no_query_of_her_own_shows_rows_of_others(accounts: Accounts, plays: int, query: dict[str, Any]) -> None:
    answer = ask(accounts.hers, plays, query)
    shown = {value for row in answer.json()["result"][0]["data"] for value in row.values()} if answer.ok else set()
    assert FIRST not in shown


@pytest.mark.parametrize("result_type", ["samples", "drill_detail", "results"])
def test_no_kind_of_result_shows_rows_of_others(accounts: Accounts, plays: int, result_type: str) -> None:
    answer = ask(accounts.hers, plays, {"columns": [COLUMN], "metrics": []}, result_type=result_type)
    assert {row[COLUMN] for row in answer.json()["result"][0]["data"]} == {SECOND}


def test_a_chart_that_is_closed_to_her_is_no_annotation_of_hers(accounts: Accounts, plays: int) -> None:
    [closed] = [uuid for uuid, chart in charts().items() if str(chart) == "data_health/rejects"]
    layer = {
        "name": "x", "annotationType": "EVENT", "sourceType": "table", "value": accounts.charts[closed],
        "show": True, "showMarkers": False, "style": "solid",
    }  # fmt: skip
    answer = ask(accounts.hers, plays, {"metrics": [COUNT], "annotation_layers": [layer]})
    assert not answer.ok
    assert "was not found" in answer.text


def test_trino_is_asked_as_her_so_that_it_refuses_by_itself(accounts: Accounts, plays: int) -> None:
    user = {"metrics": [sql("max(current_user)")]}
    asked_as = [ask(api, plays, user).json()["result"][0]["data"] for api in (accounts.hers, accounts.admin)]
    assert asked_as == [[{"x": f"listener_{SECOND}"}], [{"x": "superset"}]]


def test_cached_rows_of_others_are_not_shown_to_her(accounts: Accounts, plays: int) -> None:
    query = {"columns": [COLUMN], "metrics": [COUNT], "row_limit": 77}
    asked = [ask(api, plays, query).json()["result"][0] for api in (accounts.admin, accounts.hers) * 2]
    assert [each["is_cached"] for each in asked[2:]] == [True, True]
    assert [{row[COLUMN] for row in each["data"]} for each in asked] == [{FIRST, SECOND}, {SECOND}] * 2


def test_she_opens_the_dashboards_whose_datasets_tell_listeners_apart(accounts: Accounts) -> None:
    whole = {
        slug for slug, each in dashboards().items() if all(COLUMN in shown.dataset.columns for shown in each.charts)
    }
    opened = {slug for slug in dashboards() if accounts.hers.get(f"/api/v1/dashboard/{slug}").ok}
    listed = {board["slug"] for board in accounts.hers.rows("/api/v1/dashboard/")} & set(dashboards())
    assert opened == listed == whole == set(dashboards()) - {"data-health"}


def test_sql_lab_is_closed_to_her(accounts: Accounts, superset: SupersetServer, session: requests.Session) -> None:
    [database] = accounts.admin.rows("/api/v1/database/")
    body = {"database_id": database["id"], "sql": f"SELECT * FROM {PLAYS}", "client_id": "0123456789b"}
    assert accounts.hers.post("/api/v1/sqllab/execute/", body).status_code in REFUSED
    page = session.get(f"{superset.address}/sqllab/", timeout=60, allow_redirects=False)
    assert page.status_code in REFUSED


def test_a_query_that_somebody_wrote_in_sql_lab_is_closed_to_her(accounts: Accounts) -> None:
    [database] = accounts.admin.rows("/api/v1/database/")
    body = {
        "database_id": database["id"], "sql": f"SELECT listener FROM {PLAYS}", "client_id": "0123456789c",
        "runAsync": False, "queryLimit": 10, "tab": "test",
    }  # fmt: skip
    query = accounts.admin.post("/api/v1/sqllab/execute/", body).json()["query_id"]
    asked = {"datasource": {"id": query, "type": "query"}, "queries": [{"columns": [COLUMN], "metrics": []}]}
    assert accounts.hers.post("/api/v1/chart/data", asked).status_code in REFUSED


def test_a_second_invitation_says_so_and_a_reset_makes_a_new_password(superset: SupersetServer) -> None:
    first = invite(superset.settings, "bob")
    with pytest.raises(UsageError, match=r"bob was invited before: .*invite bob --reset"):
        invite(superset.settings, "bob")
    second = invite(superset.settings, "bob", reset=True)
    with pytest.raises(KeyError, match="access_token"):
        superset.login("bob", first.password)
    assert superset.login("bob", second.password).get("/api/v1/me/").ok


@pytest.mark.parametrize(
    ("name", "reset", "message"),
    [
        ("Anna B", False, "'Anna B' cannot be a listener's name"),
        ("admin", False, "account admin was not made by an invitation"),
        ("pipeline", True, "account pipeline was not made by an invitation"),
        ("nobody", True, "nobody has no account"),
    ],
)
def test_what_cannot_be_an_invitation_is_said(superset: SupersetServer, name: str, reset: bool, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        invite(superset.settings, name, reset=reset)


def test_a_withdrawn_invitation_leaves_no_account_role_or_rule(superset: SupersetServer, accounts: Accounts) -> None:
    theirs = superset.login("carla", invite(superset.settings, "carla").password)
    assert theirs.get("/api/v1/dashboard/daily-overview").ok
    assert withdraw(superset.settings, "carla")
    assert not theirs.get("/api/v1/dashboard/daily-overview").ok
    for path in (USERS, ROLES, RULES):
        assert not [each for each in accounts.admin.rows(path) if "carla" in json.dumps(each)], path
    assert not withdraw(superset.settings, "carla")


def test_an_account_that_was_not_invited_is_not_withdrawn(superset: SupersetServer) -> None:
    assert not withdraw(superset.settings, "admin")
    assert superset.login().get("/api/v1/me/").ok


def test_without_superset_an_invitation_says_so(superset: SupersetServer) -> None:
    nowhere = superset.settings.model_copy(update={"superset_uri": "http://127.0.0.1:1"})
    with pytest.raises(LakehouseError, match=r"Superset does not answer at http://127\.0\.0\.1:1"):
        invite(nowhere, "carla")


def rows_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """A result's rows in an order of their own; sums of the same numbers may differ in their last digits."""
    rows = json.loads(json.dumps(result["data"]), parse_float=lambda text: round(float(text), 6))
    return sorted(rows, key=str)
