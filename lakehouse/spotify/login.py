"""A listener's login at Spotify, by spotipy's authorization code flow, and the file that stores it.

The file is readable only by its owner and lies outside the lake. Its tokens are never logged or shown.
"""

import logging
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import spotipy
from spotipy.cache_handler import CacheHandler
from spotipy.oauth2 import SpotifyOAuth

from lakehouse.errors import LakehouseError, UsageError, one_line
from lakehouse.settings import Settings
from lakehouse.spotify.login_status import LONGEST_TEXT, LoginStatus, login_status
from lakehouse.spotify.logins import OWNER, RENEWAL_AT_WORK, auth_command, listeners_with_login, token_file, token_lock
from lakehouse.spotify.web_api import TIMEOUT_SECONDS, BoundedSession, NotAccepted, Refused, errors_of
from lakehouse.state_files import PRIVATE, moment_in, only_one_process, read_state, write_state

SERVICE = "Spotify"
SCOPE = "user-read-recently-played"
NOT_ALLOWED = (
    "the app's owner needs Spotify Premium, and you must be listed under User Management of the app in Spotify's "
    "developer dashboard"
)
# An access token is renewed this long before its end.
RENEW_BEFORE = timedelta(minutes=1)

# Its debug messages contain tokens; its errors reach the user through ours.
logging.getLogger("spotipy").setLevel(logging.CRITICAL)


class LoginNeeded(LakehouseError):
    """Nobody is logged in, or Spotify ended the login: no requests until the next login."""


