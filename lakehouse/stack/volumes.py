"""`python -m lakehouse.stack.volumes` prepares the containers' volumes: folders, owners, secrets. It is idempotent.

Runs as root at each start, before everything else, and ends. Existing files are never overwritten.
Exit codes: 0 success, 1 failure, 2 unusable setting.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import load_settings
from lakehouse.stack.secret_files import create_secrets
from lakehouse.state_files import write_atomically

# The user id in the images of the pipeline, Trino and Superset.
USER = 1000
METASTORE = Path("/metastore")
# Volumes with the one secret of a service that runs as another user.
SINGLE_SECRETS = {"postgres_password": Path("/postgres-secret"), "redis_password": Path("/redis-secret")}
SHOW = "docker compose run --rm spotify-pipeline lakehouse credentials"


def prepare(
    lake: Path, secrets: Path, *, owned: tuple[Path, ...], single_secrets: Mapping[str, Path], user: int = USER
) -> list[str]:
    """Create missing folders and secrets, and correct their owners.

    Args:
        lake: the lake's volume.
        secrets: the volume of the secrets.
        owned: further volumes whose owner is the user.
        single_secrets: the volume that gets this secret alone, by the secret's name.
        user: id of the user and its group.

    Returns:
        The names of the created secrets.
    """
    # The mount point of Trino's metastore, in a lake that is read-only for Trino.
    (lake / "metastore").mkdir(exist_ok=True)
    created = create_secrets(secrets)
    for folder in (lake, secrets, *owned):
        change_owner(folder, user)
    secrets.chmod(0o700)
    for name, volume in single_secrets.items():
        if not (volume / name).exists():
            # Only its service mounts this volume, and its user id is not known here.
            write_atomically(volume / name, (secrets / name).read_text(encoding="utf-8"), mode=0o444)
    return created


def change_owner(folder: Path, user: int) -> None:
    """Give a folder and everything in it to a user; files may appear and vanish meanwhile."""
    for place, _, files in os.walk(folder):
        for path in (place, *(f"{place}/{name}" for name in files)):
            with suppress(FileNotFoundError):
                if os.lstat(path).st_uid != user:
                    os.lchown(path, user, user)


def main() -> int:
    """Entry point: errors become one line."""
    try:
        settings = load_settings()
        owned = (METASTORE, settings.spotify_token_file.parent)
        created = prepare(settings.work_path, settings.secrets_dir, owned=owned, single_secrets=SINGLE_SECRETS)
    except LakehouseError as error:
        sys.stderr.write(f"error {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    except OSError as error:
        sys.stderr.write(f"error {error.filename} cannot be prepared ({error.strerror})\n")
        return 1
    sys.stdout.write(f"{len(created)} secrets made. Superset: {settings.superset_browser_address}, password: {SHOW}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
