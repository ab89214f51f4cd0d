"""Who may do what in Superset: nobody, a reader, an invited listener, an analyst, the pipeline."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_invitations import invite
from lakehouse.stack.trino_registration import local_session
from tests.stack.browser import browser
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import charts, datasets

PASSWORD = "a long password for tests"  # noqa: S105
LOOKED_AT = ("/api/v1/dashboard/", "/api/v1/chart/", "/api/v1/me/")
METADATA = (
    "/api/v1/database/", "/api/v1/dataset/", "/api/v1/query/", "/api/v1/saved_query/", "/api/v1/log/",
    "/api/v1/security/users/", "/api/v1/security/roles/", "/api/v1/assets/export/", "/api/v1/rowlevelsecurity/",
    "/api/v1/sqllab/", "/api/v1/annotation_layer/",
)  # fmt: skip
REFUSED = {requests.codes.unauthorized, requests.codes.forbidden, requests.codes.not_found}
SQL = {"sql": "SELECT 1 AS one", "runAsync": False, "queryLimit": 10, "tab": "test", "client_id": "0123456789a"}


def user_with(superset: SupersetServer, role: str) -> Api:
    """A new user with a role."""
    admin = superset.login()
    [role_id] = [row["id"] for row in admin.rows("/api/v1/security/roles/") if row["name"] == role]
    name = role.lower()
    user = {
        "username": name, "first_name": name, "last_name": name, "email": f"{name}@localhost", "active": True,
        "roles": [role_id], "password": PASSWORD,
    }  # fmt: skip
    made = admin.post("/api/v1/security/users/", user)
    assert made.ok, made.text
    return superset.login(name, PASSWORD)


class FromElsewhere(HTTPAdapter):
    """Another address of this machine, so that this one's logins are not used up."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options, source_address=("127.0.0.2", 0))


@pytest.fixture(scope="module")
def reader(superset: SupersetServer) -> Api:
    return user_with(superset, "Reader")


@pytest.fixture(scope="module", params=["reader", "listener"])
def looker(request: pytest.FixtureRequest, superset: SupersetServer) -> Api:
    """Who only looks at dashboards."""
    if request.param == "reader":
        return request.getfixturevalue("reader")  # type: ignore[no-any-return]
    invitation = invite(superset.settings, "looker")
    return superset.login(invitation.user, invitation.password)


@pytest.fixture(scope="module")
def analyst(superset: SupersetServer) -> Api:
    return user_with(superset, "Analyst")


def database_id(superset: SupersetServer) -> int:
    [database] = superset.login().rows("/api/v1/database/")
    return int(database["id"])


@pytest.mark.parametrize("path", ["/", "/superset/welcome/", "/dashboard/list/", "/sqllab/", "/superset/dashboard/1/"])
def test_without_a_login_pages_lead_to_the_login(superset: SupersetServer, path: str) -> None:
    answer = local_session().get(superset.address + path, timeout=30)
    assert answer.url.startswith(f"{superset.address}/login/")


@pytest.mark.parametrize("path", (*LOOKED_AT, *METADATA, "/api/v1/dashboard/daily-overview", "/swagger/v1"))
def test_without_a_login_the_api_answers_nothing(superset: SupersetServer, path: str) -> None:
    answer = local_session().get(superset.address + path, timeout=30, allow_redirects=False)
    assert answer.status_code in REFUSED | {requests.codes.found}


def test_without_a_login_health_answers(superset: SupersetServer) -> None:
    assert local_session().get(f"{superset.address}/health", timeout=30).text == "OK"


def test_a_wrong_password_is_refused(superset: SupersetServer) -> None:
    with pytest.raises(KeyError, match="access_token"):
        superset.login("admin", "admin")


