"""Commands for Trino, Superset and the dashboards."""

import os
from pathlib import Path
from typing import Annotated

import typer

from lakehouse.console import say
from lakehouse.settings import load_settings
from pipeline.commands.console import app, err, out

stack_app = typer.Typer(
    no_args_is_help=True, help="Start and stop Trino and Superset as plain processes, without containers."
)


app.add_typer(stack_app, name="stack")
dashboards_app = typer.Typer(no_args_is_help=True, help="Superset's dashboards as files.")
app.add_typer(dashboards_app, name="dashboards")


@app.command()
def register() -> None:
    """Register the lake's tables in Trino; every run does so too while Trino answers. May be repeated at any time."""
    from lakehouse.stack import trino_registration
    from pipeline import registry

    settings = load_settings()
    registration = trino_registration.register(settings, registry.all_tables().values())
    say(out, registration.summary)
    if registration.broken:
        raise typer.Exit(1)


@app.command()
def sql() -> None:
    """Open Trino's own client on the lake's tables."""
    from lakehouse.stack.trino_server import sql_command

    command = sql_command(load_settings(), err)
    os.execv(command[0], command)  # noqa: S606  (our own Java and client)


@stack_app.command("up")
def stack_up(
    trino_only: Annotated[bool, typer.Option("--trino-only", help="Leave Superset out.")] = False,
) -> None:
    """Start Trino and Superset on this machine, register the lake's tables and import the dashboards.

    The first time, Trino is downloaded. Superset's environment is created by `make superset`.
    """
    from lakehouse.stack import local_stack
    from pipeline.registry import all_tables

    local_stack.stack_up(load_settings(), all_tables().values(), out, superset=not trino_only)


@stack_app.command("down")
def stack_down() -> None:
    """Stop what `lakehouse stack up` started."""
    from lakehouse.stack import local_stack

    local_stack.stack_down(load_settings(), out)


@stack_app.command("status")
def stack_status() -> None:
    """Show whether Trino and Superset run and answer; exit code 1 if one that should does not."""
    from lakehouse.stack import local_stack

    if not local_stack.stack_status(load_settings(), out):
        raise typer.Exit(1)


@dashboards_app.command("export")
def dashboards_export(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DASHBOARD]...", help="Slugs or titles; without one, every published dashboard."),
    ] = None,
    folder: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where the assets are kept.")] = Path(
        "superset/assets"
    ),
) -> None:
    """Export dashboards and charts that were created or changed in Superset to the files in git.

    Each keeps its uuid and its file; files with the same meaning are not touched. `git diff` shows the changes.
    """
    from lakehouse.stack.dashboards_export import export

    done = export(load_settings(), folder, names or ())
    lines = [*(f"wrote {folder / path}" for path in done.written), *(f"left out {what}" for what in done.left_out)]
    for line in (*lines, f"{done.unchanged} assets are in git as they are"):
        say(out, line)


@app.command()
def credentials(
    create: Annotated[bool, typer.Option("--create", help="Create missing secrets, and show none of them.")] = False,
) -> None:
    """Show where Superset is and how to log in.

    Secrets are generated at random when the stack first starts, and kept in SECRETS_DIR, readable only by you.
    """
    from lakehouse.stack.secret_files import create_secrets, read_secret

    settings = load_settings()
    if create:
        created = create_secrets(settings.secrets_dir)
        say(out, f"{len(created)} secrets made in {settings.secrets_dir}: `lakehouse credentials` shows how to log in")
        return
    password = read_secret(settings.secrets_dir, "superset_admin_password")
    lines = (
        f"Superset  {settings.superset_browser_address}",
        "user      admin",
        f"password  {password}",
        f"kept in   {settings.secrets_dir / 'superset_admin_password'}",
    )
    for line in lines:
        say(out, line)
