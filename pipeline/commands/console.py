"""The command line's application, its consoles, and functions shared by the commands."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lakehouse.errors import UsageError
from pipeline.runs.summary import Progress as RunProgress

# Heavy imports (Spark, pandas) happen inside the commands: help and runs without news answer at once.

app = typer.Typer(
    name="lakehouse",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""Your own music listening as a lakehouse.

    Bring Spotify's privacy export and the Kaggle catalogue of tracks, then build the tables:

      lakehouse catalogue           # the catalogue with audio features
      lakehouse import my_spotify_data.zip
      lakehouse run                 # bronze, silver and gold
      lakehouse status              # what is there

    Settings come from the environment and the file .env; .env.example explains each.
    """,
)
out, err = Console(), Console(stderr=True)


def fail(message: str, code: int) -> None:
    """Print an error and end the process with an exit code."""
    _print_error(message)
    sys.exit(code)


def exit_on(errors: list[str]) -> None:
    """Print errors, if there are any, and end with exit code 1."""
    for error in errors:
        _print_error(error)
    if errors:
        raise typer.Exit(1)


def _print_error(message: str) -> None:
    err.print(f"[bold red]error[/] {escape(message)}", highlight=False, soft_wrap=True)


def require(paths: list[Path]) -> None:
    """Raise `UsageError` for the first path that does not exist."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")


@contextmanager
def progress_bar(task_name: str) -> Iterator[RunProgress]:
    """A bar on standard error that follows a run; gone when it ends."""
    with Progress(
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        console=err, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task(f"{task_name}: starting", total=None)
        yield RunProgress(
            on_file=lambda name: bar.update(task, description=f"reading {escape(name[-60:])}"),
            on_plan=lambda tables: bar.update(task, description="building", total=tables, completed=0),
            on_build=lambda build: bar.update(task, description=f"{build.status} {build.table.name}", advance=1),
        )
