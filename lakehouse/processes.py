"""Processes that outlive the command that started them: found again by a file, stopped by whoever comes later."""

import fcntl
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from lakehouse.errors import LakehouseError

STOP_SECONDS = 30
# A pid is used again after a reboot or a long time: the start time tells whether the process is still ours.
START_TIME_TOLERANCE_SECONDS = 2


@dataclass(frozen=True)
class Background:
    """A long-running process of ours.

    Attributes:
        name: names its files.
        folder: where they lie.
    """

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """What the process writes, since its last start; the run before is beside it as '.log.1'."""
        return self.folder / f"{self.name}.log"

    @property
    def _note(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def facts(self) -> dict[str, Any]:
        """What was noted when it was last started; empty where it never was."""
        try:
            return dict(json.loads(self._note.read_text()))
        except (OSError, ValueError):
            return {}

    def process(self) -> psutil.Process | None:
        """The running process, or None when it is stopped or dead."""
        facts = self.facts
        try:
            process = psutil.Process(facts["pid"])
            ours = abs(process.create_time() - facts["started"]) < START_TIME_TOLERANCE_SECONDS
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (KeyError, psutil.NoSuchProcess):
            return None

    def start(self, command: list[str], environment: Mapping[str, str], **facts: Any) -> None:
        """Start the process in a session of its own, so that it survives this terminal, and note `facts` of it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (the command is ours)
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        started = psutil.Process(process.pid).create_time()
        self._note.write_text(json.dumps({"pid": process.pid, "started": started, **facts}))

    def stop(self) -> bool:
        """Ask the process to end, and make it end when it does not.

        Returns:
            Whether there was one.
        """
        process = self.process()
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        self._note.unlink(missing_ok=True)
        return process is not None


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Keep two commands from starting and stopping the same processes at the same time.

    Raises:
        LakehouseError: another one is at it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LakehouseError(f"another `lakehouse stack` command is at work in {folder}: wait for it") from None
        yield
