"""Commands that save and restore the lake."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lakehouse.settings import load_settings
from pipeline.commands.console import app, err

LakeOnly = Annotated[bool, typer.Option("--lake-only", help="Leave Superset's metadata out.")]


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; - is standard output.")], lake_only: LakeOnly = False
) -> None:
    """Save the lake, its models and Superset's metadata in one file. No secrets and no login at Spotify are in it."""
    from pipeline import backup as backups

    with _bytes_done("saving") as told:
        made = backups.backup(load_settings(), file, lake_only=lake_only, told=told)
    _tell_backup(f"saved in {file}", made)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `lakehouse backup` wrote; - is standard input.")],
    lake_only: LakeOnly = False,
) -> None:
    """Put a backup in place of the lake and of Superset's metadata; what is there is gone then.

    Until all of it is unpacked and found whole, nothing changes. Users of Superset keep the passwords they have here.
    """
    from lakehouse.stack import trino_registration
    from pipeline import backup as backups
    from pipeline import registry

    settings = load_settings()
    with _bytes_done("unpacking") as told:
        made = backups.restore(settings, file, lake_only=lake_only, told=told)
    _tell_backup(f"restored from {made.made_at} UTC", made)
    if trino_registration.answers(settings) and trino_registration.built(settings, registry.all_tables().values()):
        registration = trino_registration.register(settings, registry.all_tables().values())
        err.print(registration.summary, markup=False, highlight=False, soft_wrap=True)


def _tell_backup(what: str, made: Any) -> None:
    superset = "with" if made.superset else "without"
    err.print(
        f"{what}: {made.files:,} files, {made.bytes / 1e6:,.1f} MB, {superset} Superset's metadata",
        markup=False, highlight=False, soft_wrap=True,
    )  # fmt: skip


@contextmanager
def _bytes_done(task_name: str) -> Iterator[Any]:
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task(task_name, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of)
