"""Commands that save and restore the lake."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from lakehouse.console import say
from lakehouse.settings import load_settings
from pipeline.commands.console import app, err
from pipeline.commands.tables import show_new_rows

if TYPE_CHECKING:
    from pipeline.backup import Backup, OnProgress

LakeOnly = Annotated[bool, typer.Option("--lake-only", help="Leave Superset's metadata out.")]


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="File to write; - is standard output.")], lake_only: LakeOnly = False
) -> None:
    """Save the lake, its models and Superset's metadata in one file, without secrets and the login at Spotify."""
    from pipeline import backup as backups

    with _progress_bar("saving") as on_progress:
        saved = backups.backup(load_settings(), file, lake_only=lake_only, on_progress=on_progress)
    _say_contents(f"saved in {file}", saved)


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="File that `lakehouse backup` wrote; - is standard input.")],
    lake_only: LakeOnly = False,
) -> None:
    """Replace the lake and Superset's metadata by a backup; what they hold now is lost.

    Nothing changes until all of it is unpacked and found complete. Users of Superset keep the passwords they have here.
    """
    from pipeline import backup as backups

    settings = load_settings()
    with _progress_bar("unpacking") as on_progress:
        restored = backups.restore(settings, file, lake_only=lake_only, on_progress=on_progress)
    _say_contents(f"restored from {restored.made_at} UTC", restored)
    show_new_rows(settings)


def _say_contents(what: str, contents: "Backup") -> None:
    superset = "with" if contents.superset else "without"
    size = f"{contents.files:,} files, {contents.bytes / 1e6:,.1f} MB"
    say(err, f"{what}: {size}, {superset} Superset's metadata")


@contextmanager
def _progress_bar(task_name: str) -> "Iterator[OnProgress]":
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task(task_name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
