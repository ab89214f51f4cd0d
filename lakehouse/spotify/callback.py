"""Waits for the address that Spotify sends the browser to: by the browser itself, or pasted by the listener."""

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

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.settings import LOOPBACK
from lakehouse.spotify.login import SpotifyLogin

WAIT_SECONDS = 600.0
# What Docker, Podman and Kubernetes leave in a container.
CONTAINER_MARKS = (Path("/.dockerenv"), Path("/run/.containerenv"), Path("/var/run/secrets/kubernetes.io"))
AGREE = "Agree there. If the page it then shows cannot be reached, copy its address from the browser and paste it here:"
PAGE = "<!doctype html><title>lakehouse</title><p>{}<p>This window can be closed."


def receive_code(login: SpotifyLogin, redirect_uri: str, out: Console, *, opens_browser: bool) -> str:
    """Show where to log in, and wait for the code: on the redirect URI's port, and for a pasted address.

    Args:
        login: knows the address to log in at.
        redirect_uri: where the browser comes back to.
        out: where the listener reads what to do.
        opens_browser: whether to open a browser where this machine has one.

    Raises:
        LakehouseError: the listener refused, or nothing came in ten minutes.
    """
    # First, for a browser that is logged in already comes back at once.
    server = _server(redirect_uri)
    try:
        opened = opens_browser and _open_browser(login.authorize_url)
        out.print("Your browser is open at" if opened else "Open this address in any browser:")
        out.print(login.authorize_url, markup=False, highlight=False, soft_wrap=True)
        out.print(AGREE)
        return _wait(login, server, out)
    finally:
        if server:
            server.server_close()


def _wait(login: SpotifyLogin, server: "_CallbackServer | None", out: Console) -> str:
    # Unbuffered: of two lines that are pasted at once, the second must not lie unseen in a buffer.
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
                out.print(str(error), markup=False, soft_wrap=True)
    raise LakehouseError(
        "nothing can be pasted here and the redirect URI's port is taken: run `lakehouse auth` in a terminal"
    )


def _open_browser(url: str) -> bool:
    """Open a graphical browser of this machine, if there is one."""
    if any(mark.exists() for mark in CONTAINER_MARKS):
        return False
    try:
        browser = webbrowser.get()
        # A browser in the terminal would take the place where the address is pasted.
        return type(browser) is not webbrowser.GenericBrowser and browser.open(url)
    except webbrowser.Error:
        return False


def _server(redirect_uri: str) -> "_CallbackServer | None":
    """Listens on the redirect URI's own port; None where that is not this machine's, or the port is taken."""
    parsed = urlparse(redirect_uri)
    if parsed.hostname not in LOOPBACK or parsed.scheme != "http" or not parsed.port:
        return None
    try:
        return _CallbackServer(parsed.hostname, parsed.port, parsed.path)
    except OSError:
        return None


def _from_browser(server: "_CallbackServer") -> str:
    """What a browser asked for, '' where it was something else, such as an icon."""
    server.address = ""
    server.handle_request()
    return server.address


class _CallbackServer(HTTPServer):
    """Takes one request at a time on a loopback address."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.path = path
        self.address = ""
        super().__init__((host, port), _Callback)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is none of the listener's concern."""


class _Callback(BaseHTTPRequestHandler):
    # A connection that says nothing must not keep the listener's paste from being read.
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
        told = "Thank you: the terminal tells whether you are logged in." if known else "Nothing is here."
        self.wfile.write(PAGE.format(told).encode())

    def log_message(self, format: str, *args: object) -> None:
        """The address holds the code: nothing is logged."""
