"""The stack in containers, as a user has it: a copy of what the repository holds, and the command `docker compose`."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from trino.dbapi import connect

from tests.support.ports import free_port

REPOSITORY = Path(__file__).resolve().parents[3]
SERVICES = ("postgres", "redis", "trino", "superset", "spotify-scheduler")
UP_SECONDS = 1800
HEAL_SECONDS = 600


def docker(*arguments: str, check: bool = True, timeout: float = 300, data: bytes | None = None) -> str:
    """What a docker command says, standard error after standard output."""
    done = subprocess.run(["docker", *arguments], capture_output=True, timeout=timeout, check=False, input=data)
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert not check or done.returncode == 0, f"docker {' '.join(arguments)}: {said[-3000:]}"
    return said


@dataclass(frozen=True)
class Stack:
    """One project of Compose.

    Attributes:
        folder: the copy of the repository.
        project: its name, part of the names of containers and volumes.
        variables: what the user sets, such as ports and DEMO.
    """

    folder: Path
    project: str
    variables: dict[str, str]

    def run(self, *arguments: str, timeout: float = 900) -> "subprocess.CompletedProcess[str]":
        """`docker compose ...`, whatever becomes of it."""
        return subprocess.run(
            ["docker", "compose", "--progress", "plain", *arguments], cwd=self.folder, capture_output=True, text=True,
            errors="replace", timeout=timeout, check=False, stdin=subprocess.DEVNULL,
            env={**_plain_environment(), "COMPOSE_PROJECT_NAME": self.project, **self.variables},
        )  # fmt: skip

    def __call__(self, *arguments: str, timeout: float = 900) -> str:
        """What `docker compose ...` writes to standard output; it must succeed."""
        done = self.run(*arguments, timeout=timeout)
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-3000:]}"
        return done.stdout

    def lakehouse(self, *arguments: str, timeout: float = 1500) -> str:
        """What a command of the pipeline says, run once as the README tells."""
        return self("run", "--rm", "-T", "spotify-pipeline", "lakehouse", *arguments, timeout=timeout)

    def sql(self, statement: str, user: str = "reader") -> str:
        """The rows of a query as lines of comma-separated values, asked at the port that is published."""
        where = {
            "host": "127.0.0.1",
            "port": int(self.variables["TRINO_PORT"]),
            "catalog": "delta",
            "schema": "default",
        }
        with connect(**where, user=user, source="tests") as connection:  # type: ignore[no-untyped-call]
            rows = connection.cursor().execute(statement).fetchall()
        return "\n".join(",".join(map(str, row)) for row in rows)

    def container(self, service: str) -> dict[str, Any]:
        """`docker inspect` of a service's container."""
        return dict(json.loads(docker("inspect", self._container_name(service)))[0])

    def log(self, service: str) -> str:
        """What a service's container has written since it was made."""
        return docker("logs", self._container_name(service))

    def _container_name(self, service: str) -> str:
        """As Compose names it. Asking Compose would take a fifth of a second of a core, each time somebody waits."""
        return f"{self.project}-{service}-1"

    def health(self, service: str) -> str:
        """'healthy', 'starting', 'unhealthy', or the container's state where it does not run."""
        state = self.container(service)["State"]
        return str(state["Health"]["Status"]) if state["Status"] == "running" else str(state["Status"])

    def wait_until(self, service: str, wanted: str, seconds: float = HEAL_SECONDS) -> None:
        """Wait for a state of health."""
        self.wait_for(lambda: self.health(service) == wanted, service, seconds)

    def wait_for(self, condition: Callable[[], bool], service: str, seconds: float = HEAL_SECONDS) -> None:
        """Wait for something; where it does not come, the service's log and health tell why."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                health = json.dumps(self.container(service)["State"].get("Health"), indent=1)
                pytest.fail(f"{service}: {health}\n{self('logs', '--tail', '20', service)}")
            time.sleep(0.5)

    def copy(self, folder: Path, project: str, **variables: str) -> "Stack":
        """The same images in another project of its own, with nothing in it from an earlier time."""
        copy_repository(folder)
        made = Stack(folder, project, self.variables).with_variables(**variables)
        made("down", "--volumes", "--remove-orphans")
        return made

    def with_variables(self, **variables: str) -> "Stack":
        """The same project with other variables."""
        return replace(self, variables={**self.variables, **variables})

    def superset(self) -> "SupersetApi":
        """Superset's API, logged in as the user that `lakehouse credentials` shows."""
        told = dict(line.split(maxsplit=1) for line in self.lakehouse("credentials").splitlines())
        return SupersetApi(told["Superset"], told["password"])


class SupersetApi:
    """Superset as `admin`."""

    def __init__(self, address: str, password: str) -> None:
        """Log in."""
        self._address, self._session = address, requests.Session()
        self._session.trust_env = False
        login = {"username": "admin", "password": password, "provider": "db"}
        token = self._answer(self._session.post(f"{address}/api/v1/security/login", json=login, timeout=60))
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def get(self, path: str) -> Any:
        """An answer of the API."""
        return self._answer(self._session.get(f"{self._address}/api/v1/{path}", timeout=120))

    @staticmethod
    def _answer(answer: requests.Response) -> Any:
        assert answer.ok, f"{answer.url}: {answer.status_code} {answer.text[:500]}"
        return answer.json()


@contextmanager
def brought_up(
    folder: Path, project: str, tell: Callable[[str], None], *options: str, **variables: str
) -> Iterator[Stack]:
    """A stack on demo data that `docker compose up --wait` brings up from nothing; in the end it is taken down.

    Args:
        folder: a copy of the repository; logs of the containers go beside it.
        project: names containers and volumes.
        tell: is told at once what it took, and where the logs are.
        options: of `up`.
        variables: what the user sets, beside ports of its own.
    """
    ports = {"TRINO_PORT": str(free_port()), "SUPERSET_PORT": str(free_port())}
    made = Stack(folder, project, {**ports, "DEMO": "true", **variables})
    made.run("down", "--volumes", "--remove-orphans")
    began = time.monotonic()
    made("build", timeout=UP_SECONDS)
    tell(f"\nbuilt after {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    try:
        made("up", "--detach", "--wait", *options, timeout=UP_SECONDS)
        tell(f"up after {time.monotonic() - began:.0f} s")
        tell(docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}"))
        tell(docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"))
        yield made
    finally:
        logs = folder.parent / "compose.log"
        logs.write_text(made.run("logs", "--timestamps").stdout)
        tell(f"\nlogs of the containers: {logs}")
        made.run("down", "--volumes", "--remove-orphans")


def copy_repository(folder: Path) -> None:
    """What a fresh clone of this working tree would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=REPOSITORY, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (REPOSITORY / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, folder / name)


def _plain_environment() -> dict[str, str]:
    """This process's environment without the settings that Compose would pass on."""
    mentioned = (REPOSITORY / ".env.example").read_text()
    return {name: value for name, value in os.environ.items() if f"\n# {name}=" not in mentioned and name != "DEMO"}
