"""Whose logins there are, and what is found, renamed and forgotten of each."""

import stat
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.spotify.login import LoginNeeded, SpotifyLogin
from lakehouse.spotify.login_status import login_status
from lakehouse.spotify.logins import (
    POLL_LOCK,
    POLL_STATE,
    auth_command,
    forget_login,
    known_listeners,
    listeners_with_login,
    pause_file,
    poll_state_file,
    prefix,
    rename_login,
    token_file,
    token_lock,
)
from lakehouse.spotify.poll_state import PollState, load_poll_state, save_poll_state
from lakehouse.state_files import PRIVATE, only_one_process, read_state, write_state
from tests.support.spotify_server import NOW, SpotifyServer, log_in

POLLED = PollState(newest_played_at="2026-06-01T11:00:00+00:00", known_plays=("a", "b"))


@pytest.fixture
def household(logged_in: Settings, spotify: SpotifyServer) -> Settings:
    """`me`, who is LISTENER, and anna; both are logged in and were polled, and wait after a failure."""
    log_in(logged_in, spotify, listener="anna")
    for listener in ("me", "anna"):
        save_poll_state(logged_in, listener, POLLED)
        write_state(pause_file(logged_in, listener), {"not_before": NOW.isoformat()})
    return logged_in


def as_anna(settings: Settings) -> Settings:
    """The settings of somebody who changed LISTENER."""
    return settings.model_copy(update={"listener": "anna"})


def files_of(settings: Settings) -> list[str]:
    """Names of all files of logins and polls, without locks."""
    folders = settings.spotify_token_file.parent, settings.lake_path / "state"
    return sorted(path.name for folder in folders for path in folder.iterdir() if not path.name.endswith(".lock"))


def write_as_before(settings: Settings) -> None:
    """Login and poll state as they were written when there was one listener: nothing in them says whose they are."""
    for file in (settings.spotify_token_file, settings.lake_path / POLL_STATE):
        write_state(file, {name: value for name, value in read_state(file).items() if name != "listener"})


def test_each_listener_has_a_file_of_their_own_and_listener_s_is_where_it_was(household: Settings) -> None:
    assert files_of(household) == [
        "spotify_pause_anna.json", "spotify_pause_me.json", "spotify_polls.json", "spotify_polls_anna.json",
        "token.json", "token_anna.json",
    ]  # fmt: skip
    assert stat.S_IMODE(token_file(household, "anna").stat().st_mode) == PRIVATE
    accounts = [getattr(login_status(household, listener), "account", "") for listener in ("me", "anna")]
    assert accounts == ["A Listener (listener-1)", "A Listener (anna)"]


def test_listener_is_first_and_the_others_follow_by_name(household: Settings, spotify: SpotifyServer) -> None:
    log_in(household, spotify, listener="zoe")
    save_poll_state(household, "ben", POLLED)
    assert listeners_with_login(household) == ["me", "anna", "zoe"]
    assert known_listeners(household) == ["me", "anna", "ben", "zoe"]


def test_a_listener_is_named_only_where_there_are_several(logged_in: Settings, spotify: SpotifyServer) -> None:
    assert (prefix(logged_in, "me"), prefix(logged_in, "anna")) == ("", "anna: ")
    log_in(logged_in, spotify, listener="anna")
    assert prefix(logged_in, "me") == "me: "


def test_the_command_for_a_login_names_others_than_listener(household: Settings) -> None:
    assert auth_command(household, "me") == "`lakehouse auth`"
    assert auth_command(household, "anna") == "`lakehouse auth --listener anna`"
    with pytest.raises(LoginNeeded, match="log in with `lakehouse auth --listener ben`"):
        SpotifyLogin(household, NOW, "ben").client()


def test_login_and_polls_from_before_there_were_listeners_are_listener_s(household: Settings) -> None:
    forget_login(household, "anna")
    write_as_before(household)
    settings = household.model_copy(update={"listener": "paul"})
    assert listeners_with_login(settings) == ["paul"]
    SpotifyLogin(settings, NOW).client()
    assert load_poll_state(settings, "paul") == POLLED
    assert token_file(settings, "paul") == settings.spotify_token_file


def test_what_is_theirs_stays_theirs_when_listener_changes(household: Settings) -> None:
    changed = as_anna(household)
    assert listeners_with_login(changed) == ["anna", "me"]
    assert token_file(changed, "me") == household.spotify_token_file
    assert token_file(changed, "anna") == token_file(household, "anna")
    assert poll_state_file(changed, "anna") == poll_state_file(household, "anna")
    # Also where nothing stands any more in the place of LISTENER's files.
    forget_login(changed, "me")
    assert listeners_with_login(changed) == ["anna"]
    assert load_poll_state(changed, "anna") == POLLED


