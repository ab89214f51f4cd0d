"""How long Superset takes to be ready, how fast its charts are computed and shown, and what each process weighs."""

import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr
from rich.console import Console

from lakehouse.processes import Background
from lakehouse.secret_files import create_secrets, read_secret
from lakehouse.settings import Settings
from lakehouse.stack import stack_down, stack_up
from lakehouse.superset_api import SupersetApi
from lakehouse.superset_refresh import refresh
from lakehouse.superset_server import start_superset, superset_process
from lakehouse.trino_server import trino_process
from tests.benchmarks.processes import MEGABYTE
from tests.ports import free_port
from tests.stack.browser import browser
from tests.stack.conftest import settings_in
from tests.stack.services import RedisServer

HOME = "daily-overview"


@dataclass(frozen=True)
class SupersetFigures:
    """Superset on one lake, with SQLite and Redis.

    Attributes:
        lake: which one.
        ready_s: seconds from empty metadata to pages.
        rendered_s: seconds from empty metadata to a home dashboard with every chart drawn.
        charts: how many there are.
        cold_s: seconds to compute all of them.
        warm_s: seconds to get all of them from the cache, one after another.
        resident_mb: memory of each process after that.
    """

    lake: str
    ready_s: float
    rendered_s: float
    charts: int
    cold_s: float
    warm_s: float
    resident_mb: dict[str, float]


def superset_figures(name: str, lake: Path, folder: Path, downloads: Path) -> SupersetFigures:
    """Start Trino and a new Superset on a lake, look at everything, and stop them.

    Args:
        name: of the lake.
        lake: its folder; it is linked, not copied.
        folder: an empty folder for the servers' files.
        downloads: where Trino's server and client lie.
    """
    redis = RedisServer(folder / "redis", free_port())
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
    create_secrets(settings.secrets_dir)
    password = read_secret(settings.secrets_dir, "superset_admin_password")
    try:
        redis.start()
        stack_up(settings, silent, superset=False)
        began = time.monotonic()
        start_superset(settings, silent)
        ready = time.monotonic() - began
        with browser(settings.superset_address, "admin", password) as shown:
            shown.open(HOME)
            rendered = time.monotonic() - began
        done = refresh(settings)
        assert done is not None and not done.failed, done
        warm = _read_all(settings, password)
        weights = {"Trino": trino_process(settings), "Superset": superset_process(settings), "Redis": redis.background}
        resident = {name: _resident_mb(process) for name, process in weights.items()}
        return SupersetFigures(name, ready, rendered, done.charts, done.seconds, warm, resident)
    finally:
        stack_down(settings, silent)
        redis.stop()


def _read_all(settings: Settings, password: str) -> float:
    api = SupersetApi(settings, "admin", password)
    charts = [chart["id"] for chart in api.rows("/api/v1/chart/", "slice_name", "id")]
    began = time.monotonic()
    for chart in charts:
        api.call("GET", f"/api/v1/chart/{chart}/data/")
    return time.monotonic() - began


def _resident_mb(background: Background) -> float:
    """Of a process and its children; pages that they share count for each."""
    process = background.process()
    family = [process, *process.children(recursive=True)] if process else []
    return sum(member.memory_info().rss for member in family) / MEGABYTE
