"""The state kept between polls of a listener's plays, and the problems in it that the listener should know."""

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from lakehouse.settings import Settings
from lakehouse.spotify.logins import OWNER, poll_state_file
from lakehouse.state_files import moment_in, read_state, write_state

# In about three hours of listening, the 50 plays that Spotify shows are all new.
LONGEST_SILENCE = timedelta(hours=3)
# For how long a gap is reported.
GAP_REPORTED_FOR = timedelta(days=7)


@dataclass(frozen=True)
class PollState:
    """What polls have seen so far. Instants are ISO 8601, in UTC.

    Attributes:
        newest_played_at: end of the newest play seen; the cursor.
        known_plays: keys of the newest plays that were kept.
        asked_for_all_at: when Spotify was last asked for all plays that it shows, not only for new ones.
        answered_at: when Spotify last answered.
        failing_since: the first failure after that, '' where the last poll succeeded.
        error: the last failure.
        gap_noticed_at: when plays were last found to be missing between two polls.
        gap: the interval in which they are missing.
    """

    newest_played_at: str = ""
    known_plays: tuple[str, ...] = ()
    asked_for_all_at: str = ""
    answered_at: str = ""
    failing_since: str = ""
    error: str = ""
    gap_noticed_at: str = ""
    gap: str = ""

    def moment(self, name: str) -> datetime | None:
        """One of the instants; None where it is unknown."""
        return moment_in(asdict(self), name)


def load_poll_state(settings: Settings, listener: str) -> PollState:
    """The stored state; damaged or missing values are as before the first poll."""
    stored: dict[str, Any] = read_state(poll_state_file(settings, listener))
    texts = {
        field.name: stored[field.name]
        for field in fields(PollState)
        if field.name != "known_plays" and isinstance(stored.get(field.name), str)
    }
    known = stored.get("known_plays")
    return PollState(known_plays=tuple(map(str, known)) if isinstance(known, list) else (), **texts)


def save_poll_state(settings: Settings, listener: str, state: PollState) -> None:
    """Store the state."""
    write_state(poll_state_file(settings, listener), {OWNER: listener, **asdict(state)})


def poll_problems(state: PollState, now: datetime, interval_minutes: int) -> list[str]:
    """What the listener should know: one line for each reason why plays are likely missed."""
    problems = []
    answered_at = state.moment("answered_at") or state.moment("failing_since")
    silence = max(LONGEST_SILENCE, timedelta(minutes=3 * interval_minutes))
    if answered_at and now - answered_at > silence:
        reason = f" ({state.error})" if state.error else ": is the scheduler running?"
        problems.append(
            f"Spotify has not answered since {_format(answered_at)}{reason}; it shows the last 50 plays only, "
            "others are being missed until the next privacy export is imported"
        )
    gap_noticed_at = state.moment("gap_noticed_at")
    if gap_noticed_at and now - gap_noticed_at < GAP_REPORTED_FOR:
        problems.append(
            f"plays {state.gap} were likely missed: more than Spotify shows came between two polls; lower "
            "POLL_INTERVAL_MINUTES, the next privacy export fills the gap"
        )
    return problems


def _format(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
