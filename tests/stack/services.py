"""Postgres, Redis and Superset for tests: real ones, on ports of their own, stopped at the end."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from lakehouse.settings import Settings
from lakehouse.stack.processes import LOOPBACK, Background, wait_until_it_answers
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_server import PROGRAMS
from lakehouse.stack.trino_registration import local_session

SERVICE_SECONDS = 60


def require_program(found: str | Path | None, what: str, how: str) -> Path:
    """A program that a test needs; where it is missing the test is skipped, in CI it fails."""
    if found is None or not Path(found).is_file():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed: {how}")
    return Path(str(found))


def require_superset() -> None:
    """Superset's environment."""
    require_program(PROGRAMS / "gunicorn", "Superset", "make superset")


@contextmanager
def postgres(folder: Path, port: int, password: str) -> Iterator[str]:
    """A Postgres with an empty database `superset`; gives its URI, without the password."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = require_program(installed[-1] if installed else shutil.which("initdb"), "Postgres", "make stack-packages")
    programs, data, word = initdb.parent, folder / "data", folder / "password"
    folder.mkdir(parents=True)
    word.write_text(password)
    as_somebody: list[str] = []
    if os.geteuid() == 0:  # Postgres refuses to run as root
        shutil.chown(folder, "postgres")
        shutil.chown(word, "postgres")
        as_somebody = ["runuser", "-u", "postgres", "--"]
    run = [*as_somebody, initdb, "-D", data, "-U", "superset", "-A", "scram-sha-256", "--pwfile", word, "-E", "UTF8"]
    subprocess.run([*map(str, run), "--no-locale", "--no-sync"], check=True, capture_output=True, cwd="/")
    options = f"-c listen_addresses={LOOPBACK} -c port={port} -c unix_socket_directories= -c fsync=off"
    control = [*map(str, [*as_somebody, programs / "pg_ctl", "-D", data, "-w", "-l", data / "log"])]
    subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, cwd="/")
    try:
        create = [str(programs / "createdb"), "-h", LOOPBACK, "-p", str(port), "-U", "superset", "superset"]
        subprocess.run(create, check=True, capture_output=True, env={**os.environ, "PGPASSWORD": password})
        yield f"postgresql+psycopg2://superset@{LOOPBACK}:{port}/superset"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")


@dataclass
class RedisServer:
    """A Redis that keeps nothing on disk, so that a restarted one is empty."""

    folder: Path
    port: int
    password: str
    background: Background = field(init=False)

    def __post_init__(self) -> None:
        self.background = Background("redis", self.folder)

    @property
    def url(self) -> str:
        """Where it is, without its password."""
        return f"redis://default@{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        program = require_program(shutil.which("redis-server"), "Redis", "make stack-packages")
        self.folder.mkdir(exist_ok=True)
        options = self.folder / "redis.conf"
        options.write_text(f"requirepass {self.password}\n")
        command = [str(program), str(options), "--bind", LOOPBACK, "--port", str(self.port), "--save", ""]
        self.background.start([*command, "--appendonly", "no", "--dir", str(self.folder)], os.environ)
        wait_until_it_answers(
            self.background, "Redis", lambda: self._cli("ping") == "PONG", SERVICE_SECONDS, lambda log: log.read_text()
        )

    def stop(self) -> None:
        """Stop it."""
        self.background.stop()

    def keys(self, pattern: str) -> list[str]:
        """The keys that fit a pattern."""
        return self._cli("--scan", "--pattern", pattern).split()

    def expire(self, pattern: str) -> None:
        """Let the keys that fit a pattern be gone, as they are after their time."""
        self._cli("del", *self.keys(pattern))

    def _cli(self, *arguments: str) -> str:
        program = require_program(shutil.which("redis-cli"), "Redis", "make stack-packages")
        done = subprocess.run(
            [program, "-p", str(self.port), *arguments],
            env=os.environ | {"REDISCLI_AUTH": self.password}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout.strip()


@dataclass(frozen=True)
class SupersetServer:
    """A running Superset on Postgres and Redis, with the repository's dashboards over the demo lake.

    Attributes:
        settings: with its port, secrets, database and Redis, and the Trino it asks.
        redis: its Redis.
    """

    settings: Settings
    redis: RedisServer

    @property
    def address(self) -> str:
        """Where it answers."""
        return self.settings.superset_address

    @property
    def admin_password(self) -> str:
        """The password of `admin`."""
        return read_secret(self.settings.secrets_dir, "superset_admin_password")

    def login(self, user: str = "admin", password: str | None = None) -> "Api":
        """Its API for a user."""
        return Api(self.address, user, password or self.admin_password)

    def browse(self, user: str, password: str) -> requests.Session:
        """The session of a browser in which a user has logged in."""
        session = local_session()
        page = session.get(f"{self.address}/login/", timeout=60)
        [token] = re.findall(r'id="csrf_token"\s+value="([^"]+)"', page.text)
        login = {"username": user, "password": password, "csrf_token": token}
        answer = session.post(f"{self.address}/login/", data=login, timeout=60, allow_redirects=False)
        assert "login" not in answer.headers["Location"]
        session.headers.update({"X-CSRFToken": token, "Referer": self.address})
        return session


class Api:
    """Superset's REST API, logged in."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self.address = address
        self.session = local_session()
        login = {"username": user, "password": password, "provider": "db", "refresh": False}
        token = self.post("/api/v1/security/login", login).json()["access_token"]
        self.session.headers["Authorization"] = f"Bearer {token}"
        self.session.headers["X-CSRFToken"] = self.get("/api/v1/security/csrf_token/").json()["result"]
        self.session.headers["Referer"] = address

    def get(self, path: str, **options: Any) -> requests.Response:
        """GET, without following to the login page."""
        return self.session.get(self.address + path, timeout=60, allow_redirects=False, **options)

    def post(self, path: str, body: object) -> requests.Response:
        """POST a JSON body."""
        return self.session.post(self.address + path, json=body, timeout=120)

    def put(self, path: str, body: object) -> requests.Response:
        """PUT a JSON body."""
        return self.session.put(self.address + path, json=body, timeout=120)

    def delete(self, path: str) -> requests.Response:
        """DELETE."""
        return self.session.delete(self.address + path, timeout=60)

    def rows(self, path: str) -> list[dict[str, Any]]:
        """All objects of a list, such as `/api/v1/chart/`."""
        answer = self.get(f"{path}?q=(page_size:1000)")
        assert answer.status_code == requests.codes.ok, answer.text
        return list(answer.json()["result"])
