"""How long Superset takes to be ready, how fast its dashboards are, and what each process weighs."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from benchmarks.processes import MEGABYTE
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.processes import Background
from lakehouse.stack.secret_files import create_secrets, read_secret
from lakehouse.stack.superset_api import SupersetApi
from lakehouse.stack.superset_refresh import refresh
from lakehouse.stack.superset_server import start_superset, superset_process
from lakehouse.stack.trino_server import trino_process
from pipeline.registry import all_tables
from tests.stack.browser import Browser, browser
from tests.stack.conftest import settings_in
from tests.stack.services import RedisServer
from tests.support.ports import free_port

HOME = "daily-overview"
# Requests at once, as a browser makes them to one server.
PARALLEL_REQUESTS = 6


@dataclass(frozen=True)
class DashboardTimes:
    """One dashboard, in seconds.

    Attributes:
        dashboard: the last part of its address.
        charts: how many it has.
        cold_s: until the data of all charts have come, each computed anew.
        warm_s: the same from the cache.
        drawn_s: until a browser that has been to Superset before has opened it and drawn every chart, from the cache.
    """

    dashboard: str
    charts: int
    cold_s: float
    warm_s: float
    drawn_s: float


@dataclass(frozen=True)
class SupersetFigures:
    """Superset on one lake, with SQLite and Redis.

    Attributes:
        lake: which one.
        ready_s: seconds from empty metadata to pages.
        rendered_s: seconds from empty metadata to a home dashboard with every chart drawn.
        refreshed_s: seconds to compute all charts anew, as after a run.
        dashboards: every one.
        resident_mb: memory of each process after that.
    """

    lake: str
    ready_s: float
    rendered_s: float
    refreshed_s: float
    dashboards: list[DashboardTimes]
    resident_mb: dict[str, float]


def superset_figures(name: str, lake: Path, folder: Path, downloads: Path) -> SupersetFigures:
    """Start Trino and a new Superset on a lake, look at everything, and stop them.

    Args:
        name: of the lake.
        lake: its folder; it is linked, not copied.
        folder: an empty folder for the servers' files.
        downloads: where Trino's server and client lie.
    """
    create_secrets(folder / "secrets")
    redis = RedisServer(folder / "redis", free_port(), read_secret(folder / "secrets", "redis_password"))
    settings = settings_in(folder, downloads).model_copy(
        update={
            "superset_port": free_port(),
            "secrets_dir": folder / "secrets",
            "redis_url": SecretStr(redis.url),
        }
    )
    settings.lake_path.parent.mkdir(parents=True, exist_ok=True)
    settings.lake_path.symlink_to(lake)
    silent = Console(quiet=True)
    password = read_secret(settings.secrets_dir, "superset_admin_password")
    try:
        redis.start()
        stack_up(settings, all_tables().values(), silent, superset=False)
        began = time.monotonic()
        start_superset(settings, silent)
        ready = time.monotonic() - began
        with browser(settings.superset_address, "admin", password) as shown:
            shown.open(HOME)
            rendered = time.monotonic() - began
            refreshed = refresh(settings)
            assert refreshed is not None and not refreshed.failed, refreshed
            dashboards = list(_dashboard_times(SupersetApi(settings, "admin", password), shown))
        weights = {"Trino": trino_process(settings), "Superset": superset_process(settings), "Redis": redis.background}
        resident = {name: _resident_mb(process) for name, process in weights.items()}
        return SupersetFigures(name, ready, rendered, refreshed.seconds, dashboards, resident)
    finally:
        stack_down(settings, silent)
        redis.stop()


def _dashboard_times(api: SupersetApi, shown: Browser) -> Iterator[DashboardTimes]:
    all_charts = list(api.rows("/api/v1/chart/", "slice_name", "id", "dashboards.id"))
    for dashboard in api.rows("/api/v1/dashboard/", "dashboard_title", "id", "slug"):
        charts = [chart["id"] for chart in all_charts if {"id": dashboard["id"]} in chart["dashboards"]]
        cold, warm = (_read(api, charts, anew=anew) for anew in (True, False))
        began = time.monotonic()
        drawn = shown.open(dashboard["slug"]).done_at - began
        yield DashboardTimes(dashboard["slug"], len(charts), cold, warm, drawn)


def _read(api: SupersetApi, charts: list[int], *, anew: bool) -> float:
    """Seconds until the data of all charts have come."""

    def read(chart: int) -> None:
        api.call("GET", f"/api/v1/chart/{chart}/data/", params={"force": str(anew).lower()})

    began = time.monotonic()
    with ThreadPoolExecutor(PARALLEL_REQUESTS) as pool:
        list(pool.map(read, charts))
    return time.monotonic() - began


def _resident_mb(background: Background) -> float:
    """Of a process and its children; pages that they share count for each."""
    process = background.process()
    family = [process, *process.children(recursive=True)] if process else []
    return sum(member.memory_info().rss for member in family) / MEGABYTE