def test_a_renewal_says_whose_an_old_login_is(logged_in: Settings) -> None:
    write_as_before(logged_in)
    SpotifyLogin(logged_in, NOW).renew(read_state(logged_in.spotify_token_file)["access_token"])
    assert listeners_with_login(as_anna(logged_in)) == ["me"]


@pytest.mark.parametrize("owner", [5, None, "../elsewhere", "Anna", ""])
def test_a_file_that_does_not_say_whose_it_is_is_listener_s(logged_in: Settings, owner: object) -> None:
    write_state(logged_in.spotify_token_file, read_state(logged_in.spotify_token_file) | {"listener": owner})
    assert listeners_with_login(logged_in) == ["me"]


def test_a_copy_of_a_login_is_nobody_s(logged_in: Settings) -> None:
    copy = logged_in.spotify_token_file.with_name("token_old.json")
    copy.write_bytes(logged_in.spotify_token_file.read_bytes())
    assert listeners_with_login(logged_in) == ["me"]


@pytest.mark.parametrize(("listener", "left"), [("anna", "me"), ("me", "anna")])
def test_who_is_forgotten_leaves_no_file_and_others_keep_theirs(household: Settings, listener: str, left: str) -> None:
    kept = {file.name: file.read_bytes() for file in _files(household, left)}
    deleted = forget_login(household, listener)
    assert len(deleted) == 3
    assert files_of(household) == sorted(kept)
    assert {file.name: file.read_bytes() for file in _files(household, left)} == kept
    assert known_listeners(household) == [left]
    assert forget_login(household, listener) == []


def _files(settings: Settings, listener: str) -> list[Path]:
    return [find(settings, listener) for find in (token_file, poll_state_file, pause_file)]


def test_who_is_forgotten_leaves_no_second_file_either(household: Settings) -> None:
    write_as_before(household)
    settings = as_anna(household)
    assert len(forget_login(settings, "anna")) == 5
    assert listeners_with_login(settings) == []


@pytest.mark.parametrize(("old", "new"), [("anna", "ben"), ("me", "ben")])
def test_a_renamed_listener_keeps_login_and_polls(household: Settings, old: str, new: str) -> None:
    account = getattr(login_status(household, old), "account", "")
    rename_login(household, old, new)
    assert old not in known_listeners(household)
    assert getattr(login_status(household, new), "account", "") == account
    assert load_poll_state(household, new) == POLLED
    assert stat.S_IMODE(token_file(household, new).stat().st_mode) == PRIVATE
    # Under both settings of LISTENER: who renames LISTENER's plays changes it afterwards.
    assert new in listeners_with_login(household.model_copy(update={"listener": new}))
    SpotifyLogin(household, NOW, new).client()


def test_nobody_is_renamed_to_somebody_who_exists(household: Settings) -> None:
    before = files_of(household)
    with pytest.raises(LakehouseError, match="anna has a login at Spotify, or was polled before"):
        rename_login(household, "me", "anna")
    assert (files_of(household), known_listeners(household)) == (before, ["me", "anna"])


def test_a_rename_that_was_killed_half_way_is_completed_by_the_next(household: Settings) -> None:
    file = token_file(household, "anna")
    write_state(file, read_state(file) | {"listener": "ben"}, mode=PRIVATE)
    rename_login(household, "anna", "ben")
    assert known_listeners(household) == ["me", "ben"]
    assert load_poll_state(household, "ben") == POLLED


@pytest.mark.parametrize(
    ("poll", "message"), [(True, "another poll is at work"), (False, "another process is renewing the login")]
)
def test_nobody_is_forgotten_while_requests_are_at_work(household: Settings, poll: bool, message: str) -> None:
    file = household.lake_path / POLL_LOCK if poll else token_lock(household)
    with only_one_process(file, "busy"), pytest.raises(LakehouseError, match=message):
        forget_login(household, "anna")
    assert "anna" in listeners_with_login(household)


def test_the_account_of_one_listener_is_not_taken_for_another(household: Settings, spotify: SpotifyServer) -> None:
    before = read_state(token_file(household, "anna"))
    for listener in ("anna", "ben"):
        login = SpotifyLogin(household, NOW, listener)
        assert "show_dialog=True" in login.authorize_url
        spotify.account = "listener-1"
        code = login.code_in(spotify.agree(login.authorize_url))
        with pytest.raises(LakehouseError, match="this is the account of me: log out at https://accounts"):
            login.complete(code)
    assert listeners_with_login(household) == ["me", "anna"]
    assert read_state(token_file(household, "anna")) == before


def test_a_single_listener_is_not_asked_twice(logged_in: Settings) -> None:
    assert "show_dialog" not in SpotifyLogin(logged_in, NOW).authorize_url