def test_a_reader_sees_all_dashboards_and_their_data(superset: SupersetServer, reader: Api) -> None:
    assert len(reader.rows("/api/v1/dashboard/")) >= 6
    assert reader.get("/api/v1/dashboard/daily-overview").status_code == requests.codes.ok
    [dataset] = [row for row in superset.login().rows("/api/v1/dataset/") if row["table_name"] == "temporal_trends"]
    context = {
        "datasource": {"id": dataset["id"], "type": "table"}, "result_format": "json", "result_type": "full",
        "queries": [{"columns": ["date"], "metrics": [], "row_limit": 3}],
    }  # fmt: skip
    assert len(reader.post("/api/v1/chart/data", context).json()["result"][0]["data"]) == 3


def test_a_reader_reads_the_datasets_that_dashboards_show_and_no_other(superset: SupersetServer, reader: Api) -> None:
    shown = {chart.dataset.uuid for chart in charts().values()}
    numbers = {row["uuid"]: row["id"] for row in superset.login().rows("/api/v1/dataset/")}
    answers = {uuid: count_rows(reader, numbers[uuid]) for uuid in datasets()}
    assert {uuid for uuid, code in answers.items() if code == requests.codes.ok} == shown
    assert {code for uuid, code in answers.items() if uuid not in shown} <= REFUSED
    assert answers[of_table("rejected_rows")] in REFUSED


def test_a_reader_reads_no_other_table_by_sql_in_a_chart(superset: SupersetServer, reader: Api) -> None:
    [number] = [
        row["id"] for row in superset.login().rows("/api/v1/dataset/") if row["uuid"] == of_table("temporal_trends")
    ]
    code = count_rows(reader, number, "max(raw) FROM delta.ops.rejected_rows UNION SELECT max('')")
    assert code == requests.codes.bad_request


@pytest.mark.parametrize("path", METADATA)
def test_who_only_looks_does_not_reach_the_metadata(looker: Api, path: str) -> None:
    assert looker.get(path).status_code in REFUSED


def test_who_only_looks_does_not_write_sql(superset: SupersetServer, looker: Api) -> None:
    body = SQL | {"database_id": database_id(superset)}
    assert looker.post("/api/v1/sqllab/execute/", body).status_code in REFUSED


def test_who_only_looks_changes_and_makes_nothing(superset: SupersetServer, looker: Api) -> None:
    board, chart = looker.rows("/api/v1/dashboard/")[0]["id"], looker.rows("/api/v1/chart/")[0]["id"]
    dataset = superset.login().rows("/api/v1/dataset/")[0]["id"]
    new_chart = {"slice_name": "x", "viz_type": "table", "datasource_id": dataset, "datasource_type": "table"}
    refused = [
        looker.put(f"/api/v1/dashboard/{board}", {"dashboard_title": "x"}),
        looker.put(f"/api/v1/chart/{chart}", {"slice_name": "x"}),
        looker.delete(f"/api/v1/dashboard/{board}"),
        looker.delete(f"/api/v1/chart/{chart}"),
        looker.post("/api/v1/dashboard/", {"dashboard_title": "x"}),
        looker.post("/api/v1/chart/", new_chart),
        looker.post("/api/v1/database/", {"database_name": "x", "sqlalchemy_uri": "sqlite://"}),
        looker.post("/api/v1/cachekey/invalidate", {"datasource_uids": []}),
    ]
    assert [answer.status_code in REFUSED for answer in refused] == [True] * len(refused)


def test_an_analyst_writes_sql_on_the_lake(superset: SupersetServer, analyst: Api) -> None:
    done = analyst.post("/api/v1/sqllab/execute/", SQL | {"database_id": database_id(superset)})
    assert done.ok, done.text
    assert done.json()["data"] == [{"one": 1}]


def test_an_analyst_makes_a_dashboard_and_does_not_change_ours(analyst: Api) -> None:
    board = analyst.rows("/api/v1/dashboard/")[0]["id"]
    made = analyst.post("/api/v1/dashboard/", {"dashboard_title": "An analyst's"})
    assert made.ok
    assert analyst.put(f"/api/v1/dashboard/{board}", {"dashboard_title": "x"}).status_code in REFUSED
    assert analyst.delete(f"/api/v1/dashboard/{made.json()['id']}").ok


