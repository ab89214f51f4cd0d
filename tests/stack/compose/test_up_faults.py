"""Killed, full, upgraded, misused: the stack heals by itself or says in one line what is wrong; nothing is lost."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.compose.stack import SERVICES, UP_SECONDS, Stack, docker
from tests.support.ports import free_port

pytestmark = pytest.mark.compose
PLAYS = "SELECT count(*), sum(ms_played), count(DISTINCT played_at) FROM listening_with_features"


@pytest.fixture
def plays(stack: Stack) -> Iterator[str]:
    """What the lake holds; the same after each test, with everything healthy."""
    before = stack.sql(PLAYS)
    assert int(before.split(",")[0]) > 1000
    yield before
    for service in SERVICES:
        stack.wait_until(service, "healthy")
    assert stack.sql(PLAYS) == before
    assert stack.superset().get("dashboard/?q=(page_size:100)")["count"] == 6


def kill_main_process(container: str) -> None:
    """SIGKILL from outside: for Docker this is a crash, not a wish of the user."""
    os.kill(int(docker("inspect", "--format", "{{.State.Pid}}", container)), signal.SIGKILL)


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_comes_back_by_itself(service: str, stack: Stack, plays: str) -> None:
    container = stack.container(service)
    kill_main_process(container["Id"])
    started = container["State"]["StartedAt"]
    stack.wait_for(lambda: stack.container(service)["State"]["StartedAt"] != started, service, 60)


def test_a_run_killed_in_the_middle_is_completed_by_the_next(stack: Stack, plays: str) -> None:
    name = stack("run", "--detach", "spotify-pipeline", "lakehouse", "run", "--full").strip().splitlines()[-1]
    try:
        scheduler = stack.container("spotify-scheduler")["Id"]
        commits = ("exec", scheduler, "ls", "/lake/silver/catalogue_tracks/_delta_log")
        before = docker(*commits)
        stack.wait_for(lambda: docker(*commits) != before, "spotify-scheduler")
        kill_main_process(name)
        assert docker("wait", name).strip() == "137"
    finally:
        docker("rm", "--force", name)
    stack.sql("SELECT count(*) FROM catalogue_tracks")
    stack.lakehouse("run")
    assert stack.sql("SELECT count(*) FROM delta.ops.pipeline_runs WHERE status = 'killed'") != "0"


def test_down_and_up_keeps_everything(stack: Stack, plays: str) -> None:
    password = stack.lakehouse("credentials")
    stack("down")
    stack("up", "--detach", "--wait", timeout=UP_SECONDS)
    assert stack.lakehouse("credentials") == password


def test_the_next_version_finds_everything_in_place(stack: Stack, plays: str) -> None:
    before = {service: stack.container(service)["Image"] for service in SERVICES}
    for name in ("scheduler/logs.py", "superset/gunicorn.conf.py"):
        with (stack.folder / name).open("a") as file:
            file.write("\nNEXT_VERSION = True\n")
    stack("up", "--build", "--detach", "--wait", timeout=UP_SECONDS)
    after = {service: stack.container(service)["Image"] for service in SERVICES}
    changed = {service for service in SERVICES if before[service] != after[service]}
    assert changed == {"superset", "spotify-scheduler"}
    stack("exec", "-T", "spotify-scheduler", "python", "-c", "from scheduler.logs import NEXT_VERSION")


def test_a_backup_brings_back_the_lake_and_superset(stack: Stack, plays: str, tmp_path: Path) -> None:
    saved = tmp_path / "backup"
    compose = ["docker", "compose", "run", "--rm", "-T", "spotify-pipeline", "lakehouse"]
    environment = {**os.environ, "COMPOSE_PROJECT_NAME": stack.project, **stack.variables}
    with saved.open("wb") as file:
        subprocess.run([*compose, "backup", "-"], cwd=stack.folder, env=environment, stdout=file, check=True)
    dashboard = stack.superset().get("dashboard/?q=(page_size:100)")["result"][0]
    stack("exec", "-T", "postgres", "psql", "-U", "superset", "-c",
          f"UPDATE dashboards SET dashboard_title = 'changed' WHERE id = {dashboard['id']}")  # fmt: skip
    stack("exec", "-T", "spotify-scheduler", "sh", "-c", "rm -r /lake/gold /lake/models")
    stack("stop", "spotify-scheduler")
    with saved.open("rb") as file:
        subprocess.run([*compose, "restore", "-"], cwd=stack.folder, env=environment, stdin=file, check=True)
    stack("up", "--detach", "--wait", timeout=UP_SECONDS)
    titles = {found["id"]: found["dashboard_title"] for found in stack.superset().get("dashboard/")["result"]}
    assert titles[dashboard["id"]] == dashboard["dashboard_title"]
    assert "up to date" in stack.lakehouse("run")


def test_a_full_disk_is_said_and_every_table_stays_readable(stack: Stack) -> None:
    volume = f"{stack.project}-small"
    docker("volume", "create", "--driver", "local", "--opt", "type=tmpfs", "--opt", "device=tmpfs",
           "--opt", "o=size=12m,uid=1000", volume)  # fmt: skip
    options = ("--rm", "--network", "none", "--tmpfs", "/tmp:exec,size=1g", "--volume", f"{volume}:/lake")
    # Kept in memory for as long as somebody has it mounted.
    holder = docker("run", "--detach", *options[1:], "lakehouse", "sleep", "3600").strip()
    try:
        said = docker("run", *options, "lakehouse", "lakehouse", "run", "--demo", check=False, timeout=1500)
        assert "No space left on device" in said
        assert "Traceback" not in said
        checked = docker("run", *options, "lakehouse", "lakehouse", "status", check=False)
        assert "Traceback" not in checked
        assert "catalogue_tracks" in checked
    finally:
        docker("rm", "--force", holder)
        docker("volume", "rm", volume)


@pytest.fixture
def other(stack: Stack, tmp_path: Path) -> Iterator[Stack]:
    """A second project with the same images, not started."""
    made = stack.copy(
        tmp_path / "clone", "lakehouse-other", TRINO_PORT=str(free_port()), SUPERSET_PORT=str(free_port()), DEMO=""
    )
    yield made
    made.run("down", "--volumes", "--remove-orphans")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DEMO", "perhaps", "error unusable setting in the environment or .env: DEMO='perhaps'"),
        ("LISTENER_TIME_ZONE", "Berlin", "LISTENER_TIME_ZONE='Berlin': must be an IANA time zone"),
    ],
)
def test_an_unusable_setting_is_said_by_the_first_service(other: Stack, name: str, value: str, message: str) -> None:
    done = other.with_variables(**{name: value}).run("up", "--detach", "--wait")
    assert done.returncode != 0
    assert other.container("init")["State"]["ExitCode"] == 2
    said = other("logs", "--no-log-prefix", "init").strip().splitlines()
    assert len(said) == 1
    assert message in said[0]


def test_a_taken_port_is_said(other: Stack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(other.variables["TRINO_PORT"])))
        taken.listen()
        done = other.run("up", "--detach", "--wait", "trino")
    assert done.returncode != 0
    assert other.variables["TRINO_PORT"] in done.stderr
    assert "address already in use" in done.stderr


def test_secrets_of_another_owner_are_given_back_by_init_and_named_by_who_cannot_read_them(other: Stack) -> None:
    other("up", "--detach", "init")
    docker("wait", other.container("init")["Id"])
    other("run", "--rm", "-T", "init", "chown", "-R", "4321:4321", "/secrets")
    done = other.run("run", "--rm", "-T", "--no-deps", "spotify-pipeline", "lakehouse", "credentials")
    assert done.returncode == 1
    assert "/secrets/superset_admin_password cannot be read (Permission denied): check who owns it" in done.stderr
    refused = other.run("run", "--rm", "-T", "--no-deps", "superset")
    assert refused.returncode != 0
    assert "check who owns it" in refused.stdout + refused.stderr
    other("up", "--detach", "init")
    docker("wait", other.container("init")["Id"])
    assert "password" in other.lakehouse("credentials")
