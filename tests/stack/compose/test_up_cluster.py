"""`docker compose` with the override for several workers: they all work, on tables in an object store, and heal."""

from collections.abc import Iterator

import pytest

from tests.cluster.servers import KEYS, answer
from tests.stack.compose.conftest import line_writer
from tests.stack.compose.stack import SERVICES, UP_SECONDS, Stack, brought_up, copy_repository, docker

pytestmark = [pytest.mark.compose, pytest.mark.long]
SPARK_WORKERS, TRINO_WORKERS = 2, 2
FILES = "docker-compose.yml:docker-compose.cluster.yml"
PLAYS = "SELECT count(*), sum(ms_played), count(DISTINCT session_id) FROM listening_with_features"
# The same of a table in a folder.
OF_FOLDER = """
from deltalake import DeltaTable
plays = DeltaTable("/tmp/lake/silver/listening_with_features").to_pandas(columns=["ms_played", "session_id"])
print(len(plays), plays.ms_played.sum(), plays.session_id.nunique(), sep=",")
"""


@pytest.fixture(scope="module")
def cluster(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack on demo data with several workers of both kinds, brought up from nothing."""
    folder = tmp_path_factory.mktemp("cluster")
    copy_repository(folder)
    many = ("--scale", f"spark-worker={SPARK_WORKERS}", "--scale", f"trino-worker={TRINO_WORKERS}")
    with brought_up(folder, "lakehouse-cluster", line_writer(pytestconfig), *many, COMPOSE_FILE=FILES, **KEYS) as made:
        yield made


def containers_of(cluster: Stack, service: str) -> list[str]:
    return cluster("ps", "--quiet", service).split()


def test_everything_is_healthy_and_every_worker_works(cluster: Stack) -> None:
    assert {service: cluster.health(service) for service in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    workers = containers_of(cluster, "spark-worker")
    assert len(workers) == SPARK_WORKERS
    assert [name for name in workers if "Asked to launch executor" not in docker("logs", name)] == []
    by_track = "SELECT track_id, count(*) FROM delta.default.listening_history_bronze GROUP BY 1"
    port = int(cluster.variables["TRINO_PORT"])
    cluster.wait_for(lambda: answer(port, by_track)[1] == 1 + TRINO_WORKERS, "trino", 120)


def test_the_tables_are_those_of_one_machine_and_lie_in_the_store(cluster: Stack) -> None:
    alone = ("run", "--rm", "-T", "--no-deps", "-e", "LAKE_URI=file:/tmp/lake", "-e", "SPARK_MASTER=local[2]")
    commands = ("demo-data /tmp/demo", "import /tmp/demo", f"run --select {PLAYS.split()[-1]}")
    build = " && ".join(f"lakehouse {command} >/tmp/log" for command in commands)
    said = cluster(*alone, "spotify-pipeline", "sh", "-c", f"{build}; python -c '{OF_FOLDER}'", timeout=UP_SECONDS)
    plays = said.strip().splitlines()[-1]
    assert plays.startswith("1504,")
    assert cluster.sql(PLAYS) == plays
    objects = docker("exec", cluster.container("object-store")["Id"], "ls", "/objects/buckets/lake/listening")
    assert {"bronze", "silver", "gold", "models"} <= set(objects.split())


def test_dashboards_show_what_the_store_holds(cluster: Stack) -> None:
    superset = cluster.superset()
    assert superset.get("dashboard/")["count"] == 6
    charts = {chart["slice_name"]: chart["id"] for chart in superset.get("chart/?q=(page_size:200)")["result"]}
    answers = superset.get(f"chart/{charts['What these charts rest on · all time']}/data/")["result"]
    assert "1504" in str(answers).replace(",", "")


def test_a_killed_worker_is_made_up_for(cluster: Stack) -> None:
    before = cluster.sql(PLAYS)
    name = cluster("run", "--detach", "spotify-pipeline", "lakehouse", "run", "--full").strip().splitlines()[-1]
    try:
        worker = containers_of(cluster, "spark-worker")[0]
        launched = docker("logs", worker).count("Asked to launch executor")
        cluster.wait_for(
            lambda: docker("logs", worker).count("Asked to launch executor") > launched, "spark-worker", 300
        )
        docker("kill", worker)
        assert docker("wait", name, timeout=UP_SECONDS).strip() == "0", docker("logs", name)
    finally:
        docker("rm", "--force", name)
    docker("start", worker)
    assert cluster.sql(PLAYS) == before


def test_a_store_that_is_away_is_said_in_one_line_and_the_next_run_is_right(cluster: Stack) -> None:
    before = cluster.sql(PLAYS)
    cluster("stop", "spotify-scheduler", "object-store")
    refused = cluster.run("run", "--rm", "-T", "--no-deps", "spotify-pipeline", "lakehouse", "run")
    assert refused.returncode == 1
    assert "object-store:7070" in refused.stderr and "Traceback" not in refused.stderr
    cluster("start", "object-store", "spotify-scheduler")
    for service in SERVICES:
        cluster.wait_until(service, "healthy")
    assert "up to date" in cluster.lakehouse("run")
    assert cluster.sql(PLAYS) == before
