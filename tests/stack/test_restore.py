"""A restore beside a stack that is up: what Superset shows afterwards."""

from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import psycopg
import pytest

from lakehouse.stack.restored_accounts import Accounts, keep_accounts
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_server import bootstrap
from tests.stack.services import Api, SupersetServer
from tests.superset.bundle import datasets
from tests.support.command_line import lakehouse


def command(superset: SupersetServer, folder: Path, *arguments: str) -> str:
    """What a command of this stack's prints."""
    settings = superset.settings
    names = ("lake_uri", "stack_dir", "secrets_dir", "trino_port", "superset_port")
    given = {name.upper(): str(getattr(settings, name)) for name in names}
    assert settings.superset_database_uri
    given["SUPERSET_DATABASE_URI"] = settings.superset_database_uri.get_secret_value()
    done = lakehouse(folder, *arguments, **given)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def is_cached(api: Api, dataset: int) -> bool:
    query: dict[str, Any] = {"columns": ["listener"], "metrics": [], "row_limit": 71}
    body = {"datasource": {"id": dataset, "type": "table"}, "queries": [query]}
    answer = api.post("/api/v1/chart/data", body | {"result_type": "full", "result_format": "json"})
    return bool(answer.json()["result"][0]["is_cached"])


def test_a_user_whom_a_backup_brings_has_no_password_and_no_admin_role(
    superset: SupersetServer, tmp_path: Path
) -> None:
    admin = superset.login()
    roles = {each["name"]: each["id"] for each in admin.rows("/api/v1/security/roles/")}
    mallory = {
        "username": "mallory", "first_name": "M", "last_name": "M", "email": "m@localhost", "active": True,
        "roles": [roles["Admin"], roles["Reader"]], "password": "a long password of then",
    }  # fmt: skip
    number = admin.post("/api/v1/security/users/", mallory).json()["id"]
    assert superset.login("mallory", "a long password of then").get("/api/v1/me/").ok
    command(superset, tmp_path, "backup", "saved")
    assert admin.delete(f"/api/v1/security/users/{number}").ok
    command(superset, tmp_path, "restore", "saved")
    [brought] = [each for each in superset.login().rows("/api/v1/security/users/") if each["username"] == "mallory"]
    assert [each["name"] for each in brought["roles"]] == ["Reader"]
    with pytest.raises(KeyError, match="access_token"):
        superset.login("mallory", "a long password of then")
    with pytest.raises(KeyError, match="access_token"):
        superset.login("mallory", "!")
    assert superset.login().delete(f"/api/v1/security/users/{brought['id']}").ok


def test_an_admin_whom_a_backup_brought_gets_this_machines_password_at_the_next_start(superset: SupersetServer) -> None:
    """As after a restore where no Superset was before."""
    settings = superset.settings
    assert settings.superset_database_uri
    uri = urlparse(settings.superset_database_uri.get_secret_value())
    password = read_secret(settings.secrets_dir, "postgres_password")
    with psycopg.connect(
        host=uri.hostname, port=uri.port, user=uri.username, dbname=uri.path.strip("/"), password=password
    ) as connection:
        keep_accounts(connection, Accounts({}, set()), [], mark="%s")
    with pytest.raises(KeyError, match="access_token"):
        superset.login()
    bootstrap(settings)
    [admin] = [each for each in superset.login().rows("/api/v1/security/users/") if each["username"] == "admin"]
    assert [each["name"] for each in admin["roles"]] == ["Admin"]


def test_after_a_restore_no_chart_shows_rows_of_before(superset: SupersetServer, tmp_path: Path) -> None:
    admin = superset.login()
    [uuid] = [uuid for uuid, dataset in datasets().items() if dataset.table_name == "temporal_trends"]
    [number] = [each["id"] for each in admin.rows("/api/v1/dataset/") if each["uuid"] == uuid]
    command(superset, tmp_path, "backup", "saved", "--lake-only")
    assert [is_cached(admin, number), is_cached(admin, number)] == [False, True]
    printed = command(superset, tmp_path, "restore", "saved", "--lake-only")
    assert "charts show the new data" in printed
    assert [is_cached(admin, number), is_cached(admin, number)] == [False, True]
