"""Commands for Spotify's Web API."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lakehouse.console import say
from lakehouse.errors import LakehouseError
from lakehouse.settings import load_settings
from pipeline.commands.console import app, out


@app.command()
def auth(
    show_status: Annotated[bool, typer.Option("--status", help="Show whose login it is and when it ends.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
) -> None:
    """Log in at Spotify, so that new plays can be fetched; needed again every six months.

    The browser is redirected to this machine, or you paste the address it shows: always so in containers and on
    machines without a screen. Tokens are kept in SPOTIFY_TOKEN_FILE, readable only by you.
    """
    from lakehouse.spotify.login_status import LOG_IN, login_status
    from pipeline import report

    settings, now = load_settings(), datetime.now(UTC)
    if show_status:
        login = login_status(settings.spotify_token_file)
        if login is None:
            raise LakehouseError(f"nobody is logged in at Spotify: {LOG_IN}")
        report.print_login(out, login, now)
        if login.has_ended(now):
            raise typer.Exit(1)
        return
    from lakehouse.spotify.callback import receive_code
    from lakehouse.spotify.login import SpotifyLogin

    login_now = SpotifyLogin(settings, now)
    code = receive_code(login_now, settings.spotify_redirect_uri, out, opens_browser=browser)
    report.print_login(out, login_now.complete(code), now)


@app.command()
def poll() -> None:
    """Ask Spotify for new plays; the next run imports them. The scheduler does so by itself."""
    from bronze.web.spotify_polling import poll as poll_spotify

    found = poll_spotify(load_settings(), datetime.now(UTC))
    say(out, f"{found.new_plays:,} new plays" if found.new_plays else "no news")
    if found.gap:
        say(out, f"plays {found.gap} were likely missed: poll more often")


@app.command()
def features() -> None:
    """Ask for audio features of tracks without any: Spotify where it still gives them, ReccoBeats if switched on."""
    from pipeline.missing_features import fetch_missing

    fetched = fetch_missing(load_settings(), datetime.now(UTC))
    say(out, f"{fetched.answered:,} of {fetched.asked:,} tracks have features")
    for note in fetched.notes:
        say(out, note)
