"""Tells a webhook what needs attention: once when it begins, and weekly while it lasts."""

import logging
from datetime import datetime, timedelta
from http import HTTPStatus

import requests

from lakehouse.settings import Settings
from lakehouse.spotify.web_api import BoundedSession
from lakehouse.state_files import moment_in, read_state, write_state
from pipeline.health import Problem
from scheduler.logs import log

ALERTS_STATE = "state/alerts.json"
REMIND_EVERY = timedelta(days=7)


def send_alerts(settings: Settings, problems: list[Problem], now: datetime) -> None:
    """Post the problems that were not told yet; what cannot be posted is tried again the next time."""
    if settings.alert_webhook_url is None:
        return
    file = settings.work_path / ALERTS_STATE
    told = read_state(file)
    due = [p for p in problems if not (at := moment_in(told, p.kind)) or now - at >= REMIND_EVERY]
    if due and _post(settings.alert_webhook_url.get_secret_value(), due):
        told |= {problem.kind: now.isoformat() for problem in due}
    lasting = {problem.kind: told[problem.kind] for problem in problems if problem.kind in told}
    if lasting != read_state(file):
        write_state(file, lasting)


def _post(address: str, problems: list[Problem]) -> bool:
    text = "lakehouse: " + "\n".join(problem.text for problem in problems)
    try:
        # Slack reads `text`, Discord `content`.
        with BoundedSession() as session:
            status = session.post(address, json={"text": text, "content": text}).status_code
        reason = "" if status < HTTPStatus.MULTIPLE_CHOICES else f"status {status}"
    except requests.RequestException as error:
        # The address is a secret, and part of the error's text.
        reason = type(error).__name__
    if reason:
        log("the alert could not be posted", logging.WARNING, reason=reason)
    return not reason