@pytest.mark.parametrize("path", ["/api/v1/security/users/", "/api/v1/security/roles/", "/api/v1/log/"])
def test_an_analyst_does_not_manage_users(analyst: Api, path: str) -> None:
    assert analyst.get(path).status_code in REFUSED


def count_rows(api: Api, dataset: int, expression: str = "count(*)") -> int:
    """The status of an answer to one number of a dataset."""
    metric = {"expressionType": "SQL", "sqlExpression": expression, "label": "x"}
    asked = {"datasource": {"id": dataset, "type": "table"}, "queries": [{"metrics": [metric]}]}
    return int(api.post("/api/v1/chart/data", asked).status_code)


def of_table(name: str) -> str:
    [uuid] = [uuid for uuid, dataset in datasets().items() if dataset.table_name == name]
    return uuid


def test_the_pipeline_may_refresh_and_nothing_else(superset: SupersetServer) -> None:
    password = read_secret(superset.settings.secrets_dir, "superset_pipeline_password")
    pipeline = superset.login("pipeline", password)
    assert pipeline.post("/api/v1/cachekey/invalidate", {"datasource_uids": []}).ok
    for path in ("/api/v1/database/", "/api/v1/security/users/", "/api/v1/assets/export/", "/api/v1/log/"):
        assert pipeline.get(path).status_code in REFUSED
    body = SQL | {"database_id": database_id(superset)}
    assert pipeline.post("/api/v1/sqllab/execute/", body).status_code in REFUSED
    [rejected] = [
        row["id"] for row in superset.login().rows("/api/v1/dataset/") if row["table_name"] == "rejected_rows"
    ]
    assert count_rows(pipeline, rejected) in REFUSED


def test_pages_load_nothing_from_elsewhere_and_other_sites_read_nothing(superset: SupersetServer) -> None:
    answer = local_session().get(
        f"{superset.address}/login/", timeout=30, headers={"Origin": "https://elsewhere.example"}
    )
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_refused_address_exists(superset: SupersetServer) -> None:
    admin = superset.login()
    assert {path: admin.get(path).status_code for path in METADATA} == dict.fromkeys(METADATA, requests.codes.ok)


@pytest.mark.parametrize("page", ["/login/", "/api/v1/security/login"])
def test_guessing_passwords_is_slowed_down(superset: SupersetServer, page: str) -> None:
    session = local_session()
    session.mount("http://", FromElsewhere())
    [token] = re.findall(r'id="csrf_token"\s+value="([^"]+)"', session.get(f"{superset.address}/login/").text)
    login = {"username": "nobody", "password": "x", "provider": "db"}

    def guess(_: int) -> int:
        if page == "/login/":
            answer = session.post(superset.address + page, data=login | {"csrf_token": token}, allow_redirects=False)
        else:
            answer = session.post(superset.address + page, json=login)
        return answer.status_code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(guess, range(45)))
    assert requests.codes.too_many_requests in codes


def test_a_login_opens_the_home_dashboard_and_a_reader_sees_it_whole(superset: SupersetServer, reader: Api) -> None:
    with browser(superset.address, "reader", PASSWORD) as shown:
        assert shown.page.url.rstrip("/").endswith("/superset/dashboard/daily-overview")
        home = shown.open("daily-overview")
        assert len(home.charts) > 5
        assert [chart.error for chart in home.charts if chart.error] == []
        menu = shown.page.locator("nav, [role=menubar], .ant-menu").all_inner_texts()
        assert "Dashboards" in " ".join(menu)
        assert "SQL" not in " ".join(menu)
        assert shown.page.locator("[data-test=edit-dashboard-button], [aria-label='Edit dashboard']").count() == 0
        answer = shown.page.goto(f"{superset.address}/sqllab/")
        assert answer
        assert answer.status == requests.codes.forbidden
