"""Never asks a server more often than it allows: when it may be asked again is remembered instead of slept away."""

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
# Where several attempts failed: how long nothing is asked, doubling from the first to the last.
FIRST_BREAK, LONGEST_BREAK = timedelta(minutes=1), timedelta(hours=1)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Politeness:
    """Remembers in a file when a server may be asked again, over all processes.

    Attributes:
        file: where; one per server.
        service: the server's name, for messages.
        now: the current time.
        pause: waits some seconds between two attempts.
    """

    file: Path
    service: str
    now: datetime
    pause: Callable[[float], None] = time.sleep

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask; an attempt that fails for no reason of ours is repeated after a growing pause.

        Raises:
            NotYet: an earlier answer said not to ask before some time, which has not come.
            WebApiError: the server does not give it; when it may be asked again is remembered.
        """
        self.expect_allowed()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with errors_of(self.service, self.now):
                    answer = question()
                break
            except Unreachable as error:
                if attempt == ATTEMPTS:
                    self._take_a_break(error)
                    raise
                self.pause(_jittered(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1)))
            except TooOften as error:
                self._remember(self.now + error.wait, str(error))
                raise
            except (Refused, NotAccepted) as error:
                self._take_a_break(error)
                raise
        self.forget()
        return answer

    def expect_allowed(self) -> None:
        """Nothing forbids to ask now.

        Raises:
            NotYet: something does.
        """
        state = read_state(self.file)
        until = moment_in(state, "not_before")
        if until and self.now < until:
            reason = state.get("reason", "")
            raise NotYet(f"{self.service} is not asked before {until:%Y-%m-%d %H:%M} UTC: {reason}")

    def forget(self) -> None:
        """The server answers: ask as usual."""
        self.file.unlink(missing_ok=True)

    def _take_a_break(self, error: WebApiError) -> None:
        failures = read_state(self.file).get("failures")
        failures = failures + 1 if isinstance(failures, int) else 1
        longest = min(FIRST_BREAK * 2 ** min(failures - 1, 16), LONGEST_BREAK)
        seconds = _jittered(longest.total_seconds())
        self._remember(self.now + timedelta(seconds=seconds), str(error), failures)

    def _remember(self, until: datetime, reason: str, failures: int = 0) -> None:
        write_state(self.file, {"not_before": until.isoformat(), "reason": reason, "failures": failures})


def _jittered(longest_seconds: float) -> float:
    """Between half and all of it, so that many do not come back at the same moment."""
    return longest_seconds * random.uniform(0.5, 1)  # noqa: S311 (no secret)
