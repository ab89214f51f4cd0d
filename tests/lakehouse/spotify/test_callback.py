"""`lakehouse auth` as a listener meets it: a process, a redirected browser, a pasted address."""

import os
import re
import socket
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from urllib.parse import urlparse

import pytest
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.spotify import callback as spotify_callback
from lakehouse.spotify.login import SpotifyLogin
from lakehouse.spotify.login_status import login_status
from lakehouse.state_files import read_state, write_state
from tests.support.command_line import LAKEHOUSE
from tests.support.ports import free_port
from tests.support.spotify_server import CLIENT_SECRET, NOW, SpotifyServer, error, log_in, play_item


class Auth:
    """A running `lakehouse auth`."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        assert process.stdout
        self.process, self.port = process, port
        self.output = ""
        while not (found := re.search(r"^http://\S+/authorize\S+$", self.output, re.MULTILINE)):
            line = process.stdout.readline()
            assert line, f"no address was shown: {self.output}"
            self.output += line
        self.address = found.group(0)

    def paste(self, *lines: str) -> None:
        assert self.process.stdin
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def browse(self, address: str) -> HTTPResponse:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", address.removeprefix(f"http://127.0.0.1:{self.port}"))
        return connection.getresponse()

    def end(self) -> str:
        rest, _ = self.process.communicate(timeout=30)
        self.output += rest
        return self.output


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def environment(spotify: SpotifyServer, tmp_path: Path, port: int) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    redirect = f"http://127.0.0.1:{port}/callback"
    return kept | spotify.settings() | {"SPOTIFY_REDIRECT_URI": redirect, "COLUMNS": "120"}


@contextmanager
def auth(environment: dict[str, str], folder: Path, *arguments: str, port: int) -> Iterator[Auth]:
    process = subprocess.Popen(
        [LAKEHOUSE, "auth", *arguments], cwd=folder, env=environment, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Auth(process, port)
    finally:
        process.kill()
        process.wait()


def assert_logged_in(output: str, spotify: SpotifyServer, folder: Path) -> None:
    assert "account   A Listener (listener-1)" in output
    assert "scopes    user-read-recently-played" in output
    file = folder / "data" / "spotify" / "token.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert not [secret for secret in (*spotify.secrets_given, CLIENT_SECRET) if secret in output]


def test_the_browser_is_redirected_with_the_code(
    environment: dict[str, str], spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    with auth(environment, tmp_path, "--no-browser", port=port) as login:
        answer = login.browse(spotify.agree(login.address))
        assert answer.status == 200
        assert b"This window can be closed" in answer.read()
        assert_logged_in(login.end(), spotify, tmp_path)


def test_the_address_can_be_pasted(
    environment: dict[str, str], spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    with auth(environment, tmp_path, "--no-browser", port=port) as login:
        login.paste("", "not this one", f"  {spotify.agree(login.address)}  ")
        output = login.end()
        assert "holds no code" in output
        assert_logged_in(output, spotify, tmp_path)


def test_the_address_can_be_pasted_where_the_port_is_taken(
    environment: dict[str, str], spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)), auth(environment, tmp_path, port=port) as login:
        login.paste(spotify.agree(login.address))
        assert_logged_in(login.end(), spotify, tmp_path)


def test_without_a_terminal_and_a_port_it_says_what_to_do(
    environment: dict[str, str], tmp_path: Path, port: int
) -> None:
    with socket.create_server(("127.0.0.1", port)), auth(environment, tmp_path, port=port) as login:
        output = login.end()
        assert login.process.returncode == 1
        assert "error nothing can be pasted here" in output


def test_other_requests_are_refused_and_disturb_nothing(
    environment: dict[str, str], spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    with auth(environment, tmp_path, "--no-browser", port=port) as login:
        assert login.browse("/favicon.ico").status == 404
        assert login.browse("/callback").status == 404
        assert login.browse("/callback?code=stolen&state=guessed").status == 200
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        login.browse(spotify.agree(login.address))
        output = login.end()
        assert "belongs to another login" in output
        assert "Traceback" not in output
        assert_logged_in(output, spotify, tmp_path)


def test_only_this_machine_can_connect(environment: dict[str, str], tmp_path: Path, port: int) -> None:
    others = [info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)]
    with auth(environment, tmp_path, "--no-browser", port=port):
        for address in {str(other) for other in others if not str(other).startswith("127.")}:
            with pytest.raises(OSError), socket.create_connection((address, port), timeout=2):
                pass


def test_a_refusal_ends_with_one_line(
    environment: dict[str, str], spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    with auth(environment, tmp_path, "--no-browser", port=port) as login:
        state = urlparse(spotify.agree(login.address)).query.split("state=")[1]
        login.paste(f"http://127.0.0.1:{port}/callback?error=access_denied&state={state}")
        output = login.end()
        assert login.process.returncode == 1
        assert output.splitlines()[-1] == "error Spotify did not log you in (access_denied): try again"


def test_waiting_for_a_login_ends_after_ten_minutes(web_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spotify_callback, "WAIT_SECONDS", 0.1)
    reading, writing = os.pipe()
    with os.fdopen(reading) as stdin, os.fdopen(writing, "w"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stdin)
        with pytest.raises(LakehouseError, match="within ten minutes: run `lakehouse auth` again"):
            spotify_callback.receive_code(
                SpotifyLogin(web_settings, NOW), "https://elsewhere.example/callback", Console(quiet=True),
                opens_browser=False,
            )  # fmt: skip


@pytest.mark.parametrize("mark", ["present", "absent"])
def test_in_a_container_no_browser_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: str) -> None:
    opened: list[str] = []

    class Browser:
        def open(self, url: str) -> bool:
            opened.append(url)
            return True

    if mark == "present":
        (tmp_path / "mark").touch()
    monkeypatch.setattr(spotify_callback, "CONTAINER_MARKS", (tmp_path / "mark",))
    monkeypatch.setattr("webbrowser.get", Browser)
    assert spotify_callback._open_browser("https://a.example") is (mark == "absent")
    assert len(opened) == (mark == "absent")


def command(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LAKEHOUSE, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def status(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return command(environment, folder, "auth", "--status", *arguments)


def test_status_shows_account_scopes_and_end(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path
) -> None:
    environment |= {"SPOTIFY_TOKEN_FILE": str(web_settings.spotify_token_file)}
    logged_out = status(environment, tmp_path)
    assert (logged_out.returncode, logged_out.stderr) == (
        1,
        "error nobody is logged in at Spotify: log in with `lakehouse auth`\n",
    )
    log_in(web_settings, spotify, datetime.now(UTC))
    good = status(environment, tmp_path)
    assert good.returncode == 0
    lines = dict(line.split(maxsplit=1) for line in good.stdout.splitlines())
    assert (lines["account"], lines["scopes"]) == ("A Listener (listener-1)", "user-read-recently-played")
    file = web_settings.spotify_token_file
    login = login_status(web_settings, "me")
    assert login is not None
    assert lines["ends"] == f"{login.expires_at:%Y-%m-%d}"
    for days, code, warning in ((160, 0, "the login at Spotify ends in"), (190, 1, "Spotify ended the login of")):
        consented_at = datetime.now(UTC) - timedelta(days=days)
        write_state(file, read_state(file) | {"consented_at": consented_at.isoformat()})
        answer = status(environment, tmp_path)
        assert answer.returncode == code
        assert warning in answer.stdout


def test_each_listener_s_login_is_shown_or_one_s_alone(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path, port: int
) -> None:
    environment |= {"SPOTIFY_TOKEN_FILE": str(web_settings.spotify_token_file)}
    log_in(web_settings, spotify, datetime.now(UTC))
    spotify.account = "anna-at-spotify"
    with auth(environment, tmp_path, "--no-browser", "--listener", "anna", port=port) as login:
        login.paste(spotify.agree(login.address))
        told = login.end().splitlines()
        assert told[-5:-3] == ["listener  anna", "account   A Listener (anna-at-spotify)"]
    everybody = status(environment, tmp_path).stdout.splitlines()
    assert [line for line in everybody if line.startswith("listener")] == ["listener  me", "listener  anna"]
    assert status(environment, tmp_path, "--listener", "anna").stdout.splitlines() == told[-5:]
    nobody = status(environment, tmp_path, "--listener", "ben")
    message = "error nobody is logged in at Spotify: log in with `lakehouse auth --listener ben`\n"
    assert (nobody.returncode, nobody.stderr) == (1, message)
    SpotifyLogin(web_settings, NOW, "anna").end("invalid_grant")
    assert status(environment, tmp_path).returncode == 1
    assert status(environment, tmp_path, "--listener", "me").returncode == 0


def test_everybody_is_polled_also_after_one_who_cannot_be(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    environment |= {"SPOTIFY_TOKEN_FILE": str(web_settings.spotify_token_file), "LAKE_URI": web_settings.lake_uri}
    for listener in ("me", "anna"):
        log_in(web_settings, spotify, now, None if listener == "me" else listener)
    spotify.other_plays["anna"] = [play_item(now - timedelta(minutes=1))]
    spotify.faults.append(error(403, "User not registered"))
    failed = command(environment, tmp_path, "poll")
    assert (failed.returncode, failed.stdout) == (1, "anna: 1 new plays\n")
    assert failed.stderr.startswith("error me: Spotify refuses (403): User not registered;")
    one = command(environment, tmp_path, "poll", "--listener", "anna")
    assert (one.returncode, one.stdout, one.stderr) == (0, "anna: no news\n", "")


@pytest.mark.parametrize("name", ["auth", "poll"])
def test_a_name_that_cannot_be_a_listener_s_is_refused(environment: dict[str, str], tmp_path: Path, name: str) -> None:
    answer = command(environment, tmp_path, name, "--listener", "../anna")
    message = "error '../anna' cannot be a listener's name: up to 40 of a-z 0-9 _ -\n"
    assert (answer.returncode, answer.stderr) == (2, message)


def test_no_app_is_a_usage_error(environment: dict[str, str], tmp_path: Path) -> None:
    answer = command(environment | {"SPOTIFY_CLIENT_ID": ""}, tmp_path, "auth")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET are not set: make an app at")
