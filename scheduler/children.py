"""Runs commands of the lakehouse as child processes: bounded in time, and ended when the scheduler ends."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

# A child that does not end in this time when it is asked to is killed; the next run repairs what it left.
ASK_TO_END_SECONDS = 4.0
LONGEST_TOLD_BYTES = 4_000


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        exit_code: negative for the signal that ended it.
        told: its last line.
        seconds: how long it took.
        was_hung: whether it was ended because it took too long.
    """

    exit_code: int
    told: str
    seconds: float
    was_hung: bool = False


@dataclass
class Children:
    """The children that run now."""

    _running: set["subprocess.Popen[bytes]"] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_closed: bool = False

    def run(self, command: tuple[str, ...], limit_seconds: float) -> Ended | None:
        """Run a command of the lakehouse to its end.

        Args:
            command: its words, such as ("run", "--trigger", "schedule").
            limit_seconds: after this time it counts as hung and is ended.

        Returns:
            How it ended, or None where the scheduler itself is ending.
        """
        started = time.monotonic()
        # A file, not a pipe: whatever a child says, it costs no memory here.
        with tempfile.TemporaryFile() as told:
            with self._lock:
                if self._is_closed:
                    return None
                child = subprocess.Popen(  # noqa: S603 (our own command)
                    [sys.executable, "-m", "pipeline", *command],
                    stdin=subprocess.DEVNULL, stdout=told, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
                self._running.add(child)
            was_hung = False
            try:
                child.wait(limit_seconds)
            except subprocess.TimeoutExpired:
                was_hung = True
                _end(child)
            finally:
                with self._lock:
                    self._running.discard(child)
            if self._is_closed:
                return None
            last_line = f"ended after {limit_seconds / 60:g} minutes" if was_hung else _last_line(told.fileno())
            return Ended(child.returncode, last_line, time.monotonic() - started, was_hung)

    def end_all(self) -> None:
        """End all children, and start no more."""
        with self._lock:
            self._is_closed = True
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Ask a child and all it started to end, and make them."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(ASK_TO_END_SECONDS)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    # A child leads a session of its own: its Java is in the same group.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, LONGEST_TOLD_BYTES, max(0, size - LONGEST_TOLD_BYTES)).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error ")]
    return "".join(filter(str.isprintable, (errors or lines or [""])[-1]))[:500]
