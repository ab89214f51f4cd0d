"""Keeps to a server's rate limits across processes: when requests may resume is stored instead of slept through."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from lakehouse.spotify.web_api import NotAccepted, NotYet, Refused, TooOften, Unreachable, WebApiError, errors_of
from lakehouse.state_files import moment_in, read_state, write_state

ATTEMPTS = 3
FIRST_PAUSE_SECONDS = 1.0
# After several failed attempts: for how long no request is sent, doubling from the first to the longest.
FIRST_BREAK, LONGEST_BREAK = timedelta(minutes=1), timedelta(hours=1)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Politeness:
    """Stores in a file when requests to a server may resume, for all processes.

    Attributes:
        file: the file; one per server, or per listener where a server knows listeners.
        service: the server's name, for messages.
        now: the current time.
        pause: waits the given seconds between two attempts.
        shared_file: the file for a server's word that requests are too many (429), where that concerns all listeners;
            None where it is `file`.
    """

    file: Path
    service: str
    now: datetime
    pause: Callable[[float], None] = time.sleep
    shared_file: Path | None = None

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Send a request; failures on the server's side are retried with exponential backoff and jitter.

        Raises:
            NotYet: an earlier answer forbade requests before a time that has not come.
            WebApiError: the request failed; when requests may resume is stored.
        """
        self.expect_allowed()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with errors_of(self.service, self.now):
                    answer = question()
                break
            except Unreachable as error:
                if attempt == ATTEMPTS:
                    self._back_off(error)
                    raise
                self.pause(_jitter(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
            except TooOften as error:
                self._store(self.shared_file or self.file, self.now + error.wait, str(error))
                raise
            except (Refused, NotAccepted) as error:
                self._back_off(error)
                raise
        self.forget()
        return answer

    def expect_allowed(self) -> None:
        """Check that requests are allowed now.

        Raises:
            NotYet: an earlier answer forbids them.
        """
        for file in filter(None, (self.shared_file, self.file)):
            state = read_state(file)
            until = moment_in(state, "not_before")
            if until and self.now < until:
                reason = state.get("reason", "")
                raise NotYet(f"{self.service} is not asked before {until:%Y-%m-%d %H:%M} UTC: {reason}")

    def forget(self) -> None:
        """Forget earlier failures: the server answers."""
        self.file.unlink(missing_ok=True)

    def _back_off(self, error: WebApiError) -> None:
        failures = read_state(self.file).get("failures")
        failures = failures + 1 if isinstance(failures, int) else 1
        longest = min(FIRST_BREAK * 2 ** min(failures - 1, 16), LONGEST_BREAK)
        seconds = _jitter(longest.total_seconds())
        self._store(self.file, self.now + timedelta(seconds=seconds), str(error), failures)

    def _store(self, file: Path, until: datetime, reason: str, failures: int = 0) -> None:
        write_state(file, {"not_before": until.isoformat(), "reason": reason, "failures": failures})


def _jitter(longest_seconds: float) -> float:
    """Between half of it and all of it, so that many clients do not return at the same moment."""
    return longest_seconds * random.uniform(0.5, 1)  # noqa: S311 (no secret)
