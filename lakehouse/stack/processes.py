"""Processes that outlive the command that started them: found again by a file, stopped by whoever comes later."""

import json
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.state_files import only_one_process

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 30
POLL_SECONDS = 0.2
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


def only_one(folder: Path) -> AbstractContextManager[None]:
    """Keep two commands from starting and stopping the same processes at the same time.

    Raises:
        LakehouseError: another one is at work.
    """
    return only_one_process(folder / "lock", f"another `lakehouse stack` command is at work in {folder}: wait for it")


def require_free_port(port: int, setting: str) -> None:
    """Refuse a port on loopback that another program has.

    Raises:
        LakehouseError: it is taken; names the setting that gives another one.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            raise LakehouseError(
                f"port {port} is taken by another program: stop it, or set {setting} to a free port"
            ) from None


def wait_until_it_answers(
    background: Background, name: str, answers: Callable[[], bool], seconds: float, first_error: Callable[[Path], str]
) -> float:
    """Wait for a process that was started just now.

    Args:
        background: the process.
        name: how users know it.
        answers: whether it is ready.
        seconds: how long it may take; then it is stopped.
        first_error: finds the reason in its log.

    Returns:
        The seconds it took.

    Raises:
        LakehouseError: it ended or took too long; says where its log is.
    """
    began = time.monotonic()
    while not answers():
        if background.process() is None:
            raise LakehouseError(
                f"{name} ended while starting: {first_error(background.log)}; its log: {background.log}"
            )
        if time.monotonic() - began > seconds:
            background.stop()
            raise LakehouseError(
                f"{name} did not start within {seconds:.0f} s and was stopped; its log: {background.log}"
            )
        time.sleep(POLL_SECONDS)
    return time.monotonic() - began


def say(console: Console, text: str) -> None:
    """Tell a line as it is."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
