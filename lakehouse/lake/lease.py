"""One writer at a time on a lake in an object store: a lease that its holder renews and that otherwise expires.

The lease is one object that is written only if it is still as it was read (If-None-Match, If-Match), so the store
decides who was first. Its age is measured by the store's clock alone: the machines' clocks do not matter. Each new
holder increments the fencing token; a writer that finds another token than its own has lost the lease and commits
nothing more.
"""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from threading import Event, Thread
from uuid import uuid4

from lakehouse.errors import LakehouseError, LostWriterError
from lakehouse.lake.object_store import Kept, ObjectStore, StoreRefusedError

LEASE = ".writer.lease"
LEASE_SECONDS = 40.0
RENEW_SECONDS = 10.0
POLL_SECONDS = 1.0
# The store reports the time of a write in whole seconds.
CLOCK_GRAIN_SECONDS = 2.0


@dataclass(frozen=True)
class Holder:
    """What the lease says.

    Attributes:
        token: fencing token, incremented by each new holder.
        owner: identifies the holder; '' when the lease was released.
        purpose: what the holder does.
        pid: its process.
        host: its machine.
        since: when it took the lease, in UTC.
    """

    token: int
    owner: str
    purpose: str = ""
    pid: int = 0
    host: str = ""
    since: str = ""

    def __str__(self) -> str:
        return f"{self.purpose}, process {self.pid} on {self.host}, since {self.since}"


class Lease:
    """The lease as one process holds it."""

    def __init__(self, store: ObjectStore, holder: Holder, tag: str, asked_at: float) -> None:
        """Renew a lease that was acquired.

        Args:
            store: where it is.
            holder: what was written.
            tag: the object's tag.
            asked_at: when it was requested, by this machine's monotonic clock.
        """
        self._store, self._holder, self._tag = store, holder, tag
        self._valid_until = asked_at + LEASE_SECONDS - CLOCK_GRAIN_SECONDS
        self._lost = ""
        self._ended = Event()
        self._renewing = Thread(target=self._renew, name="lease", daemon=True)
        self._renewing.start()

    def require(self) -> None:
        """Make sure that this process is still the only writer; called before each commit.

        Raises:
            LostWriterError: it is not, or that is unknown.
        """
        if not self._lost and time.monotonic() > self._valid_until:
            self._lost = f"the store did not answer for {LEASE_SECONDS:.0f} s"
        if not self._lost:
            # This process may have been suspended, so its own clock proves nothing.
            found = _read(self._store)
            if not found or (found[0].token, found[0].owner) != (self._holder.token, self._holder.owner):
                self._lost = f"another writer took over ({found[0]})" if found else "it was deleted"
        if self._lost:
            raise LostWriterError(
                f"this run lost the lease on {self._store.uri}, {self._lost}: it stopped writing, and the next run "
                "completes what it began"
            )

    def release(self) -> None:
        """Release it, so that the next writer need not wait."""
        self._ended.set()
        self._renewing.join()
        if not self._lost:
            with suppress(StoreRefusedError):  # it expires by itself
                self._store.write_if(LEASE, _serialized(Holder(self._holder.token, "")), self._tag)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_SECONDS) and not self._lost:
            asked_at = time.monotonic()
            with suppress(StoreRefusedError):  # `require` reports it when it lasts
                tag = _write(self._store, self._holder, self._tag)
                if tag is None:
                    self._lost = "another writer took over"
                    return
                self._tag, self._valid_until = tag, asked_at + LEASE_SECONDS - CLOCK_GRAIN_SECONDS


@contextmanager
def leased(store: ObjectStore, *, purpose: str, wait_seconds: float) -> Iterator[Lease]:
    """Hold the lease of the lake's only writer.

    Args:
        store: the lake's object store.
        purpose: what the holder does, shown to those who wait.
        wait_seconds: how long to wait for another writer.

    Raises:
        LakehouseError: another writer is still at work after that; names it.
    """
    deadline = time.monotonic() + wait_seconds
    owner = uuid4().hex
    while True:
        asked_at = time.monotonic()
        found = _read(store)
        if found and found[0].owner and found[1].age_seconds < LEASE_SECONDS:
            if time.monotonic() >= deadline:
                raise LakehouseError(f"another run is writing to this lake ({found[0]}): try again later")
            time.sleep(POLL_SECONDS)
            continue
        holder = Holder(
            token=found[0].token + 1 if found else 1, owner=owner, purpose=purpose, pid=os.getpid(),
            host=socket.gethostname(), since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        )  # fmt: skip
        if tag := _write(store, holder, found[1].tag if found else None):
            break
    lease = Lease(store, holder, tag, asked_at)
    try:
        yield lease
    finally:
        lease.release()


def _write(store: ObjectStore, holder: Holder, tag: str | None) -> str | None:
    """Write the lease if its tag is still the given one; returns the new tag, None where another writer holds it."""
    if written := store.write_if(LEASE, _serialized(holder), tag):
        return written
    # The response to a first attempt may have been lost; then the lease found is our own.
    found = _read(store)
    return found[1].tag if found and found[0] == holder else None


def _serialized(holder: Holder) -> bytes:
    # A random mark, so that each renewal changes the object's tag.
    return json.dumps({**asdict(holder), "mark": uuid4().hex}).encode()


def _read(store: ObjectStore) -> tuple[Holder, Kept] | None:
    """The lease as stored; an unreadable one counts as released."""
    kept = store.read(LEASE)
    if kept is None:
        return None
    try:
        fields = json.loads(kept.content)
        fields.pop("mark", None)
        return Holder(**fields), kept
    except (ValueError, TypeError, AttributeError):
        return Holder(0, ""), kept
