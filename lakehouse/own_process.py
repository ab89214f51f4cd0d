"""Call a function in a process of its own: beside Python's one lock, and its memory is given back when it is done."""

import os
import signal
from collections.abc import Callable
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any

from lakehouse.errors import LakehouseError


def in_own_process(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of a module with arguments that can be pickled, and wait for what it returns.

    Raises:
        LakehouseError: the process ended without an answer, as it does when the memory is used up.
        Exception: whatever the function raises.
    """
    # A fork would inherit the connection to Spark's JVM and the locks of other threads.
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(there, function, args))
    process.start()
    there.close()
    try:
        returned, raised = here.recv()
    except EOFError:
        process.join()
        raise LakehouseError(
            f"the process ended without an answer (exit code {process.exitcode}); is there enough memory?"
        ) from None
    process.join()
    if raised is not None:
        raise raised
    return returned


def _answer(there: Connection, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it too, without a traceback of its own
    Thread(target=_end_with_parent, daemon=True).start()
    try:
        returned, raised = function(*args), None
    except Exception as error:
        returned, raised = None, error
    try:
        there.send((returned, raised))
    except Exception as error:  # what cannot be pickled; nothing of it was sent
        there.send((None, LakehouseError(f"the answer cannot be sent ({type(error).__name__}: {error})")))


def _end_with_parent() -> None:
    """A parent that was killed waits for nothing."""
    parent = parent_process()
    assert parent is not None, "this runs in a child"
    connection.wait([parent.sentinel])
    os._exit(1)
