"""Commands about the lake's listeners."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from lakehouse.console import say
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import Settings, load_settings
from pipeline.commands.console import app, err, out
from pipeline.commands.tables import show_new_rows

listeners_app = typer.Typer(
    help="Whose listening the lake holds; without a command, list them.", invoke_without_command=True
)
app.add_typer(listeners_app, name="listeners")


@listeners_app.callback()
def listeners(context: typer.Context) -> None:
    """Whose listening the lake holds: plays that sources reported, the first and last of them, login, time zone."""
    from pipeline.listeners import known_listeners

    if context.invoked_subcommand:
        return
    grid = Grid(title="listeners", title_justify="left")
    for column in ("listener", "name", "plays", "first", "last", "login", "time zone"):
        grid.add_column(column, justify="right" if column == "plays" else "left")
    known = known_listeners(load_settings())
    for each in known:
        days = [f"{instant:%Y-%m-%d}" if instant else "" for instant in (each.reported.first, each.reported.last)]
        login = "yes" if each.has_login else "no"
        grid.add_row(each.name, escape(each.display_name), f"{each.reported.plays:,}", *days, login, each.time_zone)
    out.print(grid if known else "nobody yet: `lakehouse import my_spotify_data.zip` takes a listener's export")


@listeners_app.command()
def rename(old: str, new: str) -> None:
    """Give a listener another name: plays, folders and login. The next run rebuilds their rows in all other tables."""
    from pipeline.listeners import rename_listener

    settings = load_settings()
    with err.status(f"renaming {escape(old)}"):
        rename_listener(settings, old, new)
    say(out, f"{old} is {new} now: `lakehouse run` rebuilds their rows in silver and gold")
    _withdraw_invitation(settings, old)
    if old in settings.listeners:
        say(out, f"{settings.listeners_file} still has [{old}]: make it [{new}]")
    if old == settings.listener:
        say(out, f"LISTENER is still {old}: set it to {new}, so that new plays without a listener are theirs")


@listeners_app.command()
def forget(name: str, yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False) -> None:
    """Delete a listener: their rows in every table and its older versions, their login, and their files for import."""
    from pipeline.listeners import forget_listener, forgettable_files

    settings = load_settings()
    for file in forgettable_files(settings, name):
        say(out, f"will be deleted, too: {file}")
    if not yes:
        typer.confirm(f"Delete {name} and all of their plays for good?", abort=True)
    with err.status(f"forgetting {escape(name)}") as status:
        forgotten = forget_listener(settings, name, on_table=lambda table: status.update(f"forgetting: {table}"))
    for table, rows in forgotten.rows.items():
        say(out, f"deleted {rows:,} rows of {table}")
    for file in forgotten.files:
        say(out, f"deleted {file}")
    if name in settings.listeners:
        say(out, f"{settings.listeners_file} still has [{name}]: delete that section")
    _withdraw_invitation(settings, name)
    say(out, "backups, and exports outside the import folder, still hold what was in them: delete those yourself")
    show_new_rows(settings)


@listeners_app.command()
def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The listener; the account gets the same name.")],
    reset: Annotated[bool, typer.Option("--reset", help="Make a new password for the account that there is.")] = False,
) -> None:
    """Make an account in Superset that shows this listener's rows alone, and show its password once."""
    from lakehouse.stack import superset_invitations

    invitation = superset_invitations.invite(load_settings(), name, reset=reset)
    lines = (
        f"Superset  {invitation.address}",
        f"user      {invitation.user}",
        f"password  {invitation.password}",
        "The password is shown this once and kept nowhere: hand it on.",
    )
    for line in lines:
        say(out, line)


@listeners_app.command()
def uninvite(name: Annotated[str, typer.Argument(metavar="NAME", help="The listener whose account goes.")]) -> None:
    """Delete the account that an invitation made in Superset; the listener's plays stay."""
    from lakehouse.stack import superset_invitations

    if not superset_invitations.withdraw(load_settings(), name):
        raise UsageError(f"{name} was not invited: Superset has no such account of a listener")
    say(out, f"{name}'s account in Superset is deleted")


def _withdraw_invitation(settings: Settings, name: str) -> None:
    """Nobody may see rows by an old name: somebody else may get that name later."""
    from lakehouse.stack import superset_invitations
    from lakehouse.stack.superset_api import is_there

    try:
        if not is_there(settings):
            raise LakehouseError("Superset does not answer")
        if superset_invitations.withdraw(settings, name):
            say(out, f"{name}'s account in Superset is deleted, too")
    except LakehouseError as error:
        # What was asked for is done; this may follow.
        say(out, f"{error}. If {name} was invited, delete that account later: `lakehouse listeners uninvite {name}`")
