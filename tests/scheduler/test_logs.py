"""The scheduler's log: JSON, except on a terminal."""

import json
import logging
import os
import pty
import sys

import pytest

from scheduler.logs import log, start_logging


@pytest.fixture(autouse=True)
def handlers() -> object:
    """The test's own handlers come back afterwards."""
    root, kept = logging.getLogger(), logging.getLogger().handlers[:]
    yield
    root.handlers[:] = kept


def test_every_line_is_json_with_its_facts(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    log("ended", logging.WARNING, job="poll", exit_code=1, last_line='say "ä"\nb')
    [line] = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("at").endswith("+00:00")
    assert found == {"level": "warning", "event": "ended", "job": "poll", "exit_code": 1, "last_line": 'say "ä"\nb'}


def test_an_error_of_a_library_says_what_it_was(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    try:
        raise OSError("no space left")
    except OSError:
        logging.getLogger("apscheduler").exception("Job %s raised an exception", "poll")
    [line] = capsys.readouterr().err.splitlines()
    assert json.loads(line)["error"] == "OSError: no space left"
    assert json.loads(line)["event"] == "Job poll raised an exception"


def test_libraries_are_silent_unless_something_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    start_logging()
    logging.getLogger("apscheduler").info("Added job")
    logging.getLogger("urllib3").debug("http://somewhere/token")
    assert capsys.readouterr().err == ""


def test_on_a_terminal_it_is_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w", buffering=1) as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        start_logging()
        log("started", job="run")
        line = os.read(ours, 1000).decode()
    os.close(ours)
    assert line.split(maxsplit=1)[1].strip() == "info     started  job=run"
