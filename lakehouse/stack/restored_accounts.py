"""Who may log in to Superset after its metadata was replaced by a backup's, which may be anybody's.

Users who were here keep their passwords and get no role that they did not have. Users whom the backup brings are there,
so that charts keep their owners, but without a password and the role Admin, in no group, and with no key of an API.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

# No hash of a password: nobody can log in with it. `superset/accounts.py` knows it.
NO_PASSWORD = "!"  # noqa: S105
ADMIN = "Admin"
# Other ways than a password and a role of one's own.
EMPTIED = ("ab_user_group", "ab_register_user", "ab_api_key")
USERS = "SELECT id, username, password FROM ab_user"
ROLES = (
    "SELECT held.id, ab_user.username, ab_role.name FROM ab_user_role held JOIN ab_user ON ab_user.id = held.user_id "
    "JOIN ab_role ON ab_role.id = held.role_id"
)

SET_PASSWORD, TAKE_ROLE = "UPDATE ab_user SET password = ? WHERE id = ?", "DELETE FROM ab_user_role WHERE id = ?"


@dataclass(frozen=True)
class Accounts:
    """The accounts of a database of Superset's metadata.

    Attributes:
        passwords: hashes by user name.
        roles: pairs of user name and role name.
    """

    passwords: dict[str, str]
    roles: set[tuple[str, str]]


def accounts_in(connection: Any) -> Accounts:
    """The accounts that a connection of sqlite3 or psycopg sees."""
    passwords = {user: password for _, user, password in connection.execute(USERS).fetchall()}
    return Accounts(passwords, {(user, role) for _, user, role in connection.execute(ROLES).fetchall()})


def keep_accounts(connection: Any, here: Accounts, tables: Collection[str], *, mark: str) -> None:
    """Correct the accounts of replaced metadata; see this module.

    Args:
        connection: of sqlite3 or psycopg, in its transaction.
        here: the accounts that were there before.
        tables: names of the database's tables.
        mark: what stands for a value in a statement: '?' or '%s'.
    """
    for number, user, _ in connection.execute(USERS).fetchall():
        password = here.passwords.get(user, NO_PASSWORD)
        connection.execute(SET_PASSWORD.replace("?", mark), (password, number))
    for number, user, role in connection.execute(ROLES).fetchall():
        may_have = (user, role) in here.roles if user in here.passwords else role != ADMIN
        if not may_have:
            connection.execute(TAKE_ROLE.replace("?", mark), (number,))
    for table in EMPTIED:
        if table in tables:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  (a name of ours)
