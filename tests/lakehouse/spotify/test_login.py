"""The login at Spotify, through real spotipy: codes, tokens, the file that stores them, and what is shown of it."""

import json
import logging
import multiprocessing
import os
import stat
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import pytest

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import Settings
from lakehouse.spotify.login import LoginNeeded, SpotifyLogin
from lakehouse.spotify.login_status import login_status
from lakehouse.spotify.web_api import Refused, TooOften, Unreachable, errors_of
from lakehouse.state_files import only_one_process, read_state, write_state
from tests.support.spotify_server import CLIENT_SECRET, NOW, Fault, SpotifyServer, error, log_in, too_often

RENEWAL = ["/accounts/api/token"]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def mode_of(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_the_address_asks_for_recently_played_plays_and_nothing_else(web_settings: Settings) -> None:
    asked = parse_qs(urlparse(SpotifyLogin(web_settings, NOW).authorize_url).query)
    assert asked["scope"] == ["user-read-recently-played"]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8888/callback"]
    assert len(asked["state"][0]) >= 16


def test_a_login_shows_whose_it_is_and_when_it_ends(logged_in: Settings) -> None:
    login = SpotifyLogin(logged_in, NOW).status()
    assert login is not None
    assert (login.account, login.scopes) == ("A Listener (listener-1)", "user-read-recently-played")
    assert (login.consented_at, login.expires_at) == (NOW, datetime(2026, 12, 1, 12, tzinfo=UTC))


def test_refreshing_does_not_extend_the_consent(logged_in: Settings) -> None:
    login = SpotifyLogin(logged_in, NOW + 90 * DAY)
    login.client()
    status = login.status()
    assert status is not None
    assert status.consented_at == NOW


@pytest.mark.parametrize(
    ("consented", "ends"),
    [("2026-06-01", "2026-12-01"), ("2026-08-31", "2027-02-28"), ("2027-08-31", "2028-02-29"),
     ("2026-12-31", "2027-06-30")],
)  # fmt: skip
def test_six_months_are_counted_by_the_calendar(web_settings: Settings, consented: str, ends: str) -> None:
    write_state(web_settings.spotify_token_file, {"consented_at": f"{consented}T00:00:00+00:00"})
    login = login_status(web_settings, "me")
    assert login is not None
    assert f"{login.expires_at:%Y-%m-%d}" == ends


def test_the_end_is_announced_from_30_days_before(logged_in: Settings) -> None:
    login = login_status(logged_in, "me")
    assert login is not None
    assert login.problem(login.expires_at - 30 * DAY - timedelta(seconds=1)) == ""
    assert "ends in 30 days, on 2026-12-01: log in with `lakehouse auth` before" in login.problem(
        login.expires_at - 30 * DAY
    )
    assert "Spotify ended the login of 2026-06-01" in login.problem(login.expires_at)


def test_a_new_login_begins_six_new_months_and_forgets_that_the_old_one_ended(
    logged_in: Settings, spotify: SpotifyServer
) -> None:
    SpotifyLogin(logged_in, NOW).end("invalid_grant")
    log_in(logged_in, spotify, NOW + 5 * DAY)
    login = login_status(logged_in, "me")
    assert login is not None
    assert (login.ended, login.consented_at) == ("", NOW + 5 * DAY)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("", "holds no code"),
        ("hello", "holds no code"),
        ("http://127.0.0.1:8888/callback", "holds no code"),
        ("http://[", "holds no code"),
        ("http://127.0.0.1:8888/callback?code=abc", "belongs to another login"),
        ("http://127.0.0.1:8888/callback?code=abc&state=other", "belongs to another login"),
        ("http://127.0.0.1:8888/callback?error=x", "belongs to another login"),
        ("http://127.0.0.1:8888/callback?error=x&state=other", "belongs to another login"),
    ],
)
def test_an_address_of_another_login_or_none_is_explained(web_settings: Settings, address: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SpotifyLogin(web_settings, NOW).code_in(address)


@pytest.mark.parametrize("seconds", [10**15, -(10**15), 10**400])
def test_tokens_with_an_end_beyond_all_dates_are_refused_in_one_line(web_settings: Settings, seconds: int) -> None:
    login = SpotifyLogin(web_settings, NOW)
    with pytest.raises(Unreachable, match="Spotify sent an answer that cannot be read"), errors_of("Spotify", NOW):
        login.keep({"access_token": "a", "refresh_token": "r", "expires_in": seconds})
    assert login_status(web_settings, "me") is None


def test_a_refusal_by_the_listener_is_reported(web_settings: Settings) -> None:
    login = SpotifyLogin(web_settings, NOW)
    [state] = parse_qs(urlparse(login.authorize_url).query)["state"]
    with pytest.raises(LakehouseError, match=r"Spotify did not log you in \(access_denied\): try again"):
        login.code_in(f"http://127.0.0.1:8888/callback?error=access_denied&state={state}")


def test_a_code_can_be_used_once(web_settings: Settings, spotify: SpotifyServer) -> None:
    login = SpotifyLogin(web_settings, NOW)
    code = login.code_in(spotify.agree(login.authorize_url))
    login.complete(code)
    with pytest.raises(Refused, match="invalid_grant"):
        login.complete(code)
    # The login that is there stays.
    SpotifyLogin(web_settings, NOW).client()


def test_a_listener_whom_the_app_does_not_allow_learns_what_to_do(
    web_settings: Settings, spotify: SpotifyServer
) -> None:
    spotify.faults.append(error(403, "User not registered in the Developer Dashboard", path="/v1/me"))
    with pytest.raises(
        Refused, match=r"User not registered in the Developer Dashboard; .* listed under User Management"
    ):
        log_in(web_settings, spotify)


def test_a_wrong_secret_is_explained_and_nothing_else(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.faults.append(Fault("status", 400, body={"error": "invalid_client", "error_description": "Bad secret"}))
    with pytest.raises(Refused, match=r"Bad secret; check SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET$"):
        SpotifyLogin(logged_in, NOW + HOUR).ask(lambda client: client.current_user())


@pytest.mark.parametrize("value", [None, ""])
def test_without_an_app_it_says_how_to_get_one(web_settings: Settings, value: str | None) -> None:
    without = web_settings.model_copy(update={"spotify_client_id": value})
    with pytest.raises(UsageError, match=r"developer\.spotify\.com/dashboard with the redirect URI http://127"):
        SpotifyLogin(without, NOW)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_the_token_file_is_readable_only_by_its_owner(
    web_settings: Settings, spotify: SpotifyServer, umask: int
) -> None:
    before = os.umask(umask)
    try:
        log_in(web_settings, spotify)
        assert mode_of(web_settings.spotify_token_file) == 0o600
        SpotifyLogin(web_settings, NOW + HOUR).client()
        assert mode_of(web_settings.spotify_token_file) == 0o600
    finally:
        os.umask(before)


def test_a_token_file_that_others_could_read_is_closed_by_the_next_renewal(logged_in: Settings) -> None:
    logged_in.spotify_token_file.chmod(0o644)
    SpotifyLogin(logged_in, NOW + HOUR).client()
    assert mode_of(logged_in.spotify_token_file) == 0o600


def test_a_damaged_token_file_is_like_no_login(logged_in: Settings) -> None:
    logged_in.spotify_token_file.write_text('{"access_token": "x"')
    assert login_status(logged_in, "me") is None
    with pytest.raises(LoginNeeded, match="nobody is logged in"):
        SpotifyLogin(logged_in, NOW).client()


@pytest.mark.parametrize(
    "fault",
    [Fault("reset"), Fault("malformed"), Fault("cut"), Fault("not_an_object"), Fault("empty"), error(503), error(400),
     error(401), too_often("5")],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)  # fmt: skip
def test_no_error_contains_a_token_or_the_secret(
    logged_in: Settings, spotify: SpotifyServer, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    caplog.set_level(logging.DEBUG, "lakehouse")
    spotify.faults.append(fault)
    with pytest.raises((Refused, TooOften, Unreachable, LakehouseError)) as failure:
        SpotifyLogin(logged_in, NOW + HOUR).client()
    output = "".join(traceback.format_exception(failure.value)) + caplog.text
    assert not [secret for secret in (*spotify.secrets_given, CLIENT_SECRET) if secret in output]
    # What could not be renewed is still there.
    SpotifyLogin(logged_in, NOW + HOUR).client()


def test_an_unusable_answer_of_the_token_server_does_not_replace_the_login(
    logged_in: Settings, spotify: SpotifyServer
) -> None:
    before = read_state(logged_in.spotify_token_file)
    spotify.faults.append(Fault("status", 200, body={"access_token": 5, "expires_in": "long"}))
    with pytest.raises(Unreachable, match="cannot be read"):
        SpotifyLogin(logged_in, NOW + HOUR).client()
    assert read_state(logged_in.spotify_token_file) == before


def test_an_access_token_is_renewed_a_minute_before_its_end(logged_in: Settings, spotify: SpotifyServer) -> None:
    SpotifyLogin(logged_in, NOW + timedelta(minutes=58)).client()
    assert spotify.paths() == []
    SpotifyLogin(logged_in, NOW + timedelta(minutes=59)).client()
    assert spotify.paths() == RENEWAL


def test_what_another_process_has_renewed_is_not_renewed_again(logged_in: Settings, spotify: SpotifyServer) -> None:
    used = read_state(logged_in.spotify_token_file)["access_token"]
    SpotifyLogin(logged_in, NOW).renew(used)
    SpotifyLogin(logged_in, NOW).renew(used)
    assert spotify.paths() == RENEWAL


def _hold(file: Path, held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with only_one_process(file, "busy"):
        held.set()
        done.wait(20)


def test_two_processes_do_not_renew_at_once(logged_in: Settings) -> None:
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    file = logged_in.spotify_token_file
    other = spawn.Process(target=_hold, args=(file.with_name(f".{file.name}.lock"), held, done))
    other.start()
    assert held.wait(20)
    with pytest.raises(LakehouseError, match="another process is renewing the login at Spotify: try again"):
        SpotifyLogin(logged_in, NOW + HOUR).client()
    done.set()
    other.join()
    SpotifyLogin(logged_in, NOW + HOUR).client()


def test_strange_names_of_accounts_are_shown_as_one_line(web_settings: Settings, spotify: SpotifyServer) -> None:
    spotify.display_name = "Bell\a and\nline \x1b[31m" + "x" * 500
    log_in(web_settings, spotify)
    login = login_status(web_settings, "me")
    assert login is not None
    assert login.account.isprintable()
    assert len(login.account) <= 250


def test_the_file_does_not_contain_the_app_s_secret(logged_in: Settings) -> None:
    assert CLIENT_SECRET not in json.dumps(read_state(logged_in.spotify_token_file))
