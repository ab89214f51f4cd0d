"""After a run Superset shows the new rows: it forgets the old ones and computes the dashboards' charts anew."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_api import SupersetApi, is_there

# As the user of this name, who may do nothing else.
USER = "pipeline"
# Superset computes in one process; more requests at once only wait there.
PARALLEL_CHARTS = 4
# A run does not hang on a slow Superset: what is not computed then is computed when somebody looks.
WARM_SECONDS = 120


@dataclass(frozen=True)
class Refreshed:
    """What was done.

    Attributes:
        charts: how many were computed anew.
        failed: names of charts whose query failed, with the reason.
        seconds: how long it took.
    """

    charts: int
    failed: dict[str, str]
    seconds: float

    @property
    def summary(self) -> str:
        """The count in one line, and a line for each reason of a failure."""
        lines = [f"Superset: {self.charts} charts show the new data, after {self.seconds:.0f} s."]
        for reason in dict.fromkeys(self.failed.values()):
            names = [name for name, its in self.failed.items() if its == reason]
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            lines.append(f"Superset cannot compute chart {names[0]}{more}: {reason}")
        return "\n".join(lines)


def refresh(settings: Settings, on_chart: Callable[[int, int], None] = lambda done, of: None) -> Refreshed | None:
    """Make Superset show the lake as it is now.

    Args:
        settings: where Superset is, and the secret of its user `pipeline`.
        on_chart: told how many charts are done, of how many.

    Returns:
        What was done; None where no Superset answers.

    Raises:
        LakehouseError: Superset answers, and refuses.
    """
    if not is_there(settings):
        return None
    began = time.monotonic()
    api = SupersetApi(settings, USER, read_secret(settings.secrets_dir, "superset_pipeline_password"))
    datasets = [f"{dataset['id']}__table" for dataset in api.rows("/api/v1/dataset/", "table_name", "id")]
    api.call("POST", "/api/v1/cachekey/invalidate", json={"datasource_uids": datasets})
    charts = [
        chart
        for chart in api.rows("/api/v1/chart/", "slice_name", "id", "slice_name", "dashboards.id")
        if chart["dashboards"]
    ]  # fmt: skip
    failed: dict[str, str] = {}
    computed: list[int] = []

    def compute(chart: dict[str, object]) -> None:
        if time.monotonic() - began > WARM_SECONDS:
            return
        error = _computed(api, chart["id"])
        if error:
            failed[str(chart["slice_name"])] = error
        else:
            computed.append(1)
        on_chart(len(computed) + len(failed), len(charts))

    with ThreadPoolExecutor(PARALLEL_CHARTS) as pool:
        list(pool.map(compute, charts))
    return Refreshed(len(computed), dict(sorted(failed.items())), time.monotonic() - began)


def _computed(api: SupersetApi, chart: object) -> str:
    """Compute a chart; gives the reason where it failed, else ''."""
    try:
        [told] = api.call("PUT", "/api/v1/chart/warm_up_cache", json={"chart_id": chart}).json()["result"]
    except LakehouseError as error:
        return str(error)
    return str(told["viz_error"] or "")