class SpotifyLogin:
    """The stored login. Access tokens are renewed as needed; tokens are sent to Spotify only."""

    def __init__(self, settings: Settings, now: datetime, listener: str | None = None) -> None:
        """Read the settings of the app.

        Args:
            settings: name the app, the file and the server.
            now: the current time.
            listener: whose login; None for LISTENER's.

        Raises:
            UsageError: the app's id or secret is not set.
        """
        if not settings.spotify_client_id or not settings.spotify_client_secret:
            raise UsageError(
                "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET are not set: make an app at "
                f"https://developer.spotify.com/dashboard with the redirect URI {settings.spotify_redirect_uri} "
                "and put both into .env"
            )
        self.now = now
        self.listener = listener or settings.listener
        self.file = token_file(settings, self.listener)
        self._settings = settings
        self._command = auth_command(settings, self.listener)
        # Stored together with the first tokens of a new consent.
        self._stored_with_tokens: dict[str, str] = {}
        self._oauth = SpotifyOAuth(
            client_id=settings.spotify_client_id,
            client_secret=settings.spotify_client_secret.get_secret_value(),
            redirect_uri=settings.spotify_redirect_uri,
            scope=SCOPE,
            state=secrets.token_urlsafe(16),
            # Else a browser that is logged in as somebody else agrees for them without a word.
            show_dialog=bool({*listeners_with_login(settings)} - {self.listener}),
            cache_handler=_TokenFile(self),
            requests_session=BoundedSession(),
            requests_timeout=TIMEOUT_SECONDS,
        )
        self._oauth.OAUTH_TOKEN_URL = f"{settings.spotify_accounts_url}/api/token"
        self._oauth.OAUTH_AUTHORIZE_URL = f"{settings.spotify_accounts_url}/authorize"

    @property
    def authorize_url(self) -> str:
        """Where the listener consents; Spotify then redirects the browser to the redirect URI, with a code."""
        return str(self._oauth.get_authorize_url())

    def code_in(self, redirected: str) -> str:
        """The code in the address that Spotify redirected the browser to.

        Raises:
            LakehouseError: the listener did not consent.
            UsageError: the address does not come from a login, or from another one.
        """
        try:
            answer = dict(parse_qsl(urlsplit(redirected.strip()).query))
        except ValueError:  # not an address at all
            answer = {}
        if not answer.keys() & {"code", "error"}:
            raise UsageError("this address holds no code: it must be the one the browser shows after you agreed")
        # First: anybody may send the browser here with any words.
        if answer.get("state") != self._oauth.state:
            raise UsageError("this address belongs to another login: use the one of the page opened just now")
        if "error" in answer:
            reason = one_line(answer["error"], LONGEST_TEXT)
            raise LakehouseError(f"Spotify did not log you in ({reason}): try again")
        return answer["code"]

    def complete(self, code: str) -> LoginStatus:
        """Exchange a code for tokens and store them, then ask whose account it is.

        Raises:
            WebApiError: Spotify rejects the code or cannot be reached.
            LakehouseError: it is the account of another listener's login; the login of before stays.
        """
        before = read_state(self.file)
        with only_one_process(token_lock(self._settings), RENEWAL_AT_WORK):
            self._stored_with_tokens = {"consented_at": self.now.isoformat(), "ended": "", "account": ""}
            with errors_of(SERVICE, self.now):
                self._oauth.get_access_token(code, as_dict=False, check_cache=False)
        me = self.ask(lambda client: client.current_user())
        with errors_of(SERVICE, self.now):
            name, user_id = one_line(me.get("display_name") or "", LONGEST_TEXT), one_line(me["id"], LONGEST_TEXT)
            account = f"{name} ({user_id})".strip()
        for other in listeners_with_login(self._settings):
            login = login_status(self._settings, other)
            if other != self.listener and login and login.account.endswith(f"({user_id})"):
                write_state(self.file, before, mode=PRIVATE) if before else self.file.unlink()
                raise LakehouseError(
                    f"this is the account of {other}: log out at https://accounts.spotify.com, then log in with "
                    f"{self._command} as {self.listener}"
                )
        self._update(account=account)
        status = self.status()
        assert status is not None, "the login was written just now"
        return status

    def status(self) -> LoginStatus | None:
        """What may be shown about the login; None where nobody is logged in."""
        return login_status(self._settings, self.listener)

    def ask(self, question: Callable[[spotipy.Spotify], Any]) -> Any:
        """Send a request to Spotify's Web API; an access token that is not accepted is renewed once.

        Raises:
            LoginNeeded: nobody is logged in, or Spotify ended the login.
            WebApiError: the request failed.
        """
        client = self.client()
        try:
            return self._answer(client, question)
        except NotAccepted:
            self.renew(client._auth)
        return self._answer(self.client(), question)

    def client(self) -> spotipy.Spotify:
        """A client for Spotify's Web API with this login.

        Raises:
            LoginNeeded: nobody is logged in, or Spotify ended the login.
            WebApiError: the access token had to be renewed and could not.
        """
        login = self.expect_usable()
        expires_at = moment_in(login, "access_expires_at")
        if not login.get("access_token") or not expires_at or self.now >= expires_at - RENEW_BEFORE:
            self.renew(login.get("access_token"))
        client = spotipy.Spotify(
            auth=self.expect_usable()["access_token"],
            requests_session=BoundedSession(),
            requests_timeout=TIMEOUT_SECONDS,
        )
        client.prefix = f"{self._settings.spotify_api_url}/"
        return client

    def expect_usable(self) -> dict[str, Any]:
        """The stored login, if Spotify still accepts it.

        Raises:
            LoginNeeded: nobody is logged in, or the login has ended.
        """
        login = read_state(self.file)
        if not isinstance(login.get("refresh_token"), str):
            raise LoginNeeded(f"nobody is logged in at Spotify: log in with {self._command}")
        if login.get("ended"):
            raise LoginNeeded(
                f"Spotify ended the login ({one_line(login['ended'], LONGEST_TEXT)}): log in with {self._command}"
            )
        return login

    def renew(self, used: str | None = None) -> None:
        """Get a new access token; does nothing where another process has renewed `used` meanwhile.

        Raises:
            LoginNeeded: Spotify ended the login; this is stored, and no more requests are sent.
            WebApiError: it could not be renewed this time.
        """
        with only_one_process(token_lock(self._settings), RENEWAL_AT_WORK):
            login = self.expect_usable()
            if used != login.get("access_token"):
                return
            try:
                with errors_of(SERVICE, self.now):
                    self._oauth.refresh_access_token(login["refresh_token"])
            except Refused as refusal:
                if not refusal.reason.startswith("invalid_grant"):
                    raise Refused(f"{refusal}; check SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET") from None
                self.end(refusal.reason)
                raise LoginNeeded(f"Spotify ended the login ({refusal.reason}): log in with {self._command}") from None

    def end(self, reason: str) -> None:
        """Record that Spotify no longer accepts this login: no requests until there is a new one."""
        self._update(ended=reason)

    def keep(self, tokens: dict[str, Any]) -> None:
        """Store an answer of Spotify's token server.

        Raises:
            ValueError: it contains no tokens.
        """
        access, refresh, seconds = (tokens.get(name) for name in ("access_token", "refresh_token", "expires_in"))
        if not (isinstance(access, str) and isinstance(refresh, str) and isinstance(seconds, int)):
            raise ValueError("no tokens")
        expires_at = self.now + timedelta(seconds=seconds)
        self._update(
            access_token=access, refresh_token=refresh, scope=SCOPE, access_expires_at=expires_at.isoformat(),
            **{OWNER: self.listener}, **self._stored_with_tokens,
        )  # fmt: skip

    def _answer(self, client: spotipy.Spotify, question: Callable[[spotipy.Spotify], Any]) -> Any:
        try:
            with errors_of(SERVICE, self.now):
                return question(client)
        except Refused as refusal:
            remedy = f"log in again with {self._command}" if "scope" in refusal.reason.lower() else NOT_ALLOWED
            raise Refused(f"{refusal}; {remedy}", refusal.reason) from None

    def _update(self, **values: Any) -> None:
        write_state(self.file, read_state(self.file) | values, mode=PRIVATE)


class _TokenFile(CacheHandler):  # type: ignore[misc]
    """Where spotipy stores the tokens that it receives."""

    def __init__(self, login: SpotifyLogin) -> None:
        self._login = login

    def get_cached_token(self) -> None:
        """No cache: tokens are read from the stored login, which knows when they expire."""

    def save_token_to_cache(self, token_info: dict[str, Any]) -> None:
        self._login.keep(token_info)
