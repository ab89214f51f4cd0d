"""Posts what needs attention to a webhook: once when a problem begins, and weekly while it lasts."""

import logging
from datetime import datetime, timedelta
from http import HTTPStatus

import requests

from lakehouse.settings import Settings
from lakehouse.spotify.web_api import BoundedSession
from lakehouse.state_files import moment_in, read_state, write_state
from pipeline.health import ALERTS_STATE, Problem
from scheduler.logs import log

REMIND_EVERY = timedelta(days=7)


def send_alerts(settings: Settings, problems: list[Problem], now: datetime) -> None:
    """Post problems that are new or due for a reminder; what cannot be posted is tried again the next time."""
    if settings.alert_webhook_url is None:
        return
    file = settings.work_path / ALERTS_STATE
    sent_at = read_state(file)
    due = [p for p in problems if not (at := moment_in(sent_at, p.kind)) or now - at >= REMIND_EVERY]
    if due and _post(settings.alert_webhook_url.get_secret_value(), due):
        sent_at |= {problem.kind: now.isoformat() for problem in due}
    lasting = {problem.kind: sent_at[problem.kind] for problem in problems if problem.kind in sent_at}
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
        # Without the error's text, which contains the address, a secret.
        reason = type(error).__name__
    if reason:
        log("the alert could not be posted", logging.WARNING, reason=reason)
    return not reason
