"""Accounts in Superset that show one listener's rows alone.

`superset/accounts.py` makes the role `Listener`: what such an account may do, which datasets it reads, and a rule that
shows it the rows of '*'. An invitation adds a role and a rule of the listener's own to that rule's group; whoever has
both roles sees the rows of both rules.
"""

import secrets
from dataclasses import dataclass
from typing import Any

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.listeners import require_listener_name
from lakehouse.settings import Settings
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_api import SupersetApi

ROLE = "Listener"
PASSWORD_BYTES = 18
ROLES, RULES, USERS = "/api/v1/security/roles/", "/api/v1/rowlevelsecurity/", "/api/v1/security/users/"


@dataclass(frozen=True)
class Invitation:
    """How an invited listener logs in; the password is kept nowhere else.

    Attributes:
        address: where a browser finds Superset.
    """

    address: str
    user: str
    password: str


def invite(settings: Settings, listener: str, *, reset: bool = False) -> Invitation:
    """Make an account for a listener, of the same name; may be repeated after a failure.

    Args:
        settings: where Superset is, and the secret of its user `admin`.
        listener: whose rows it shows.
        reset: give the account that there is a new password.

    Raises:
        UsageError: the name cannot be a listener's, or the account exists, or does not and is to be reset.
        LakehouseError: Superset does not answer or refuses, or was not prepared by this version.
    """
    require_listener_name(listener)
    api = _api(settings)
    role = f"{ROLE} {listener}"
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    account = _found(api, USERS, "username", listener, "id", "username", "roles.name")
    if account and not _is_invited(account, role):
        raise UsageError(
            f"Superset's account {listener} was not made by an invitation: rename or delete it there (List Users)"
        )
    if account and not reset:
        raise UsageError(
            f"{listener} was invited before: `lakehouse listeners invite {listener} --reset` makes a new password"
        )
    if reset:
        if not account:
            raise UsageError(f"{listener} has no account: `lakehouse listeners invite {listener}` makes one")
        api.call("PUT", f"{USERS}{account['id']}", json={"password": password})
    else:
        _make_account(api, listener, role, password)
    return Invitation(settings.superset_browser_address, listener, password)


def withdraw(settings: Settings, listener: str) -> bool:
    """Delete the account of an invitation, its role and its rule; may be repeated after a failure.

    Returns:
        Whether there was any of them. An account that was not made by an invitation is left alone.

    Raises:
        LakehouseError: Superset does not answer or refuses.
    """
    api = _api(settings)
    role = f"{ROLE} {listener}"
    account = _found(api, USERS, "username", listener, "id", "username", "roles.name")
    if account and not _is_invited(account, role):
        account = None
    # The account first: with its role alone it would see nobody's rows, and with neither it is no invitation's.
    found = {
        USERS: account,
        RULES: _found(api, RULES, "name", role, "id", "name"),
        ROLES: _found(api, ROLES, "name", role, "id", "name"),
    }
    for path, each in found.items():
        if each:
            api.call("DELETE", f"{path}{each['id']}")
    return any(found.values())


def _api(settings: Settings) -> SupersetApi:
    return SupersetApi(settings, "admin", read_secret(settings.secrets_dir, "superset_admin_password"))


def _is_invited(account: dict[str, Any], role: str) -> bool:
    return {each["name"] for each in account["roles"]} == {ROLE, role}


def _make_account(api: SupersetApi, listener: str, role: str, password: str) -> None:
    common = _found(api, ROLES, "name", ROLE, "id", "name")
    rule = _found(api, RULES, "name", ROLE, "id", "name", "tables.id", "group_key")
    if not common or not rule:
        raise LakehouseError("this Superset knows no accounts of listeners yet: start it anew, which prepares it")
    own = _found(api, ROLES, "name", role, "id", "name")
    role_id = own["id"] if own else api.call("POST", ROLES, json={"name": role}).json()["id"]
    if not _found(api, RULES, "name", role, "id", "name"):
        its_rule = {
            "name": role, "filter_type": "Regular", "group_key": rule["group_key"], "roles": [role_id],
            "clause": f"listener = '{listener}'", "tables": [table["id"] for table in rule["tables"]],
        }  # fmt: skip
        api.call("POST", RULES, json=its_rule)
    user = {
        "username": listener, "first_name": listener, "last_name": ROLE, "email": f"{listener}@localhost",
        "active": True, "roles": [common["id"], role_id], "password": password,
    }  # fmt: skip
    api.call("POST", USERS, json=user)


def _found(api: SupersetApi, path: str, key: str, value: str, *columns: str) -> dict[str, Any] | None:
    """The object of a list whose column `key` has this value."""
    return next((row for row in api.rows(path, key, *columns) if row[key] == value), None)
