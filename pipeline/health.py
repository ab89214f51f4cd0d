"""What needs the listener's attention: a login that ends, plays that are being missed, scheduled runs that fail."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from bronze.delivered.attempts import MOST_DEATHS
from bronze.delivered.delivered_files import printable
from bronze.delivered.inbox import set_aside
from lakehouse.settings import Settings
from lakehouse.spotify.login_status import login_status
from lakehouse.spotify.logins import auth_command, known_listeners, prefix
from lakehouse.spotify.poll_state import load_poll_state, poll_problems
from lakehouse.state_files import moment_in, read_state, write_state

# How each job of the scheduler last ended, and when each kind of problem was last reported.
SCHEDULE_STATE, ALERTS_STATE = "state/schedule.json", "state/alerts.json"


@dataclass(frozen=True)
class Problem:
    """Something that needs attention.

    Attributes:
        kind: identifies the problem: an unchanged kind is the same problem, reported before.
        text: what is wrong and what to do, in one line.
    """

    kind: str
    text: str


def problems(settings: Settings, now: datetime) -> list[Problem]:
    """Everything that needs attention now. Needs no Spark."""
    found = [
        # LISTENER's kinds are those from before there were several: what was reported is not reported again.
        Problem(kind if listener == settings.listener else f"{kind} {listener}", prefix(settings, listener) + text)
        for listener in known_listeners(settings)
        for kind, text in _login_problems(settings, listener, now)
    ]
    for job, ended in sorted(ended_jobs(settings).items()):
        if ended.get("exit_code") and job != "poll":
            at = moment_in(ended, "ended_at")
            when = f" on {at:%Y-%m-%d at %H:%M} UTC" if at else ""
            found.append(
                Problem(f"{job}_failed", f"the scheduled {job} failed{when}: {ended.get('told') or 'no reason'}")
            )
    found += [Problem(f"set_aside {path}", _left_out(path)) for path in set_aside(settings)]
    return found


def _left_out(path: Path) -> str:
    return printable(
        f"{path} is left out until it changes: {MOST_DEATHS} runs died while they imported it, perhaps for want of "
        f"memory; `lakehouse import {path}` tries it again"
    )


def _login_problems(settings: Settings, listener: str, now: datetime) -> Iterator[tuple[str, str]]:
    """Kind and text of what is wrong with a listener's login and polls."""
    login, polls = login_status(settings, listener), load_poll_state(settings, listener)
    if login and (text := login.problem(now)):
        yield "login_ended" if login.has_ended(now) else "login_ends", text
    elif not login and settings.spotify_client_id and polls.answered_at:
        yield "login_ended", f"nobody is logged in at Spotify any more: log in with {auth_command(settings, listener)}"
    if login and not login.has_ended(now):
        for text in poll_problems(polls, now, settings.poll_interval_minutes):
            yield f"plays_missed {polls.gap_noticed_at if 'likely missed' in text else ''}", text


def ended_jobs(settings: Settings) -> dict[str, dict[str, Any]]:
    """How each job of the scheduler last ended: ended_at, exit_code, told (its last words) and seconds."""
    state = read_state(settings.work_path / SCHEDULE_STATE)
    return {job: ended for job, ended in state.items() if isinstance(ended, dict)}


def note_ended_job(settings: Settings, job: str, **ended: object) -> None:
    """Record how a job of the scheduler ended."""
    file = settings.work_path / SCHEDULE_STATE
    write_state(file, read_state(file) | {job: ended})


def forget_reports(settings: Settings, listener: str) -> None:
    """Take a listener's name out of how jobs ended and of what was reported."""
    named = re.compile(rf"\b{re.escape(listener)}\b")
    for job, ended in ended_jobs(settings).items():
        if named.search(str(ended.get("told"))):
            note_ended_job(settings, job, **ended | {"told": ""})
    file = settings.work_path / ALERTS_STATE
    if file.exists():
        write_state(file, {kind: at for kind, at in read_state(file).items() if not named.search(kind)})
