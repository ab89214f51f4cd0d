"""What needs the listener's attention: a login that ends, plays that are being missed, scheduled runs that fail."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.settings import Settings
from lakehouse.spotify.login_status import LOG_IN, login_status
from lakehouse.spotify.poll_state import load_poll_state, poll_problems
from lakehouse.state_files import moment_in, read_state, write_state

# How each job of the scheduler last ended.
SCHEDULE_STATE = "state/schedule.json"


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
    found = []
    login = login_status(settings.spotify_token_file)
    polls = load_poll_state(settings.work_path)
    if login and (text := login.problem(now)):
        found.append(Problem("login_ended" if login.has_ended(now) else "login_ends", text))
    elif not login and settings.spotify_client_id and polls.answered_at:
        found.append(Problem("login_ended", f"nobody is logged in at Spotify any more: {LOG_IN}"))
    if login and not login.has_ended(now):
        found += [
            Problem(f"plays_missed {polls.gap_noticed_at if 'likely missed' in text else ''}", text)
            for text in poll_problems(polls, now, settings.poll_interval_minutes)
        ]
    for job, ended in sorted(ended_jobs(settings).items()):
        if ended.get("exit_code") and job != "poll":
            at = moment_in(ended, "ended_at")
            when = f" on {at:%Y-%m-%d at %H:%M} UTC" if at else ""
            found.append(
                Problem(f"{job}_failed", f"the scheduled {job} failed{when}: {ended.get('told') or 'no reason'}")
            )
    return found


def ended_jobs(settings: Settings) -> dict[str, dict[str, Any]]:
    """How each job of the scheduler last ended: ended_at, exit_code, told (its last words) and seconds."""
    state = read_state(settings.work_path / SCHEDULE_STATE)
    return {job: ended for job, ended in state.items() if isinstance(ended, dict)}


def note_ended_job(settings: Settings, job: str, **ended: object) -> None:
    """Record how a job of the scheduler ended."""
    file = settings.work_path / SCHEDULE_STATE
    write_state(file, read_state(file) | {job: ended})
