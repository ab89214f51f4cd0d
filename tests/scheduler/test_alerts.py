"""What needs attention is posted to the webhook: once, again weekly, and never in a way that disturbs."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from pydantic import SecretStr

from lakehouse.settings import Settings
from pipeline.health import Problem
from scheduler.alerts import send_alerts
from tests.support.spotify_server import NOW, Fault, SpotifyServer, error

ENDED = Problem("login_ended", "Spotify ended the login")
FAILED = Problem("run_failed", "the scheduled run failed")
DAY = timedelta(days=1)


@pytest.fixture
def settings(web_settings: Settings, spotify: SpotifyServer) -> Iterator[Settings]:
    yield web_settings.model_copy(update={"alert_webhook_url": SecretStr(f"{spotify.url}/webhook?key=hidden")})


def texts(spotify: SpotifyServer) -> list[str]:
    return [message["text"] for message in spotify.webhook]


def test_all_that_is_new_is_one_message_as_slack_and_discord_read_it(
    settings: Settings, spotify: SpotifyServer
) -> None:
    send_alerts(settings, [ENDED, FAILED], NOW)
    text = "lakehouse: Spotify ended the login\nthe scheduled run failed"
    assert spotify.webhook == [{"text": text, "content": text}]


def test_a_lasting_problem_is_reported_once_a_week(settings: Settings, spotify: SpotifyServer) -> None:
    for hours in range(0, 24 * 15, 6):
        send_alerts(settings, [ENDED], NOW + timedelta(hours=hours))
    assert len(spotify.webhook) == 3


def test_what_is_over_and_comes_again_is_reported_again(settings: Settings, spotify: SpotifyServer) -> None:
    for days, problems in enumerate([[ENDED], [], [ENDED], [ENDED, FAILED]]):
        send_alerts(settings, problems, NOW + days * DAY)
    assert [text.split(": ", 1)[1] for text in texts(spotify)] == [ENDED.text, ENDED.text, FAILED.text]


@pytest.mark.parametrize(
    "fault", [error(500), error(404), Fault("reset"), Fault("status", 302, (("Location", "/elsewhere"),), {})],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)  # fmt: skip
def test_what_cannot_be_posted_is_tried_the_next_time_and_the_address_is_not_logged(
    settings: Settings, spotify: SpotifyServer, caplog: pytest.LogCaptureFixture, fault: Fault
) -> None:
    spotify.faults.append(fault)
    send_alerts(settings, [ENDED], NOW)
    assert spotify.webhook == []
    send_alerts(settings, [ENDED], NOW + timedelta(minutes=30))
    assert len(spotify.webhook) == 1
    [record] = [record for record in caplog.records if record.name == "scheduler"]
    assert (record.levelno, record.getMessage()) == (logging.WARNING, "the alert could not be posted")
    assert "hidden" not in repr(vars(record))


def test_without_a_webhook_nothing_is_sent(web_settings: Settings, spotify: SpotifyServer) -> None:
    send_alerts(web_settings, [ENDED], NOW)
    assert spotify.webhook == []


def test_the_address_is_a_secret(settings: Settings) -> None:
    assert "hidden" not in repr(settings)
