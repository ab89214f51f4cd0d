"""`docker compose up` gives a whole stack, and gives nothing away."""

import json
import socket
import subprocess
from pathlib import Path

import psutil
import psycopg
import pytest

from lakehouse.stack.secret_files import SECRETS
from tests.stack.compose.conftest import PLANTED
from tests.stack.compose.stack import REPOSITORY, SERVICES, Stack, docker
from tests.superset.bundle import ASSETS

pytestmark = pytest.mark.compose
GIB = 2**30
OWN_IMAGES = ("lakehouse", "lakehouse-superset")


@pytest.fixture(scope="module")
def secret_values(stack: Stack) -> dict[str, str]:
    return {name: stack("exec", "-T", "superset", "cat", f"/secrets/{name}").strip() for name in SECRETS}


def test_every_service_is_healthy_and_init_is_done(stack: Stack) -> None:
    assert {service: stack.health(service) for service in SERVICES} == dict.fromkeys(SERVICES, "healthy")
    state = stack.container("init")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)
    assert "lakehouse credentials" in stack("logs", "init")


def test_the_file_is_understood_without_a_warning(stack: Stack) -> None:
    done = stack.run("config", "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_own_images_are_built_once_each_and_asked_for_nowhere(stack: Stack) -> None:
    services = json.loads(stack("--profile", "manual", "config", "--format", "json"))["services"]
    own = [name for name, service in services.items() if service["image"] in OWN_IMAGES]
    assert [services[name]["image"] for name in own if "build" in services[name]] == list(OWN_IMAGES)
    stack("pull", *own)


def test_trino_s_client_answers_in_its_container(stack: Stack) -> None:
    client = ("exec", "-T", "trino", "trino", "--user", "reader", "--catalog", "delta", "--schema", "default")
    statement = "SELECT sum(total_plays) FROM temporal_trends"
    assert int(stack(*client, "--output-format", "CSV_UNQUOTED", "--execute", statement)) > 1000


def test_superset_shows_all_dashboards_and_every_chart_has_data(stack: Stack) -> None:
    superset = stack.superset()
    wanted = len(list((ASSETS / "dashboards").glob("*.yaml")))
    assert superset.get("dashboard/?q=(page_size:100)")["count"] == wanted == 6
    charts = superset.get("chart/?q=(page_size:200)")["result"]
    assert len(charts) == len(list((ASSETS / "charts").rglob("*.yaml")))
    failed, empty = {}, []
    for chart in charts:
        try:
            answers = superset.get(f"chart/{chart['id']}/data/")["result"]
        except AssertionError as error:
            failed[chart["slice_name"]] = str(error)
            continue
        empty += [chart["slice_name"] for answer in answers if not answer["data"]]
    assert failed == {}
    assert len(empty) < len(charts) / 10, empty


def test_the_pipeline_runs_any_command_once(stack: Stack) -> None:
    assert "up to date" in stack.lakehouse("run")
    assert "temporal_trends" in stack(
        "run", "--rm", "-T", "-e", "COLUMNS=200", "spotify-pipeline", "lakehouse", "status"
    )


def test_no_process_is_root(stack: Stack) -> None:
    for service in SERVICES:
        name = stack.container(service)["Name"].strip("/")
        users = docker("top", name, "-eo", "pid,uid,comm").splitlines()[1:]
        assert users
        assert not [line for line in users if line.split()[1] == "0"], service


def test_containers_have_no_rights_that_they_do_not_need(stack: Stack) -> None:
    for service in SERVICES:
        host = stack.container(service)["HostConfig"]
        assert host["CapDrop"] == ["ALL"], service
        assert not host["CapAdd"], service
        assert host["ReadonlyRootfs"], service
        assert host["SecurityOpt"] == ["no-new-privileges:true"], service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}, service
        assert host["Memory"], service


def test_the_memory_limits_fit_a_machine_of_8_gb(stack: Stack) -> None:
    limits = json.loads(stack("--profile", "manual", "config", "--format", "json"))["services"]
    memory = {name: int(service["mem_limit"]) for name, service in limits.items() if name != "init"}
    assert set(memory) == {*SERVICES, "spotify-pipeline"}
    # One of these two works at a time.
    assert memory.pop("spotify-pipeline") == memory["spotify-scheduler"]
    assert sum(memory.values()) <= 6 * GIB


