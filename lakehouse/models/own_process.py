"""Work in child processes: outside this process's GIL, and their memory is freed when they end."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import Any

from lakehouse.errors import LakehouseError


@contextmanager
def own_processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of child processes for module-level functions with picklable arguments and results.

    Raises:
        LakehouseError: one ended without a result, as it does when memory runs out.
    """
    # A fork would inherit the connection to Spark's JVM and the locks of other threads.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_set_up) as processes:
        try:
            yield processes
        except BrokenProcessPool:
            raise LakehouseError("a process ended without an answer; is there enough memory?") from None


def in_own_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in a child process; returns what it returns and raises what it raises."""
    with own_processes(1) as process:
        return process.submit(function, *args).result()


def _set_up() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it too, without a second traceback
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End when the parent was killed: nothing waits for the result any more."""
    parent = parent_process()
    assert parent is not None, "this runs in a child"
    connection.wait([parent.sentinel])
    os._exit(1)
