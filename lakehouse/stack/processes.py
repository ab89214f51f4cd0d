"""Background processes that outlive the command that started them; a later command finds and stops them."""

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

from lakehouse.errors import LakehouseError
from lakehouse.state_files import only_one_process

LOOPBACK = "127.0.0.1"
STOP_SECONDS = 30
POLL_SECONDS = 0.2
# Pids are reused after a reboot or a long time: the start time shows whether a process is still ours.
START_TIME_TOLERANCE_SECONDS = 2


@dataclass(frozen=True)
class Background:
    """A long-running process of ours.

    Attributes:
        name: base name of its files.
        folder: where its files are.
    """

    name: str
    folder: Path

    @property
    def log(self) -> Path:
        """The process's output since its last start; that of the start before is in '.log.1'."""
        return self.folder / f"{self.name}.log"

    @property
    def _state_file(self) -> Path:
        return self.folder / f"{self.name}.json"

    @property
    def facts(self) -> dict[str, Any]:
        """What was recorded at its last start; empty where there is none."""
        try:
            return dict(json.loads(self._state_file.read_text()))
        except (OSError, ValueError):
            return {}

    def process(self) -> psutil.Process | None:
        """The running process; None where it was stopped or died."""
        facts = self.facts
        try:
            process = psutil.Process(facts["pid"])
            ours = abs(process.create_time() - facts["started"]) < START_TIME_TOLERANCE_SECONDS
            return process if ours and process.status() != psutil.STATUS_ZOMBIE else None
        except (KeyError, psutil.NoSuchProcess):
            return None

    def start(self, command: list[str], environment: Mapping[str, str], **facts: Any) -> None:
        """Start the process in a new session, so that it survives this terminal, and record `facts` about it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 (the command is ours)
                command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        started = psutil.Process(process.pid).create_time()
        self._state_file.write_text(json.dumps({"pid": process.pid, "started": started, **facts}))

    def stop(self) -> bool:
        """Terminate the process, and kill it if it does not end in time.

        Returns:
            Whether it was running.
        """
        process = self.process()
        if process is not None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(STOP_SECONDS)
        self._state_file.unlink(missing_ok=True)
        return process is not None


def only_one(folder: Path) -> AbstractContextManager[None]:
    """Keep two commands from starting and stopping the same processes at the same time.

    Raises:
        LakehouseError: another one is at work.
    """
    return only_one_process(folder / "lock", f"another `lakehouse stack` command is at work in {folder}: wait for it")


def require_free_port(port: int, setting: str) -> None:
    """Check that a port on loopback is free.

    Raises:
        LakehouseError: another program has it; names the setting that chooses another port.
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
    """Wait until a process that was just started is ready.

    Args:
        background: the process.
        name: its name in messages.
        answers: whether it is ready.
        seconds: how long it may take; after that it is stopped.
        first_error: finds the cause in its log.

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
