"""Commands for Spotify's Web API."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lakehouse.console import say
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.listeners import require_listener_name
from lakehouse.settings import Settings, load_settings
from pipeline.commands.console import app, exit_on, out


@app.command()
def auth(
    listener: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Whose login; by default LISTENER's, with --status everybody's."),
    ] = None,
    show_status: Annotated[
        bool, typer.Option("--status", help="Show whose accounts are logged in and when each login ends.")
    ] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
) -> None:
    """Log in at Spotify, so that new plays can be fetched; needed again every six months.

    The browser is redirected to this machine, or you paste the address it shows: always so in containers and on
    machines without a screen. Tokens are kept in SPOTIFY_TOKEN_FILE, those of other listeners than LISTENER beside it,
    readable only by you.
    """
    from lakehouse.spotify.login_status import login_status
    from lakehouse.spotify.logins import auth_command, known_listeners, listeners_with_login
    from pipeline import report

    settings, now = _settings_for(listener), datetime.now(UTC)
    if show_status:
        names = [listener] if listener else listeners_with_login(settings)
        logins = {name: login for name in names if (login := login_status(settings, name))}
        if not logins:
            command = auth_command(settings, listener or settings.listener)
            raise LakehouseError(f"nobody is logged in at Spotify: log in with {command}")
        report.print_logins(out, logins, now, named=len(known_listeners(settings)) > 1)
        if any(login.has_ended(now) for login in logins.values()):
            raise typer.Exit(1)
        return
    from lakehouse.spotify.callback import receive_code
    from lakehouse.spotify.login import SpotifyLogin

    login_now = SpotifyLogin(settings, now, listener)
    code = receive_code(login_now, settings.spotify_redirect_uri, out, opens_browser=browser)
    done = {login_now.listener: login_now.complete(code)}
    report.print_logins(out, done, now, named=len(known_listeners(settings)) > 1)


@app.command()
def poll(
    listener: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose plays; by default those of everybody with a login.")
    ] = None,
) -> None:
    """Ask Spotify for new plays; the next run imports them. The scheduler does so by itself."""
    from bronze.web.spotify_polling import poll as poll_spotify
    from lakehouse.spotify.logins import listeners_with_login, prefix

    settings = _settings_for(listener)
    errors = []
    for name in [listener] if listener else listeners_with_login(settings) or [settings.listener]:
        whose = prefix(settings, name)
        try:
            found = poll_spotify(settings, datetime.now(UTC), name)
        except UsageError:
            # The app is not set up: nobody can be polled.
            raise
        except LakehouseError as error:
            errors.append(f"{whose}{error}")
            continue
        say(out, whose + (f"{found.new_plays:,} new plays" if found.new_plays else "no news"))
        if found.gap:
            say(out, f"{whose}plays {found.gap} were likely missed: poll more often")
    exit_on(errors)


@app.command()
def features() -> None:
    """Ask for audio features of tracks without any: Spotify where it still gives them, ReccoBeats if switched on."""
    from pipeline.missing_features import fetch_missing

    fetched = fetch_missing(load_settings(), datetime.now(UTC))
    say(out, f"{fetched.answered:,} of {fetched.asked:,} tracks have features")
    for note in fetched.notes:
        say(out, note)


def _settings_for(listener: str | None) -> Settings:
    """The settings, for a command about a listener whose name can be one."""
    if listener is not None:
        require_listener_name(listener)
    return load_settings()
