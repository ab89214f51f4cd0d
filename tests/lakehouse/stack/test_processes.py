"""Processes outlive the command that starts them, and only ours are stopped."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lakehouse.errors import LakehouseError
from lakehouse.stack import processes
from lakehouse.stack.processes import Background, only_one

SLEEP = [sys.executable, "-c", "import time; print('hello', flush=True); time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('hello', flush=True); time.sleep(600)",
]


@pytest.fixture
def background(tmp_path: Path) -> Iterator[Background]:
    background = Background("sleeper", tmp_path / "stack")
    yield background
    background.stop()


def wait_for_output(background: Background) -> None:
    deadline = time.monotonic() + 20
    while not background.log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_runs_until_it_is_stopped(background: Background) -> None:
    background.start(SLEEP, os.environ, port=8080)
    process = background.process()
    assert process is not None
    assert background.facts["port"] == 8080
    assert background.stop()
    assert not process.is_running()
    assert background.process() is None
    assert not background.stop()


def test_it_survives_the_command_that_started_it(background: Background) -> None:
    starter = (
        "import os, pathlib, sys; from lakehouse.stack.processes import Background; "
        f"Background('sleeper', pathlib.Path({str(background.folder)!r})).start({SLEEP!r}, os.environ)"
    )
    subprocess.run([sys.executable, "-c", starter], check=True)
    process = background.process()
    assert process is not None
    assert os.getsid(process.pid) != os.getsid(0)


def test_one_that_ignores_termination_is_killed(background: Background, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.2)
    background.start(STUBBORN, os.environ)
    wait_for_output(background)
    assert background.stop()
    assert background.process() is None


def test_a_dead_process_is_not_running_but_remembered(background: Background) -> None:
    background.start([sys.executable, "-c", "raise SystemExit(1)"], os.environ)
    psutil.Process(background.facts["pid"]).wait(20)
    assert background.process() is None
    assert background.facts


def test_another_process_with_the_same_pid_is_left_alone(background: Background) -> None:
    background.start(SLEEP, os.environ)
    stranger = background.process()
    assert stranger is not None
    note = background.folder / "sleeper.json"
    ours = note.read_text()
    note.write_text(json.dumps({**json.loads(ours), "started": 1.0}))
    assert background.process() is None
    assert not background.stop()
    assert stranger.is_running()
    note.write_text(ours)


def test_a_damaged_state_file_is_like_none(background: Background) -> None:
    background.folder.mkdir()
    (background.folder / "sleeper.json").write_text("{")
    assert background.process() is None
    assert not background.stop()


def test_the_previous_log_is_kept(background: Background) -> None:
    for _ in range(2):
        background.start(SLEEP, os.environ)
        wait_for_output(background)
        background.stop()
    assert background.log.with_suffix(".log.1").read_text() == "hello\n"


def test_two_commands_do_not_start_and_stop_at_once(tmp_path: Path) -> None:
    refused = pytest.raises(LakehouseError, match="another `lakehouse stack` command is at work")
    with only_one(tmp_path), refused, only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass
