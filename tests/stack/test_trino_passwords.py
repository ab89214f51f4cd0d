"""The document's recipe for TLS and passwords, followed to the letter on a real Trino."""

import hashlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pydantic import SecretStr
from rich.console import Console
from trino.auth import BasicAuthentication
from trino.dbapi import connect
from trino.exceptions import TrinoQueryError, TrinoUserError

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack import trino_server
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.trino_registration import local_session, require_answer
from pipeline.registry import all_tables
from tests.stack.documents import indented_blocks
from tests.support.ports import free_port

PASSWORD = "a password of tests"  # noqa: S105
NODE_SECONDS = 30
USERS = ("pipeline", "superset", "listener_anna")


@pytest.fixture
def secured(native: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a running Trino that asks for passwords, on a table with rows of two listeners and for everybody."""
    certificate, _, authenticator, config, *_ = indented_blocks("Passwords and TLS")
    port, folder = free_port(), tmp_path / "trino"
    shutil.copytree(trino_server.CONFIGURATION, folder)
    subprocess.run(["sh", "-e", "-c", certificate], cwd=tmp_path, check=True, capture_output=True)
    (folder / "password.db").write_text("".join(f"{user}:{hashed(PASSWORD)}\n" for user in USERS))
    (folder / "password-authenticator.properties").write_text(authenticator)
    with (folder / "config.properties").open("a") as properties:
        properties.write(config.replace("8443", str(port)).replace("...", "a secret of tests that is long enough"))
    monkeypatch.setattr(trino_server, "CONFIGURATION", folder)
    table = all_tables()["feature_source_coverage"]
    write_deltalake(native.lake_path / table.location, pa.table({"listener": ["me", "anna", "*"]}))
    right = native.model_copy(
        update={
            "trino_uri": f"https://localhost:{port}",
            "trino_password": SecretStr(PASSWORD),
            "trino_certificate": folder / "certificate.pem",
        }
    )
    try:
        stack_up(right, all_tables().values(), Console(), superset=False)
        yield right
    finally:
        stack_down(right, Console())


@pytest.mark.long
def test_with_the_recipe_trino_answers_over_tls_to_the_right_password_only(secured: Settings) -> None:
    require_answer(secured)
    for wrong in (SecretStr("other"), None):
        with pytest.raises(
            LakehouseError, match=r"Trino at https://localhost:.* refused, error 401: check TRINO_PASSWORD"
        ):
            require_answer(secured.model_copy(update={"trino_password": wrong}))
    with pytest.raises(LakehouseError, match="Trino at http://127"):
        require_answer(secured.model_copy(update={"trino_uri": None}))
    with pytest.raises(LakehouseError, match="is not trusted: set TRINO_CERTIFICATE"):
        require_answer(secured.model_copy(update={"trino_certificate": None}))


@pytest.mark.long
def test_a_listener_who_logs_in_gets_own_rows_and_superset_asks_as_that_listener_and_nobody_else(
    secured: Settings,
) -> None:
    assert listeners_seen(secured, login="superset", user="superset") == ["*", "anna", "me"]
    assert listeners_seen(secured, login="listener_anna", user="listener_anna") == ["*", "anna"]
    assert listeners_seen(secured, login="superset", user="listener_anna") == ["*", "anna"]
    for login, user in (("superset", "pipeline"), ("listener_anna", "listener_me"), ("listener_anna", "superset")):
        with pytest.raises(TrinoUserError, match=r"Access Denied: User .* cannot impersonate user"):
            listeners_seen(secured, login=login, user=user)


def listeners_seen(settings: Settings, login: str, user: str) -> list[str]:
    """Whose rows are seen by who logs in as one user and asks as another, as Superset does."""
    address = settings.trino_address.removeprefix("https://").split(":")
    connection = connect(  # type: ignore[no-untyped-call]
        host=address[0], port=int(address[1]), user=user, http_scheme="https",
        http_session=local_session(settings.trino_certificate), auth=BasicAuthentication(login, PASSWORD),
    )  # fmt: skip
    deadline = time.monotonic() + NODE_SECONDS
    with connection:
        while True:
            cursor = connection.cursor()
            try:
                cursor.execute("SELECT listener FROM delta.default.feature_source_coverage ORDER BY listener")
                return [str(listener) for (listener,) in cursor.fetchall()]
            except TrinoQueryError as error:
                # For a moment a new server knows no node that reads tables, not even itself.
                if error.error_name != "NO_NODES_AVAILABLE" or time.monotonic() > deadline:
                    raise


def hashed(password: str) -> str:
    """The other form that Trino reads, for machines without htpasswd: PBKDF2."""
    iterations, salt = 1_000, b"salt of tests"
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, iterations, 32)
    return f"{iterations}:{salt.hex()}:{key.hex()}"
