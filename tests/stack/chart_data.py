"""What charts get from Superset's API, without a browser."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.stack.services import Api
from tests.superset.bundle import charts

# As many as the product warms at once.
PARALLEL_CHARTS = 4

Results = list[dict[str, Any]]


def numbers_of(api: Api) -> dict[str, int]:
    """The number that Superset gave each chart, by uuid."""
    return {chart["uuid"]: chart["id"] for chart in api.rows("/api/v1/chart/")}


def computed(api: Api) -> dict[str, Results]:
    """The results of every chart's own queries, by uuid: computed by Trino now and cached from then on."""
    numbers = numbers_of(api)

    def compute(uuid: str) -> Results:
        answer = api.get(f"/api/v1/chart/{numbers[uuid]}/data/?force=true")
        assert answer.status_code == 200, f"{charts()[uuid]}: {answer.text[:500]}"
        return list(answer.json()["result"])

    with ThreadPoolExecutor(PARALLEL_CHARTS) as pool:
        return dict(zip(charts(), pool.map(compute, charts()), strict=True))


def forget_cached(api: Api) -> None:
    """Make Superset ask Trino again for everything."""
    numbers = [f"{dataset['id']}__table" for dataset in api.rows("/api/v1/dataset/")]
    answer = api.post("/api/v1/cachekey/invalidate", {"datasource_uids": numbers})
    assert answer.status_code == 201, answer.text
