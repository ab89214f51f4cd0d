"""Asks the servers of others: an answer comes within a time and a size, and errors are told in one line."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from spotipy.exceptions import SpotifyBaseException

from lakehouse.errors import LakehouseError

# To connect, and to wait for a next byte.
TIMEOUT_SECONDS = (5.0, 10.0)
LONGEST_ANSWER_SECONDS = 30.0
# A page of 50 plays has some 200 kilobytes.
LARGEST_ANSWER_BYTES = 16 * 2**20
CHUNK_BYTES = 2**16
# Where a server says "too often" without saying until when; and what no server means seriously.
DEFAULT_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(days=30)


class WebApiError(LakehouseError):
    """A server did not give what it was asked for."""


class Unreachable(WebApiError):
    """No answer, a broken one, or an error of the server's own: another attempt may work."""


class TooOften(WebApiError):
    """The server says when it may be asked again."""

    def __init__(self, message: str, wait: timedelta) -> None:
        """Say so, and for how long."""
        super().__init__(message)
        self.wait = wait


class NotAccepted(WebApiError):
    """The access token is not accepted (401)."""


class Refused(WebApiError):
    """The server understands and refuses (403 and its like): asking again does not help.

    Attributes:
        told: the server's own words.
    """

    def __init__(self, message: str, told: str = "") -> None:
        """Say so, and in which words."""
        super().__init__(message)
        self.told = told


class NotYet(WebApiError):
    """It was agreed earlier not to ask before some time."""


class BoundedSession(requests.Session):
    """A session whose answers are whole within a time and a size, that follows no redirect and tries once."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send, and read the whole answer.

        Raises:
            requests.RequestException: it did not come in time, or is too large.
        """
        deadline = time.monotonic() + LONGEST_ANSWER_SECONDS
        options |= {"stream": True, "allow_redirects": False, "timeout": options.get("timeout") or TIMEOUT_SECONDS}
        response = super().send(request, **options)
        content = bytearray()
        try:
            # One piece as it arrives: a server that sends a byte now and then must not hold us for ever.
            while chunk := response.raw.read1(CHUNK_BYTES, decode_content=True):
                content += chunk
                if time.monotonic() > deadline:
                    raise requests.ReadTimeout(f"the answer took more than {LONGEST_ANSWER_SECONDS:g} s")
                if len(content) > LARGEST_ANSWER_BYTES:
                    raise requests.RequestException(f"the answer has more than {LARGEST_ANSWER_BYTES} bytes")
        except requests.RequestException:
            raise
        except Exception as error:  # whatever urllib3 and the socket below it raise
            raise requests.ConnectionError(type(error).__name__) from None
        finally:
            response.close()
        response._content, response._content_consumed = bytes(content), True  # type: ignore[attr-defined]
        return response


@contextmanager
def errors_of(service: str, now: datetime) -> Iterator[None]:
    """Turn whatever requests and spotipy raise into a `WebApiError` that holds no token and no address.

    Args:
        service: the server's name, for messages.
        now: the current time, for a `Retry-After` that is a date.
    """
    try:
        yield
    except (requests.RequestException, SpotifyBaseException, ValueError, KeyError, TypeError, AttributeError) as error:
        response = _response_behind(error)
        if response is not None:
            raise _of_status(service, response, now) from None
        if isinstance(error, requests.Timeout):
            raise Unreachable(f"{service} did not answer in time") from None
        if isinstance(error, requests.RequestException) and not isinstance(error, requests.JSONDecodeError):
            raise Unreachable(f"{service} cannot be reached ({type(error).__name__})") from None
        raise Unreachable(f"{service} sent an answer that cannot be read") from None


def _response_behind(error: BaseException | None) -> requests.Response | None:
    """The server's answer behind an error; spotipy drops its headers, and stumbles over some of its bodies."""
    while error is not None:
        if isinstance(error, requests.HTTPError):
            return error.response
        error = error.__context__
    return None


def _of_status(service: str, response: requests.Response, now: datetime) -> WebApiError:
    status, told = response.status_code, words_of(response)
    if status == requests.codes.too_many_requests:
        wait = retry_after(response.headers.get("Retry-After"), now)
        return TooOften(f"{service} asks to wait until {now + wait:%Y-%m-%d %H:%M} UTC", wait)
    if status >= requests.codes.internal_server_error:
        return Unreachable(f"{service} answers with its own error {status}")
    if status == requests.codes.unauthorized and "invalid_client" not in told:
        return NotAccepted(f"{service} does not accept the login ({told})")
    return Refused(f"{service} refuses ({status}): {told}", told)


def words_of(response: requests.Response) -> str:
    """What the server says about an error, in one short line."""
    try:
        body = response.json()
    except ValueError:
        return "without a reason"
    error = body.get("error") if isinstance(body, dict) else None
    told = error.get("message") if isinstance(error, dict) else error
    parts = [told, body.get("error_description") if isinstance(body, dict) else None]
    text = ": ".join(part for part in parts if isinstance(part, str))
    return " ".join("".join(filter(str.isprintable, text.replace("\n", " "))).split())[:200] or "without a reason"


def retry_after(value: str | None, now: datetime) -> timedelta:
    """How long to wait by a `Retry-After` header, in seconds or as a date; what cannot be read is a minute."""
    text = (value or "").strip()
    if text.isdecimal():
        return min(timedelta(seconds=int(text[:9])), LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(text).astimezone(UTC) - now
    except (ValueError, OverflowError):
        return DEFAULT_WAIT
    return min(max(wait, timedelta()), LONGEST_WAIT)
