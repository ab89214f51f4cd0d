"""Set Superset up: migrate its database, create roles and users, import the assets of this folder. Idempotent.

Runs in Superset's own environment, with the variables of `superset_config.py` and these:

| variable | meaning |
|---|---|
| SUPERSET_TRINO_URI | the lake's Trino; default trino://superset@trino:8080/delta/default |
| SUPERSET_ASSETS | folder of the assets; default `assets` next to this file |
| SUPERSET_WAIT_SECONDS | time limit for waiting for Postgres, Redis and Trino; default 120 |

Exit code 0, or 1 and one line that says what is wrong; then no asset was changed.
"""

import logging
import os
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER))
os.environ.setdefault("SUPERSET_CONFIG_PATH", str(FOLDER / "superset_config.py"))

import asset_files  # noqa: E402
import superset_config  # noqa: E402
from sqlalchemy import create_engine, text  # noqa: E402
from sqlalchemy.engine import make_url  # noqa: E402
from sqlalchemy.exc import SQLAlchemyError  # noqa: E402

TRINO_URI = os.environ.get("SUPERSET_TRINO_URI") or "trino://superset@trino:8080/delta/default"
ASSETS = Path(os.environ.get("SUPERSET_ASSETS") or FOLDER / "assets")
WAIT_SECONDS = float(os.environ.get("SUPERSET_WAIT_SECONDS") or 120)
RETRY_SECONDS = 0.5


def fail(message: str) -> None:
    """Exit with one line."""
    sys.exit(f"superset: {' '.join(message.split())[:600]}")


def say(message: str) -> None:
    """Print a step with the time since the start."""
    print(f"[{time.monotonic() - STARTED:5.1f} s] {message}", flush=True)  # noqa: T201


def wait_for(name: str, address: str, answers: Callable[[], object]) -> None:
    """Wait until a service answers, up to the time limit."""
    deadline = STARTED + WAIT_SECONDS
    while True:
        try:
            answers()
        except Exception as error:
            if time.monotonic() > deadline:
                reason = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
                fail(f"{name} does not answer at {address} within {WAIT_SECONDS:.0f} s: {reason[0]}")
            time.sleep(RETRY_SECONDS)
        else:
            return


def ask(uri: str, **connect_args: object) -> Callable[[], object]:
    """A function that runs the smallest query."""

    def answer() -> None:
        engine = create_engine(uri, connect_args=connect_args)
        try:
            with engine.connect() as connection:
                connection.execute(text("SELECT 1")).fetchall()
        finally:
            engine.dispose()

    return answer


def wait_for_services() -> None:
    """Wait for all configured services; for Trino because the import asks it for its schemas."""
    metadata = make_url(superset_config.SQLALCHEMY_DATABASE_URI)
    if metadata.get_backend_name() == "sqlite":
        Path(metadata.database).parent.mkdir(parents=True, exist_ok=True)
    else:
        name = "Postgres" if metadata.get_backend_name() == "postgresql" else metadata.get_backend_name()
        wait_for(name, f"{metadata.host}:{metadata.port or 5432}", ask(metadata, connect_timeout=5))
    if superset_config.REDIS_URL:
        from redis import Redis

        shown = superset_config.REDIS_URL.rpartition("@")[2].removeprefix("redis://")
        redis = Redis.from_url(superset_config.REDIS_URL, socket_timeout=5, socket_connect_timeout=5)
        wait_for("Redis", shown, redis.ping)
    trino = make_url(TRINO_URI)
    scheme = "https" if trino.password else "http"
    smallest = ask(TRINO_URI, request_timeout=10, max_attempts=1, http_scheme=scheme)
    wait_for("Trino", f"{trino.host}:{trino.port}", smallest)


def main() -> None:
    """Run all steps."""
    admin_password = superset_config.required_secret("superset_admin_password")
    pipeline_password = superset_config.required_secret("superset_pipeline_password")
    assets = asset_files.read_assets(ASSETS)
    asset_files.check_links(assets)
    wait_for_services()
    say("metadata database and Trino answer")
    # Superset's messages are about its own upgrades and optional features.
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")

    from superset.app import create_app

    app = create_app()
    with app.app_context():
        import accounts
        import asset_import
        from flask_migrate import upgrade
        from superset import security_manager

        with redirect_stdout(StringIO()):
            upgrade(directory=str(Path(sys.modules["superset"].__file__).parent / "migrations"))
        say("metadata is up to date")
        accounts.make_built_in_roles()
        accounts.make_admin(admin_password)
        counts = asset_import.import_assets(assets, TRINO_URI, security_manager.find_user("admin"))
        say("assets: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))
        accounts.make_own_roles(asset_import.database_of(assets), asset_import.OURS)
        accounts.make_pipeline(pipeline_password)
        say("roles and users are ready")


if __name__ == "__main__":
    STARTED = time.monotonic()
    try:
        main()
    except asset_files.AssetError as error:
        fail(str(error))
    except SQLAlchemyError as error:
        fail(f"the metadata database refused: {getattr(error, 'orig', None) or error}")
