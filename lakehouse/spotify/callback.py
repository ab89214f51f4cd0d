"""Receives the redirect after a login at Spotify: from the browser itself, or as an address that the listener pastes.

Not by spotipy's `get_auth_response`: it waits for either the browser or a paste, without a timeout; its server ends
with the first request of any kind, such as an icon's; and a port that is taken or a wrong paste ends in a traceback.
"""

import io
import select
import socket
import sys
import time
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from rich.console import Console

from lakehouse.console import say
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import LOOPBACK
from lakehouse.spotify.login import SpotifyLogin

WAIT_SECONDS = 600.0
# Files by which Docker, Podman and Kubernetes mark a container.
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))
AGREE = "Agree there. If the page it then shows cannot be reached, copy its address from the browser and paste it here:"
PAGE = "<!doctype html><title>lakehouse</title><p>{}<p>This window can be closed."


def receive_code(login: SpotifyLogin, redirect_uri: str, out: Console, *, opens_browser: bool) -> str:
    """Show where to log in, and wait for the code on the redirect URI's port and on standard input.

    Args:
        login: gives the address to log in at, and reads the code from the redirect.
        redirect_uri: where Spotify redirects the browser to.
        out: where the listener reads what to do.
        opens_browser: whether to open a browser where this machine has one.

    Raises:
        LakehouseError: the listener refused, or nothing arrived within ten minutes.
    """
    # The server first: a browser that is already logged in is redirected at once.
    server = _server(redirect_uri)
    try:
        opened = opens_browser and _open_browser(login.authorize_url)
        out.print("Your browser is open at" if opened else "Open this address in any browser:")
        say(out, login.authorize_url)
        out.print(AGREE)
        return _wait(login, server, out)
    finally:
        if server:
            server.server_close()


def _wait(login: SpotifyLogin, server: "_CallbackServer | None", out: Console) -> str:
    # Unbuffered: of two lines pasted at once, `select` would not see the second in a buffer.
    pasted = io.FileIO(sys.stdin.fileno(), closefd=False) if sys.stdin else None
    sources: list[Any] = [source for source in (server, pasted) if source]
    deadline = time.monotonic() + WAIT_SECONDS
    while sources:
        ready, _, _ = select.select(sources, [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            raise LakehouseError("nobody logged in within ten minutes: run `lakehouse auth` again")
        if server is not None and server in ready:
            address = _from_browser(server)
        else:
            address = pasted.readline().decode("utf-8", "replace") if pasted else ""
            if not address:
                sources.remove(pasted)
        if address.strip():
            try:
                return login.code_in(address)
            except UsageError as error:
                say(out, str(error))
    raise LakehouseError(
        "nothing can be pasted here and the redirect URI's port is taken: run `lakehouse auth` in a terminal"
    )


def _open_browser(url: str) -> bool:
    """Open a graphical browser on this machine; False where there is none."""
    if any(mark.exists() for mark in CONTAINER_MARKS):
        return False
    try:
        browser = webbrowser.get()
        # A browser in the terminal would occupy the standard input for the paste.
        return type(browser) is not webbrowser.GenericBrowser and browser.open(url)
    except webbrowser.Error:
        return False


def _server(redirect_uri: str) -> "_CallbackServer | None":
    """A server on the redirect URI's port; None where the URI is not this machine's, or the port is taken."""
    parsed = urlparse(redirect_uri)
    if parsed.hostname not in LOOPBACK or parsed.scheme != "http" or not parsed.port:
        return None
    try:
        return _CallbackServer(parsed.hostname, parsed.port, parsed.path)
    except OSError:
        return None


def _from_browser(server: "_CallbackServer") -> str:
    """The redirect that a browser requested, '' where it requested something else, such as an icon."""
    server.address = ""
    server.handle_request()
    return server.address


class _CallbackServer(HTTPServer):
    """Serves one request at a time on a loopback address."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.path = path
        self.address = ""
        super().__init__((host, port), _Callback)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that disconnects is not reported."""


class _Callback(BaseHTTPRequestHandler):
    # A silent connection must not block the reading of a paste.
    timeout = 5

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, _CallbackServer), "this handler serves callbacks"
        known = urlparse(self.path).path == server.path and "state=" in self.path
        if known:
            server.address = self.path
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        text = "Thank you: the terminal shows whether you are logged in." if known else "Nothing is here."
        self.wfile.write(PAGE.format(text).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged: the address contains the code."""