def test_only_two_ports_are_published_and_on_loopback(stack: Stack) -> None:
    published = {
        (binding["HostIp"], binding["HostPort"])
        for service in SERVICES
        for bindings in stack.container(service)["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    }
    wanted = {stack.variables["TRINO_PORT"], stack.variables["SUPERSET_PORT"]}
    assert published == {("127.0.0.1", port) for port in wanted}
    sockets = [connection for connection in psutil.net_connections("inet") if connection.status == psutil.CONN_LISTEN]
    addresses = [(str(address), str(port)) for address, port in (tuple(listener.laddr) for listener in sockets)]
    listening = {(address, port) for address, port in addresses if port in wanted}
    assert listening == published


def test_nobody_but_superset_and_the_pipeline_reaches_its_database(stack: Stack) -> None:
    look = ("exec", "-T", "trino", "getent", "hosts")
    assert stack.run(*look, "superset").returncode == 0
    assert stack.run(*look, "postgres").returncode != 0
    assert stack.run("exec", "-T", "spotify-scheduler", "getent", "hosts", "postgres").returncode != 0


def test_redis_and_postgres_answer_nobody_without_their_passwords(stack: Stack) -> None:
    """Neither another container nor a process of this machine, which reaches containers by their addresses."""
    ping = (
        "import socket; s = socket.create_connection(('redis', 6379), 9); s.sendall(b'PING\\r\\n'); print(s.recv(99))"
    )
    assert "NOAUTH" in stack("exec", "-T", "superset", "python", "-c", ping)
    [network] = stack.container("redis")["NetworkSettings"]["Networks"].values()
    with socket.create_connection((network["IPAddress"], 6379), 9) as connection:
        connection.sendall(b"PING\r\n")
        assert b"NOAUTH" in connection.recv(99)
    [network] = stack.container("postgres")["NetworkSettings"]["Networks"].values()
    for password in ("", "superset"):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=network["IPAddress"], user="superset", dbname="superset", password=password)


def test_no_secret_is_in_what_docker_tells(stack: Stack, secret_values: dict[str, str]) -> None:
    assert len(set(secret_values.values())) == len(SECRETS)
    containers = stack("ps", "--all", "--quiet").split()
    told = docker("inspect", *containers) + stack("logs") + stack("--profile", "manual", "config")
    told += docker("history", "--no-trunc", *OWN_IMAGES[:1]) + docker("history", "--no-trunc", *OWN_IMAGES[1:])
    hidden = {**secret_values, "planted": PLANTED}
    assert [name for name, value in hidden.items() if value in told] == []


def test_no_secret_is_in_the_images(stack: Stack, secret_values: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "secrets").write_text("\n".join([*secret_values.values(), PLANTED]) + "\n")
    with subprocess.Popen(["docker", "save", *OWN_IMAGES], stdout=subprocess.PIPE) as saved:
        search = ["grep", "--text", "--count", "--fixed-strings", "--file", str(tmp_path / "secrets")]
        found = subprocess.run(search, stdin=saved.stdout, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == "0"


def test_secrets_are_mounted_where_they_are_needed_alone(stack: Stack) -> None:
    mounts = {service: {m["Destination"] for m in stack.container(service)["Mounts"]} for service in SERVICES}
    assert {service for service in SERVICES if "/secrets" in mounts[service]} == {"superset", "spotify-scheduler"}
    for single in ("postgres", "redis"):
        assert {service for service in SERVICES if f"/run/{single}-secret" in mounts[service]} == {single}
    assert stack("exec", "-T", "spotify-scheduler", "cat", "data/settings/SPOTIFY_CLIENT_SECRET") == PLANTED


def test_trino_cannot_write_to_the_lake(stack: Stack) -> None:
    refused = stack.run("exec", "-T", "trino", "touch", "/lake/gold/new")
    assert "Read-only file system" in refused.stderr
    assert stack.run("exec", "-T", "trino", "touch", "/lake/metastore/.new").returncode == 0
    deleted = stack.run("exec", "-T", "trino", "trino", "--user", "pipeline", "--execute",
                        "DELETE FROM delta.default.temporal_trends")  # fmt: skip
    assert deleted.returncode != 0


def test_drivers_of_superset_are_those_of_the_lock() -> None:
    lock = (REPOSITORY / "superset" / "requirements.lock").read_text()
    dockerfile = (REPOSITORY / "superset" / "Dockerfile").read_text()
    for driver in ("psycopg2-binary", "trino"):
        version = lock.split(f"\n{driver}==")[1].split()[0]
        assert f"=={version}" in dockerfile.split(driver, 1)[1].splitlines()[0], driver
