"""The document's recipe for TLS and passwords, followed to the letter on a real Trino."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack import trino_server
from lakehouse.stack.local_stack import stack_down, stack_up
from lakehouse.stack.trino_registration import require_answer
from pipeline.registry import all_tables
from tests.stack.documents import indented_blocks
from tests.support.ports import free_port

PASSWORD = "a password of tests"  # noqa: S105


@pytest.mark.long
def test_with_the_recipe_trino_answers_over_tls_to_the_right_password_only(
    native: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, _, authenticator, config, *_ = indented_blocks("Passwords and TLS")
    port, folder = free_port(), tmp_path / "trino"
    shutil.copytree(trino_server.CONFIGURATION, folder)
    subprocess.run(["sh", "-e", "-c", certificate], cwd=tmp_path, check=True, capture_output=True)
    (folder / "password.db").write_text(f"pipeline:{hashed(PASSWORD)}\n")
    (folder / "password-authenticator.properties").write_text(authenticator)
    with (folder / "config.properties").open("a") as properties:
        properties.write(config.replace("8443", str(port)).replace("...", "a secret of tests that is long enough"))
    monkeypatch.setattr(trino_server, "CONFIGURATION", folder)
    right = native.model_copy(
        update={
            "trino_uri": f"https://localhost:{port}",
            "trino_password": SecretStr(PASSWORD),
            "trino_certificate": folder / "certificate.pem",
        }
    )
    try:
        stack_up(right, all_tables().values(), Console(), superset=False)
        require_answer(right)
        for wrong in (SecretStr("other"), None):
            with pytest.raises(
                LakehouseError, match=r"Trino at https://localhost:.* refused, error 401: check TRINO_PASSWORD"
            ):
                require_answer(right.model_copy(update={"trino_password": wrong}))
        with pytest.raises(LakehouseError, match="Trino at http://127"):
            require_answer(right.model_copy(update={"trino_uri": None}))
        with pytest.raises(LakehouseError, match="is not trusted: set TRINO_CERTIFICATE"):
            require_answer(right.model_copy(update={"trino_certificate": None}))
    finally:
        stack_down(right, Console())


def hashed(password: str) -> str:
    """The other form that Trino reads, for machines without htpasswd: PBKDF2."""
    iterations, salt = 1_000, b"salt of tests"
    key = hashlib.pbkdf2_hmac("sha1", password.encode(), salt, iterations, 32)
    return f"{iterations}:{salt.hex()}:{key.hex()}"
