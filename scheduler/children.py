"""Runs commands of the lakehouse as child processes, under a time limit, and ends them with the scheduler."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from lakehouse.errors import one_line

# Time from SIGTERM to SIGKILL. The next run repairs what a killed one left behind.
GRACE_SECONDS = 4.0
# Bytes of a child's output that its last line is searched in.
TAIL_BYTES = 4_000


@dataclass(frozen=True)
class ChildResult:
    """How a child ended.

    Attributes:
        exit_code: of the process; minus the signal's number where a signal ended it.
        last_line: its error message, otherwise the last line of its output.
        seconds: how long it ran.
        was_hung: whether it was ended because it took too long.
    """

    exit_code: int
    last_line: str
    seconds: float
    was_hung: bool = False


@dataclass
class Children:
    """The running children."""

    _running: set["subprocess.Popen[bytes]"] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_closed: bool = False

    def run(self, command: tuple[str, ...], limit_seconds: float) -> ChildResult | None:
        """Run a command of the lakehouse to its end.

        Args:
            command: its arguments, such as ("run", "--trigger", "schedule").
            limit_seconds: time after which it counts as hung and is ended.

        Returns:
            How it ended, or None where the scheduler itself is ending.
        """
        started = time.monotonic()
        # A file, not a pipe: long output then takes no memory in the scheduler.
        with tempfile.TemporaryFile() as output:
            with self._lock:
                if self._is_closed:
                    return None
                child = subprocess.Popen(  # noqa: S603 (our own command)
                    [sys.executable, "-m", "pipeline", *command],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
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
            last_line = f"ended after {limit_seconds / 60:g} minutes" if was_hung else _last_line(output.fileno())
            return ChildResult(child.returncode, last_line, time.monotonic() - started, was_hung)

    def end_all(self) -> None:
        """End all children, and start no new ones."""
        with self._lock:
            self._is_closed = True
            running = list(self._running)
        for child in running:
            _signal(child, signal.SIGTERM)
        for child in running:
            _end(child)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """End a child and all processes that it started, by force after a grace period."""
    _signal(child, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        child.wait(GRACE_SECONDS)
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    # A child leads a process group of its own, which its JVM is in as well.
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _last_line(descriptor: int) -> str:
    size = os.fstat(descriptor).st_size
    text = os.pread(descriptor, TAIL_BYTES, max(0, size - TAIL_BYTES)).decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error ")]
    return one_line((errors or lines or [""])[-1])
