"""Superset as a plain process in its own Python environment: prepared, then started on loopback."""

import os
import subprocess
from pathlib import Path

import requests
from pydantic import SecretStr
from rich.console import Console

from lakehouse import PROJECT
from lakehouse.console import say
from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack.processes import LOOPBACK, Background, require_free_port, wait_until_it_answers
from lakehouse.stack.secret_files import create_secrets
from lakehouse.stack.trino_registration import local_session
from lakehouse.state_files import PRIVATE_FOLDER

CONFIGURATION = PROJECT / "superset"
PROGRAMS = PROJECT / ".venv-superset" / "bin"
START_SECONDS = 180
# As long as migrations of an empty database take on a slow disk.
BOOTSTRAP_SECONDS = 900


def superset_process(settings: Settings) -> Background:
    """Superset's process, which may not be running."""
    return Background("superset", settings.stack_dir.resolve())


def superset_answers(settings: Settings) -> bool:
    """Whether Superset shows its pages; the health check alone succeeds even where no page works."""
    try:
        session = local_session()
        pages = (session.get(f"{settings.superset_address}{page}", timeout=10) for page in ("/health", "/login/"))
        return all(page.status_code == requests.codes.ok for page in pages)
    except requests.RequestException:
        return False


def start_superset(settings: Settings, console: Console) -> None:
    """Bring Superset's metadata and dashboards up to date, start it and wait until it shows its pages.

    One that already runs on the same lake is left alone.

    Raises:
        LakehouseError: it is not installed or cannot be started; says why, what to do, and where the log is.
    """
    superset = superset_process(settings)
    facts = {"port": settings.superset_port, "lake": settings.lake_uri.removeprefix("file://")}
    if superset.process():
        if {name: superset.facts[name] for name in facts} != facts:
            raise LakehouseError(
                f"Superset runs already, on port {superset.facts['port']} and lake {superset.facts['lake']}: "
                "run `lakehouse stack down` first"
            )
        say(console, f"Superset runs already at {settings.superset_address}.")
        return
    if not (PROGRAMS / "gunicorn").is_file():
        raise LakehouseError(
            "Superset is not installed: run `make superset`, or start without it: `lakehouse stack up --trino-only`"
        )
    create_secrets(settings.secrets_dir)
    require_free_port(settings.superset_port, "SUPERSET_PORT")
    with console.status("Preparing Superset ..."):
        bootstrap(settings)
    with console.status("Starting Superset ..."):
        command = [str(PROGRAMS / "gunicorn"), "-c", str(CONFIGURATION / "gunicorn.conf.py")]
        superset.start(command, environment(settings), **facts)
        seconds = wait_until_it_answers(
            superset, "Superset", lambda: superset_answers(settings), START_SECONDS, _last_error
        )
    say(console, f"Superset answers at {settings.superset_address} after {seconds:.0f} s.")
    say(console, "Log in as `admin`; `lakehouse credentials` shows the password, which is kept in "
        f"{settings.secrets_dir / 'superset_admin_password'}.")  # fmt: skip


def bootstrap(settings: Settings) -> None:
    """Bring metadata, roles, users and dashboards up to date.

    Raises:
        LakehouseError: it failed, and no dashboard was changed; says why and where the log is.
    """
    log = settings.stack_dir.resolve() / "superset-bootstrap.log"
    command = [str(PROGRAMS / "python"), str(CONFIGURATION / "bootstrap.py")]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as stream:
        try:
            done = subprocess.run(  # noqa: S603  (the command is ours)
                command, env=environment(settings), stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                timeout=BOOTSTRAP_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise LakehouseError(
                f"Superset was not prepared within {BOOTSTRAP_SECONDS} s; the log of it: {log}"
            ) from None
    if done.returncode:
        raise LakehouseError(f"Superset could not be prepared: {_last_error(log)}; the log of it: {log}")


def environment(settings: Settings) -> dict[str, str]:
    """The environment that Superset's configuration reads, from our settings alone."""
    home = settings.stack_dir.resolve() / "superset"
    home.mkdir(parents=True, exist_ok=True)
    # Its database holds hashes of passwords.
    home.chmod(PRIVATE_FOLDER)
    address = settings.trino_address.partition("://")[2]
    ours = {
        "SUPERSET_HOME": str(home),
        "SUPERSET_CONFIG_PATH": str(CONFIGURATION / "superset_config.py"),
        "SUPERSET_HOST": LOOPBACK,
        "SUPERSET_PORT": str(settings.superset_port),
        "SUPERSET_TRINO_URI": _value_of(settings.superset_trino_uri) or f"trino://superset@{address}/delta/default",
        "SUPERSET_DATABASE_URI": _value_of(settings.superset_database_uri),
        "REDIS_URL": _value_of(settings.redis_url),
        "SECRETS_DIR": str(settings.secrets_dir.resolve()),
        "LISTENER": settings.listener,
    }
    return {**os.environ, **ours}


def _value_of(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret else ""


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    ours = [line.removeprefix("superset: ") for line in lines if line.startswith("superset: ")]
    return (ours or lines or ["it gave no reason"])[-1][:600]
