"""Answers of other people's servers: bounded in size and time, and errors in one line. Needs no Spark."""

import gzip
import time
from datetime import timedelta

import pytest
import requests

from lakehouse.spotify import web_api
from lakehouse.spotify.web_api import (
    LARGEST_ANSWER_BYTES,
    BoundedSession,
    NotAccepted,
    Refused,
    TooOften,
    Unreachable,
    errors_of,
    reason_in,
    retry_after,
)
from tests.support.spotify_server import NOW, Fault, SpotifyServer, error, too_often

# Deeper than Python's parser goes.
DEEP = b"[" * 100_000 + b"]" * 100_000


def get(spotify: SpotifyServer, *faults: Fault) -> requests.Response:
    spotify.faults.extend(faults)
    with errors_of("Spotify", NOW):
        response = BoundedSession().get(f"{spotify.url}/v1/me")
        response.raise_for_status()
        response.json()
    return response


def raw(body: bytes, *headers: tuple[str, str]) -> Fault:
    return Fault("status", 200, headers, body)


@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_that_is_too_large_is_not_read(spotify: SpotifyServer, packed: bool) -> None:
    body = b" " * (LARGEST_ANSWER_BYTES + 1)
    fault = raw(gzip.compress(body), ("Content-Encoding", "gzip")) if packed else raw(body)
    with pytest.raises(Unreachable, match="Spotify cannot be reached"):
        get(spotify, fault)


@pytest.mark.parametrize("kind", ["silence", "drip"])
def test_waiting_for_an_answer_is_limited(spotify: SpotifyServer, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(web_api, "TIMEOUT_SECONDS", (1.0, 0.3))
    monkeypatch.setattr(web_api, "LONGEST_ANSWER_SECONDS", 0.3)
    spotify.silent_for = 8
    started = time.monotonic()
    with pytest.raises(Unreachable, match="Spotify did not answer in time"):
        get(spotify, Fault(kind))
    assert time.monotonic() - started < spotify.silent_for


def test_a_redirect_is_not_followed(spotify: SpotifyServer) -> None:
    with pytest.raises(Unreachable, match="cannot be read"):
        get(spotify, Fault("status", 302, (("Location", f"{spotify.url}/elsewhere"),), b""))
    assert spotify.paths() == ["/v1/me"]


def test_an_unreachable_server_is_reported_without_its_address(spotify: SpotifyServer) -> None:
    with pytest.raises(Unreachable) as failure, errors_of("Spotify", NOW):
        BoundedSession().get("http://127.0.0.1:9/secret")
    assert str(failure.value) == "Spotify cannot be reached (ConnectionError)"


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (error(500), Unreachable, "Spotify answers with its own error 500"),
        (error(503), Unreachable, "Spotify answers with its own error 503"),
        (error(401, "expired"), NotAccepted, r"Spotify does not accept the login \(expired\)"),
        (error(403, "no"), Refused, r"Spotify refuses \(403\): no"),
        (error(404, "gone"), Refused, r"Spotify refuses \(404\): gone"),
        (too_often("60"), TooOften, "Spotify asks to wait until 2026-06-01 12:01 UTC"),
        (Fault("cut"), Unreachable, "Spotify cannot be reached"),
        (Fault("malformed"), Unreachable, "Spotify sent an answer that cannot be read"),
        (Fault("status", 418, body=[]), Refused, r"Spotify refuses \(418\): without a reason"),
        (Fault("status", 418, body=DEEP), Refused, r"Spotify refuses \(418\): without a reason"),
        (Fault("status", 200, body=DEEP), Unreachable, "Spotify sent an answer that cannot be read"),
    ],
    ids=lambda value: str(getattr(value, "status", "") or getattr(value, "kind", "")),
)
def test_what_each_answer_means(spotify: SpotifyServer, fault: Fault, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        get(spotify, fault)


def test_a_server_s_reason_is_one_short_line() -> None:
    response = requests.Response()
    response._content = b'{"error": {"message": "a\\nb\\u001b[31m' + b"x" * 500 + b'"}}'
    assert reason_in(response).startswith("a b[31mx")
    assert len(reason_in(response)) == 200


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1e9", "\u0661", "Tue, 99 Foo 2026"])
def test_a_wait_that_cannot_be_read_is_a_minute(value: str | None) -> None:
    assert retry_after(value, NOW) in (timedelta(minutes=1), timedelta(seconds=1))


@pytest.mark.parametrize("value", ["9999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_wait_is_longer_than_a_month(value: str) -> None:
    assert retry_after(value, NOW) == timedelta(days=30)
