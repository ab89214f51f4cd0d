"""The lake's only writer, on this machine and all others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakehouse.lake.lock import writer_lock
from lakehouse.settings import Settings

# Raises LostWriterError where this process is not the only writer any more.
StillWriter = Callable[[], None]


@contextmanager
def one_writer(settings: Settings, *, purpose: str) -> Iterator[StillWriter]:
    """Be the lake's only writer, on this machine and all others.

    Args:
        settings: name the lake, and how long to wait for another writer.
        purpose: what this one does, shown to those who wait.

    Yields:
        A function to call before each commit; it raises where another writer took over.

    Raises:
        LakehouseError: another writer is still at work after that time; names it.
    """
    with writer_lock(settings.work_path, purpose=purpose, wait_seconds=settings.lock_wait_seconds):
        if not settings.is_in_object_store:
            # The operating system takes the lock from a holder only when that is dead.
            yield lambda: None
            return
        # Takes half a second to load, which a lake in a folder never needs.
        from lakehouse.lake.lease import leased
        from lakehouse.lake.object_store import store_of

        store = store_of(settings)
        store.require()
        with leased(store, purpose=purpose, wait_seconds=settings.lock_wait_seconds) as lease:
            store.delete_uploads()
            yield lease.require
