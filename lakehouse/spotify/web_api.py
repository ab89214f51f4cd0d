"""Requests to other people's servers: answers are bounded in time and size, and errors are one line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from spotipy.exceptions import SpotifyBaseException

from lakehouse.errors import LakehouseError, one_line

# To connect, and to wait for the next byte.
TIMEOUT_SECONDS = (5.0, 10.0)
LONGEST_ANSWER_SECONDS = 30.0
# A page of 50 plays has about 200 kB.
LARGEST_ANSWER_BYTES = 16 * 2**20
CHUNK_BYTES = 2**16
# In characters.
LONGEST_REASON = 200
# Raised by reading an answer that is of another form, nested too deeply, or has numbers without end.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
# For a 429 without Retry-After, and the longest Retry-After that is believed.
DEFAULT_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=30)


class WebApiError(LakehouseError):
    """A request to a server failed."""


class Unreachable(WebApiError):
    """No answer, a broken one, or an error of the server's own: another attempt may work."""


class TooOften(WebApiError):
    """Too many requests (429); the server says when they may resume."""

    def __init__(self, message: str, wait: timedelta) -> None:
        """Keep how long to wait."""
        super().__init__(message)
        self.wait = wait


class NotAccepted(WebApiError):
    """The access token is not accepted (401)."""


class Refused(WebApiError):
    """The server refuses the request (403 and similar): repeating it does not help.

    Attributes:
        reason: the server's own words.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        """Keep the server's words."""
        super().__init__(message)
        self.reason = reason


class NotYet(WebApiError):
    """An earlier answer forbids requests before some time."""


class BoundedSession(requests.Session):
    """A session that bounds answers in time and size, follows no redirects and does not retry."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request, and read the whole answer.

        Raises:
            requests.RequestException: it did not arrive in time, or is too large.
        """
        deadline = time.monotonic() + LONGEST_ANSWER_SECONDS
        options |= {"stream": True, "allow_redirects": False, "timeout": options.get("timeout") or TIMEOUT_SECONDS}
        response = super().send(request, **options)
        content = bytearray()
        try:
            # Chunk by chunk as they arrive: a server that sends a byte now and then must not hold us for ever.
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                content += chunk
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout(f"the answer took more than {LONGEST_ANSWER_SECONDS:g} s")
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise requests.RequestException(f"the answer has more than {LARGEST_ANSWER_BYTES} bytes")
        except requests.RequestException:
            raise
        except Exception as error:  # any error of urllib3 or the socket below it
            raise requests.ConnectionError(type(error).__name__) from None
        finally:
            response.close()
        response._content, response._content_consumed = bytes(content), True  # type: ignore[attr-defined]
        return response


@contextmanager
def errors_of(service: str, now: datetime) -> Iterator[None]:
    """Turn errors of requests and spotipy into a `WebApiError` that contains no token and no address.

    Args:
        service: the server's name, for messages.
        now: the current time, for a `Retry-After` that is a date.
    """
    try:
        yield
    except (requests.RequestException, SpotifyBaseException, *UNREADABLE) as error:
        response = _response_behind(error)
        if response is not None:
            raise _error_of(service, response, now) from None
        if isinstance(error, requests.Timeout):
            raise Unreachable(f"{service} did not answer in time") from None
        if isinstance(error, requests.RequestException) and not isinstance(error, requests.JSONDecodeError):
            raise Unreachable(f"{service} cannot be reached ({type(error).__name__})") from None
        raise Unreachable(f"{service} sent an answer that cannot be read") from None


def _response_behind(error: BaseException | None) -> requests.Response | None:
    """The server's answer behind an error; spotipy drops its headers, and fails on some bodies."""
    while error is not None:
        if isinstance(error, requests.HTTPError):
            return error.response
        error = error.__context__
    return None


def _error_of(service: str, response: requests.Response, now: datetime) -> WebApiError:
    status, reason = response.status_code, reason_in(response)
    if status == requests.codes.too_many_requests:
        wait = retry_after(response.headers.get("Retry-After"), now)
        return TooOften(f"{service} asks to wait until {now + wait:%Y-%m-%d %H:%M} UTC", wait)
    if status >= requests.codes.internal_server_error:
        return Unreachable(f"{service} answers with its own error {status}")
    if status == requests.codes.unauthorized and "invalid_client" not in reason:
        return NotAccepted(f"{service} does not accept the login ({reason})")
    return Refused(f"{service} refuses ({status}): {reason}", reason)


def reason_in(response: requests.Response) -> str:
    """What the server says about an error, in one short line."""
    try:
        body = response.json()
    except UNREADABLE:
        return "without a reason"
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    parts = [message, body.get("error_description") if isinstance(body, dict) else None]
    text = ": ".join(part for part in parts if isinstance(part, str))
    return one_line(text, LONGEST_REASON) or "without a reason"


def retry_after(value: str | None, now: datetime) -> timedelta:
    """How long to wait by a `Retry-After` header, in seconds or as a date; a minute where it cannot be read."""
    text = (value or "").strip()
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text).astimezone(UTC) - now
    except (ValueError, OverflowError):
        return DEFAULT_WAIT
    return min(max(wait, timedelta()), LONGEST_WAIT)
