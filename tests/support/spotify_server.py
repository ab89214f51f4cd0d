"""A local server that speaks as Spotify's accounts and Web API and ReccoBeats do, with faults on request.

One of the three places of this project that stand for somebody else's server; used by tests alone.
"""

import json
import os
import secrets
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from urllib.parse import parse_qs, urlencode, urlparse

from lakehouse.settings import Settings
from lakehouse.spotify.login import SpotifyLogin

# The time of most tests.
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
WINDOW = 50
CLIENT_ID, CLIENT_SECRET = "an-app", "the-secret-of-the-app"
# The account of most tests.
ACCOUNT = "listener-1"


@dataclass(frozen=True)
class Fault:
    """What a request gets in place of its answer.

    Attributes:
        kind: 'status', 'reset', 'silence', 'drip', 'malformed', 'cut', 'not_an_object' or 'empty'.
        status: for 'status'.
        headers: for 'status'.
        body: for 'status', as JSON.
        path: only requests whose path holds this.
    """

    kind: str
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    path: str = ""


def too_often(seconds: str) -> Fault:
    return Fault("status", 429, (("Retry-After", seconds),), {"error": {"status": 429, "message": "API rate limit"}})


def error(status: int, message: str = "it broke", path: str = "") -> Fault:
    return Fault("status", status, body={"error": {"status": status, "message": message}}, path=path)


@dataclass
class SpotifyServer:
    """The server's state, and what it was asked.

    Attributes:
        plays: everything played so far, as items of an answer; the newest 50 are shown.
        other_plays: the same of further accounts.
        account: who is logged in in the browser.
        faults: what the next requests get instead of an answer.
        asked: method, path and parameters of every request.
        shown: items of every answer to "recently played".
        known_features: ids that ReccoBeats knows.
        has_audio_features: whether Spotify still tells audio features to this app.
        silent_for: how long 'silence' lasts, in seconds.
    """

    url: str = ""
    plays: list[dict[str, Any]] = field(default_factory=list)
    other_plays: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    account: str = ACCOUNT
    faults: deque[Fault] = field(default_factory=deque)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)
    known_features: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_audio_features: bool = False
    silent_for: float = 12.0
    access_tokens: dict[str, str] = field(default_factory=dict)
    refresh_tokens: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    secrets_given: list[str] = field(default_factory=list)
    webhook: list[Any] = field(default_factory=list)
    rotates_refresh_tokens: bool = False
    display_name: str = "A Listener"

    def settings(self) -> dict[str, str]:
        """Settings that name this server, as environment variables."""
        return {
            "SPOTIFY_CLIENT_ID": CLIENT_ID,
            "SPOTIFY_CLIENT_SECRET": CLIENT_SECRET,
            "SPOTIFY_API_URL": f"{self.url}/v1",
            "SPOTIFY_ACCOUNTS_URL": f"{self.url}/accounts",
            "RECCOBEATS_URL": f"{self.url}/reccobeats/v1",
        }

    def agree(self, authorize_url: str) -> str:
        """What the listener's browser does: agree, and be sent to this address."""
        asked = {name: values[0] for name, values in parse_qs(urlparse(authorize_url).query).items()}
        assert asked["client_id"] == CLIENT_ID
        assert asked["response_type"] == "code"
        code = self._secret()
        self.codes[code] = self.account
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def end_consent(self) -> None:
        """Six months are over."""
        self.refresh_tokens.clear()
        self.access_tokens.clear()

    def paths(self) -> list[str]:
        return [path for _, path, _ in self.asked]

    def answer_token(self, form: dict[str, str]) -> tuple[int, Any]:
        if form.get("grant_type") == "authorization_code" and form.get("code") in self.codes:
            account = self.codes.pop(form["code"])
            refresh = self._secret()
        elif form.get("grant_type") == "refresh_token" and form.get("refresh_token") in self.refresh_tokens:
            account = self.refresh_tokens[form["refresh_token"]]
            refresh = self._secret() if self.rotates_refresh_tokens else ""
            if refresh:
                del self.refresh_tokens[form["refresh_token"]]
        else:
            return 400, {"error": "invalid_grant", "error_description": "Refresh token revoked"}
        if refresh:
            self.refresh_tokens[refresh] = account
        access = self._secret()
        self.access_tokens[access] = account
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": 3600,
            "scope": "user-read-recently-played",
        }
        return 200, answer | ({"refresh_token": refresh} if refresh else {})

    def recently_played(self, asked: dict[str, str], account: str = ACCOUNT) -> dict[str, Any]:
        """The newest 50 in all, the newest first; `after` and `before` reach no further."""
        plays = self.plays if account == ACCOUNT else self.other_plays.get(account, [])
        shown = sorted(plays, key=_played_ms)[-WINDOW:]
        if "after" in asked:
            shown = [item for item in shown if _played_ms(item) > int(asked["after"])]
        if "before" in asked:
            shown = [item for item in shown if _played_ms(item) < int(asked["before"])]
        items = shown[::-1][: int(asked.get("limit", 20))]
        cursors = {"after": str(_played_ms(items[0])), "before": str(_played_ms(items[-1]))} if items else None
        href = f"{self.url}/v1/me/player/recently-played"
        following = f"{href}?before={cursors['before']}&limit={asked.get('limit', 20)}" if cursors else None
        return {
            "items": items,
            "next": following,
            "cursors": cursors,
            "limit": int(asked.get("limit", 20)),
            "href": href,
        }

    def before_reccobeats(self) -> None:
        """A test's own thing, done while ReccoBeats answers."""

    def reccobeats(self, ids: list[str]) -> dict[str, Any]:
        self.before_reccobeats()
        known = [{"id": f"own-{i}", "href": f"https://open.spotify.com/track/{i}", **self.known_features[i]}
                 for i in reversed(ids) if i in self.known_features]  # fmt: skip
        return {"content": known}

    def _secret(self) -> str:
        self.secrets_given.append(f"secret-{secrets.token_hex(12)}")
        return self.secrets_given[-1]


