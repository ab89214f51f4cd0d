"""The stack's secrets: generated once at random, one file each, readable only by their owner, never overwritten."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakehouse.errors import LakehouseError
from lakehouse.state_files import PRIVATE, only_one_process, write_atomically

FOLDER_MODE = 0o700
BUSY = "another process is making the secrets: try again"


@dataclass(frozen=True)
class Secret:
    """One secret.

    Attributes:
        purpose: what it is for.
        random_bytes: number of random bytes in it.
    """

    purpose: str
    random_bytes: int


# By file name. Passwords are shorter than keys: they may have to be typed.
SECRETS = {
    "superset_secret_key": Secret("signs Superset's sessions and encrypts passwords in its metadata", 48),
    "superset_guest_token_secret": Secret("signs the tokens of Superset's guests", 48),
    "superset_async_queries_secret": Secret("signs the tokens of Superset's asynchronous queries", 48),
    "superset_admin_password": Secret("password of Superset's user `admin`", 18),
    "superset_pipeline_password": Secret("password of Superset's user `pipeline`, which may refresh its caches", 24),
    "postgres_password": Secret("password of Postgres' user `superset`", 24),
    "redis_password": Secret("password of the containers' Redis, which holds Superset's sessions and caches", 24),
}


def create_secrets(folder: Path, names: Iterable[str] = SECRETS) -> list[str]:
    """Create the secrets that are missing; existing ones are kept.

    A kill at any moment leaves each secret either missing or complete.

    Args:
        folder: where they are kept; created when missing, readable only by its owner.
        names: keys of `SECRETS`.

    Returns:
        The names of the created ones.

    Raises:
        LakehouseError: the folder cannot be written, a secret is empty, or another process is creating them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        with only_one_process(folder / ".lock", BUSY):
            missing = [name for name in names if not (folder / name).exists()]
            for name in missing:
                write_atomically(folder / name, secrets.token_urlsafe(SECRETS[name].random_bytes) + "\n", mode=PRIVATE)
    except OSError as error:
        raise LakehouseError(
            f"{folder} cannot be written ({error.strerror}): check SECRETS_DIR and who owns it"
        ) from None
    for name in names:
        read_secret(folder, name)
    return missing


def read_secret(folder: Path, name: str) -> str:
    """The value of a secret.

    Raises:
        LakehouseError: it is missing, empty or not readable.
    """
    file = folder / name
    try:
        secret = file.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        raise LakehouseError(f"{file} is missing: `lakehouse credentials --create` makes the secrets") from None
    except OSError as error:
        raise LakehouseError(f"{file} cannot be read ({error.strerror}): check who owns it") from None
    if not secret:
        raise LakehouseError(f"{file} is empty: restore it from a backup, or delete it to have a new one made")
    return secret
