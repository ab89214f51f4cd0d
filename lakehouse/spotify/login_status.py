"""What may be shown about a listener's login at Spotify: whose it is and when it ends. Contains no token."""

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.errors import one_line
from lakehouse.settings import Settings
from lakehouse.spotify.logins import auth_command, token_file
from lakehouse.state_files import moment_in, read_state

# A refresh token ends this long after the listener's consent, however often it is used.
CONSENT_MONTHS = 6
WARN_BEFORE = timedelta(days=30)
# Of a text from Spotify, in characters.
LONGEST_TEXT = 100


@dataclass(frozen=True)
class LoginStatus:
    """What may be shown about the login.

    Attributes:
        account: name and id at Spotify.
        scopes: the permissions granted.
        consented_at: when the listener consented.
        expires_at: when that consent ends.
        ended: why Spotify no longer accepts the login, '' while it does.
        command: the command for a new login.
    """

    account: str
    scopes: str
    consented_at: datetime
    expires_at: datetime
    ended: str
    command: str

    def has_ended(self, now: datetime) -> bool:
        """Whether Spotify no longer accepts it."""
        return bool(self.ended) or now >= self.expires_at

    def problem(self, now: datetime) -> str:
        """What the listener has to do, or ''."""
        remedy = f"log in with {self.command}"
        if self.has_ended(now):
            return f"Spotify ended the login of {self.consented_at:%Y-%m-%d}: {remedy}, no play is fetched until then"
        if now >= self.expires_at - WARN_BEFORE:
            days = (self.expires_at - now).days
            return f"the login at Spotify ends in {days} days, on {self.expires_at:%Y-%m-%d}: {remedy} before"
        return ""


def login_status(settings: Settings, listener: str) -> LoginStatus | None:
    """What may be shown about a listener's login; None where there is none."""
    login = read_state(token_file(settings, listener))
    consented_at = moment_in(login, "consented_at")
    if consented_at is None:
        return None
    return LoginStatus(
        account=one_line(login.get("account") or "unknown", LONGEST_TEXT),
        scopes=one_line(login.get("scope") or "", LONGEST_TEXT),
        consented_at=consented_at,
        expires_at=_months_later(consented_at, CONSENT_MONTHS),
        ended=one_line(login.get("ended") or "", LONGEST_TEXT),
        command=auth_command(settings, listener),
    )


def _months_later(start: datetime, months: int) -> datetime:
    """The same day of a later month, or that month's last."""
    years, month = divmod(start.month - 1 + months, 12)
    year, month = start.year + years, month + 1
    return start.replace(year=year, month=month, day=min(start.day, calendar.monthrange(year, month)[1]))
