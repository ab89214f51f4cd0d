"""Commands as child processes: under a time limit, and gone when the scheduler ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from lakehouse.lake.lock import writer_lock
from scheduler import children
from scheduler.children import Children


@pytest.fixture(autouse=True)
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The children's lake, by their environment."""
    monkeypatch.setenv("LAKE_URI", f"file:{tmp_path}/lake")
    monkeypatch.setenv("LOCK_WAIT_SECONDS", "3600")
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "")
    return tmp_path / "lake"


@pytest.fixture
def left_over() -> Callable[[], list[psutil.Process]]:
    """What a test has started and still runs; the Java of other tests' Spark ran before."""
    before = set(psutil.Process().children(recursive=True))

    def running() -> list[psutil.Process]:
        now = set(psutil.Process().children(recursive=True))
        return [process for process in now - before if process.status() != psutil.STATUS_ZOMBIE]

    return running


def pretending(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make children run this script in place of the lakehouse."""
    program = folder / "program"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_command_is_run_to_its_end() -> None:
    ended = Children().run(("status",), 120)
    assert ended is not None
    assert (ended.exit_code, ended.was_hung) == (0, False)
    assert ended.last_line.startswith("next: set LISTENER_TIME_ZONE")


def test_what_went_wrong_is_reported_in_its_own_words() -> None:
    ended = Children().run(("poll",), 120)
    assert ended is not None
    assert ended.exit_code == 2
    assert ended.last_line.startswith("error SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET are not set")


def test_the_last_line_is_bounded_and_printable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretending(
        tmp_path,
        "head -c 3000000 /dev/zero | tr '\\0' 'x'; printf '\\nerror \\033[31mred\\033[0m\\nbye\\n'; exit 3",
        monkeypatch,
    )
    ended = Children().run(("run",), 60)
    assert ended is not None
    assert (ended.exit_code, ended.last_line) == (3, "error [31mred[0m")
    pretending(tmp_path, "head -c 3000000 /dev/zero | tr '\\0' 'x'", monkeypatch)
    ended = Children().run(("run",), 60)
    assert ended is not None
    assert len(ended.last_line) == 500


def test_a_hung_child_is_ended_after_the_stated_time(lake: Path, left_over: Callable[[], list[psutil.Process]]) -> None:
    # It waits for another writer that does not end.
    with writer_lock(lake, purpose="a test", wait_seconds=0):
        ended = Children().run(("run",), 3)
    assert ended is not None
    assert ended.was_hung
    assert ended.exit_code == -signal.SIGTERM
    assert ended.last_line == "ended after 0.05 minutes"
    assert left_over() == []


def test_a_child_that_does_not_listen_is_killed_with_all_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_over: Callable[[], list[psutil.Process]]
) -> None:
    monkeypatch.setattr(children, "GRACE_SECONDS", 0.5)
    pretending(tmp_path, "trap '' TERM; sleep 300 & sleep 300 & wait; wait; sleep 300", monkeypatch)
    ended = Children().run(("run",), 0.5)
    assert ended is not None
    assert (ended.exit_code, ended.was_hung) == (-signal.SIGKILL, True)
    assert left_over() == []


def test_ending_all_ends_what_runs_and_starts_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left_over: Callable[[], list[psutil.Process]]
) -> None:
    pretending(tmp_path, f"touch {tmp_path}/started; sleep 300", monkeypatch)
    running = Children()
    results: list[object] = []
    thread = threading.Thread(target=lambda: results.append(running.run(("run",), 300)))
    thread.start()
    while not (tmp_path / "started").exists():
        time.sleep(0.02)
    running.end_all()
    thread.join(10)
    assert results == [None]
    assert running.run(("run",), 300) is None
    assert left_over() == []


def test_a_child_does_not_read_the_scheduler_s_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretending(tmp_path, "cat; ps -o sid= -p $$", monkeypatch)
    if subprocess.run(["sh", "-c", "command -v ps"], capture_output=True, check=False).returncode:
        pretending(tmp_path, "cat; cut -d' ' -f6 /proc/$$/stat", monkeypatch)
    ended = Children().run(("run",), 60)
    assert ended is not None
    assert int(ended.last_line) != os.getsid(0)
