"""Superset as users meet it: real Postgres, Redis, Trino and gunicorn."""

from tests.stack.services import SupersetServer

DASHBOARDS = {
    "Daily Overview", "Mood Analysis", "Recommendations", "Deep Insights", "Model Performance", "Data Health",
}  # fmt: skip


def test_the_six_dashboards_are_there(superset: SupersetServer) -> None:
    assert {board["dashboard_title"] for board in superset.login().rows("/api/v1/dashboard/")} == DASHBOARDS
