"""Commands for those whose listening is in the lake."""

from typing import Annotated

import typer

from lakehouse.console import say
from lakehouse.settings import load_settings
from pipeline.commands.console import app, out

listeners_app = typer.Typer(no_args_is_help=True, help="Those whose listening is in the lake.")
app.add_typer(listeners_app, name="listeners")


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