def _played_ms(item: dict[str, Any]) -> int:
    return round(datetime.fromisoformat(item["played_at"]).timestamp() * 1000)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> SpotifyServer:
        state: SpotifyServer = self.server.state  # type: ignore[attr-defined]
        return state

    def do_GET(self) -> None:
        self._handle({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path.startswith("/webhook") and not self.state.faults:
            self.state.webhook.append(json.loads(body))
            self._send(200, {})
            return
        self._handle({name: values[0] for name, values in parse_qs(body).items()})

    def _handle(self, form: dict[str, str]) -> None:
        parsed = urlparse(self.path)
        asked = {name: values[0] for name, values in parse_qs(parsed.query).items()}
        self.state.asked.append((self.command, parsed.path, asked))
        fault = self.state.faults[0] if self.state.faults else None
        if fault and fault.path in parsed.path:
            self.state.faults.popleft()
            self._fail(fault)
        else:
            status, body = self._answer(parsed.path, asked | form)
            self._send(status, body)
            if status == 200 and parsed.path.endswith("/recently-played"):
                self.state.shown += body["items"]

    def _answer(self, path: str, asked: dict[str, str]) -> tuple[int, Any]:
        state = self.state
        if path == "/accounts/api/token":
            return state.answer_token(asked)
        if path == "/reccobeats/v1/audio-features":
            ids = asked["ids"].split(",")
            return (200, state.reccobeats(ids)) if len(ids) <= 40 else (400, {"error": "too many ids"})
        account = state.access_tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))
        if account is None:
            return 401, {"error": {"status": 401, "message": "The access token expired"}}
        if path.rstrip("/") == "/v1/me":
            return 200, {"id": account, "display_name": state.display_name, "type": "user"}
        if path == "/v1/me/player/recently-played":
            return 200, state.recently_played(asked, account)
        if path.rstrip("/") == "/v1/audio-features" and state.has_audio_features:
            ids = asked["ids"].split(",")
            return 200, {
                "audio_features": [
                    {"id": i, **state.known_features[i]} if i in state.known_features else None for i in ids
                ]
            }
        return 403, {"error": {"status": 403, "message": "Forbidden"}}

    def _fail(self, fault: Fault) -> None:
        if fault.kind == "status":
            self._send(fault.status, fault.body, fault.headers)
        elif fault.kind == "reset":
            self.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
        elif fault.kind == "silence":
            time.sleep(self.state.silent_for)
            self.close_connection = True
        elif fault.kind == "drip":
            self._drip()
        elif fault.kind == "cut":
            self._start(200, 1000)
            self.wfile.write(b'{"items": [')
            self.close_connection = True
        elif fault.kind == "malformed":
            self._send(200, b'{"items": [{"played_at"')
        elif fault.kind == "not_an_object":
            self._send(200, ["surprise"])
        else:
            self._send(200, {"items": [], "next": None, "cursors": None, "limit": 50, "href": ""})

    def _drip(self) -> None:
        self._start(200, 10_000)
        until = time.monotonic() + self.state.silent_for
        try:
            while time.monotonic() < until:
                self.wfile.write(b" ")
                time.sleep(0.05)
        except OSError:
            pass
        self.close_connection = True

    def _send(self, status: int, body: Any, headers: tuple[tuple[str, str], ...] = ()) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._start(status, len(content), headers)
        self.wfile.write(content)

    def _start(self, status: int, length: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(length)), *headers):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests look at `asked`."""


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that are killed or wait no longer are what tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def spotify_server() -> Iterator[SpotifyServer]:
    """The server, running on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    state = SpotifyServer(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.state = state  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def play_item(played_at: datetime, number: int = 0, **track: Any) -> dict[str, Any]:
    """One play as the API shows it; the number makes the track."""
    track_id = f"{number:022d}"
    text = played_at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "played_at": text,
        "context": None,
        "track": {
            "id": track_id, "uri": f"spotify:track:{track_id}", "type": "track", "name": f"Song {number}",
            "artists": [{"name": f"Artist {number % 20}"}], "album": {"name": f"Album {number % 40}"},
            "duration_ms": 200_000, "external_ids": {"isrc": f"XX000{number:07d}"}, "is_local": False, **track,
        },
    }  # fmt: skip


def environment_of(settings: Settings, spotify: SpotifyServer) -> dict[str, str]:
    """What a child process needs to have these settings, with nothing of this machine's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "JAVA_HOME", "PYTHONPATH") if name in os.environ}
    named = ("lake_uri", "import_dir", "kaggle_csv", "spotify_token_file")
    return kept | spotify.settings() | {name.upper(): str(getattr(settings, name)) for name in named}


def log_in(settings: Settings, spotify: SpotifyServer, now: datetime = NOW, listener: str | None = None) -> None:
    """LISTENER agrees, or another one, whose account has the same name; what that asked of the server is forgotten."""
    login = SpotifyLogin(settings, now, listener)
    spotify.account = listener or ACCOUNT
    login.complete(login.code_in(spotify.agree(login.authorize_url)))
    spotify.asked.clear()
