"""Commands for Spotify's Web API."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lakehouse.errors import LakehouseError
from lakehouse.settings import load_settings
from pipeline.commands.console import app, out


@app.command()
def auth(
    show_status: Annotated[bool, typer.Option("--status", help="Show whose login it is and when it ends.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser where there is one.")] = True,
) -> None:
    """Log in at Spotify, so that new plays can be fetched; again every six months.

    The browser comes back to this machine, or its address is pasted here: in containers and on machines without a
    screen always. Tokens are kept in SPOTIFY_TOKEN_FILE, readable for you alone.
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
    """Ask Spotify for new plays; they wait for the next run. The scheduler does so by itself."""
    from bronze.web.spotify_polling import poll as poll_spotify

    found = poll_spotify(load_settings(), datetime.now(UTC))
    out.print(f"{found.new_plays:,} new plays" if found.new_plays else "no news", highlight=False)
    if found.gap:
        out.print(f"plays {found.gap} were likely missed: poll more often", highlight=False, soft_wrap=True)


@app.command()
def features() -> None:
    """Ask for audio features of tracks that have none: Spotify where it still tells, ReccoBeats if switched on."""
    from pipeline.missing_features import fetch_missing

    fetched = fetch_missing(load_settings(), datetime.now(UTC))
    out.print(f"{fetched.answered:,} of {fetched.asked:,} tracks have features", highlight=False)
    for note in fetched.notes:
        out.print(note, markup=False, highlight=False, soft_wrap=True)
