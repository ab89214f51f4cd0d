"""A function in a child process gives its result, its error, or a clear message when it gives neither."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from threading import Lock
from typing import Any

import psutil
import pytest

from lakehouse.errors import LakehouseError
from lakehouse.models.own_process import in_own_process


def test_the_result_comes_from_another_process() -> None:
    assert in_own_process(os.getpid) != os.getpid()


def test_an_error_is_raised_here() -> None:
    with pytest.raises(ValueError, match="invalid literal for int"):
        in_own_process(int, "x")


def unsendable_error() -> None:
    error = ValueError("too wide")
    error.args = (lambda: "no pickle",)
    raise error


@pytest.mark.parametrize(("function", "arguments"), [(Lock, ()), (unsendable_error, ())])
def test_a_result_that_cannot_be_pickled_is_reported(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, AttributeError), match="pickle"):
        in_own_process(function, *arguments)


def test_a_killed_process_is_reported() -> None:
    with pytest.raises(LakehouseError, match=r"a process ended without an answer; is there enough memory\?"):
        in_own_process(signal.raise_signal, signal.SIGKILL)


def test_it_ends_with_a_parent_that_is_killed() -> None:
    code = "import time; from lakehouse.models.own_process import in_own_process; in_own_process(time.sleep, 600)"
    parent = subprocess.Popen([sys.executable, "-c", code])
    process = psutil.Process(parent.pid)
    # One tracks resources for Python, the other sleeps.
    while len(children := process.children()) < 2:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive
