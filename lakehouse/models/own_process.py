"""Work in processes of their own: beside Python's one lock, and their memory is given back when they are done."""

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
    """So many processes; they take functions of modules, with arguments and results that can be pickled.

    Raises:
        LakehouseError: one ended without an answer, as it does when the memory is used up.
    """
    # A fork would inherit the connection to Spark's JVM and the locks of other threads.
    with ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_begin) as processes:
        try:
            yield processes
        except BrokenProcessPool:
            raise LakehouseError("a process ended without an answer; is there enough memory?") from None


def in_own_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function in one such process, and wait for what it returns or raises."""
    with own_processes(1) as process:
        return process.submit(function, *args).result()


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it too, without a traceback of its own
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A parent that was killed waits for nothing."""
    parent = parent_process()
    assert parent is not None, "this runs in a child"
    connection.wait([parent.sentinel])
    os._exit(1)
