"""What `lakehouse status` says about an installation that needs attention. Needs no Spark."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from lakehouse.health import note_ended_job
from lakehouse.poll_state import PollState, save_poll_state
from lakehouse.report import print_status
from lakehouse.settings import Settings
from lakehouse.spotify_login import SpotifyLogin
from tests.spotify_server import SpotifyServer, log_in


def status(settings: Settings) -> str:
    out = Console(file=io.StringIO(), width=120)
    print_status(out, settings)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def attention(settings: Settings) -> list[str]:
    return [line for line in status(settings).splitlines() if line.startswith("attention:")]


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_where_all_is_well_nothing_needs_attention(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    log_in(web_settings, spotify, now)
    save_poll_state(web_settings.lake_path, PollState(answered_at=now.isoformat()))
    note_ended_job(web_settings, "run", ended_at=now.isoformat(), exit_code=0, told="")
    assert attention(web_settings) == []


def test_an_app_that_nobody_is_logged_in_to_is_a_hint(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    hint = "next: lakehouse auth  (SPOTIFY_CLIENT_ID is set, but nobody is logged in: no play is fetched)"
    assert hint in status(web_settings)
    log_in(web_settings, spotify, now)
    assert hint not in status(web_settings)


def test_runs_that_fail_are_told_until_one_succeeds(web_settings: Settings, now: datetime) -> None:
    note_ended_job(
        web_settings, "nightly", ended_at=now.isoformat(), exit_code=1, told="`lakehouse check`: [gold] broke"
    )
    when = f"on {now:%Y-%m-%d} at {now:%H:%M} UTC"
    assert attention(web_settings) == [
        f"attention: the scheduled nightly failed {when}: `lakehouse check`: [gold] broke"
    ]
    note_ended_job(web_settings, "nightly", ended_at=now.isoformat(), exit_code=0, told="")
    assert attention(web_settings) == []


def test_a_login_that_ends_is_told(web_settings: Settings, spotify: SpotifyServer, now: datetime) -> None:
    log_in(web_settings, spotify, now - timedelta(days=165))
    [told] = attention(web_settings)
    assert "the login at Spotify ends in" in told
    SpotifyLogin(web_settings, now).end("invalid_grant")
    [told] = attention(web_settings)
    assert "Spotify ended the login of" in told
    assert "log in with `lakehouse auth`, no play is fetched until then" in told


def test_a_login_file_that_is_gone_is_told_where_polls_had_begun(web_settings: Settings, now: datetime) -> None:
    save_poll_state(web_settings.lake_path, PollState(answered_at=now.isoformat()))
    assert attention(web_settings) == [
        "attention: nobody is logged in at Spotify any more: log in with `lakehouse auth`"
    ]


def test_plays_that_are_likely_being_missed_are_told(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    log_in(web_settings, spotify, now)
    silent = PollState(
        answered_at=(now - timedelta(hours=5)).isoformat(), failing_since=(now - timedelta(hours=4)).isoformat(),
        error="Spotify cannot be reached (ConnectionError)", gap="between 10:00 and 12:00 UTC",
        gap_noticed_at=(now - timedelta(days=1)).isoformat(),
    )  # fmt: skip
    save_poll_state(web_settings.lake_path, silent)
    silence, gap = attention(web_settings)
    assert "has not answered since" in silence
    assert "(Spotify cannot be reached (ConnectionError))" in silence
    assert "plays between 10:00 and 12:00 UTC were likely missed" in gap
