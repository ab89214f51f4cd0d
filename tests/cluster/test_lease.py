"""One writer at a time across machines: the lease in the object store, and what becomes of who loses it."""

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError, LostWriterError
from lakehouse.lake import lease
from lakehouse.lake.lease import LEASE, leased
from lakehouse.lake.object_store import ObjectStore
from lakehouse.lake.writer import one_writer
from tests.cluster.servers import S3Server

SPAWN = multiprocessing.get_context("spawn")
# A second is the grain of the store's clock.
SHORT_LEASE_SECONDS, SHORT_RENEW_SECONDS = 5.0, 0.5


@pytest.fixture
def store(s3_server: S3Server, place: str) -> ObjectStore:
    return s3_server.store(place)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases end after seconds."""
    monkeypatch.setattr(lease, "LEASE_SECONDS", SHORT_LEASE_SECONDS)
    monkeypatch.setattr(lease, "RENEW_SECONDS", SHORT_RENEW_SECONDS)


def _write(server: S3Server, place: str, at_work: Event, seconds: float) -> None:
    lease.RENEW_SECONDS = SHORT_RENEW_SECONDS
    with leased(server.store(place), purpose="import", wait_seconds=0):
        at_work.set()
        time.sleep(seconds)


def writer(server: S3Server, place: str, seconds: float = 60) -> BaseProcess:
    """Another process that is writing now."""
    at_work = SPAWN.Event()
    process = SPAWN.Process(target=_write, args=(server, place, at_work, seconds))
    process.start()
    assert at_work.wait(30)
    return process


def token(store: ObjectStore) -> int:
    found = lease._read(store)
    assert found
    return found[0].token


def test_a_second_writer_declines_and_says_who_is_at_work(s3_server: S3Server, place: str) -> None:
    other = writer(s3_server, place)
    try:
        with (
            pytest.raises(LakehouseError) as refused,
            leased(s3_server.store(place), purpose="run", wait_seconds=0.3),
        ):
            pytest.fail("both write")
    finally:
        other.terminate()
        other.join()
    told = str(refused.value)
    assert told.startswith(f"another run is writing to this lake (import, process {other.pid} on {os.uname().nodename}")
    assert told.endswith("UTC): try again later")


def test_a_second_writer_waits_for_the_first(s3_server: S3Server, place: str) -> None:
    other = writer(s3_server, place, seconds=1)
    with leased(s3_server.store(place), purpose="run", wait_seconds=30) as mine:
        mine.require()
    other.join()
    assert token(s3_server.store(place)) == 2


def test_of_many_at_once_one_wins(store: ObjectStore) -> None:
    def hold(_: int) -> bool:
        try:
            with leased(store, purpose="run", wait_seconds=0):
                time.sleep(1)
                return True
        except LakehouseError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(hold, range(8))) == 1


@pytest.mark.usefixtures("short")
def test_the_lease_of_a_killed_writer_ends(s3_server: S3Server, place: str) -> None:
    other = writer(s3_server, place)
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    with leased(s3_server.store(place), purpose="run", wait_seconds=30) as mine:
        mine.require()


@pytest.mark.usefixtures("short")
def test_a_lease_is_kept_for_longer_than_it_lasts(store: ObjectStore) -> None:
    with leased(store, purpose="run", wait_seconds=0) as mine:
        time.sleep(SHORT_LEASE_SECONDS + 2)
        mine.require()
        with (
            pytest.raises(LakehouseError, match="another run is writing"),
            leased(store, purpose="run", wait_seconds=0),
        ):
            pytest.fail("both write")
    assert token(store) == 1


@pytest.mark.usefixtures("short")
def test_a_writer_that_stood_still_commits_nothing_any_more(s3_server: S3Server, place: str) -> None:
    """It is stopped while it holds the lease, and goes on after another one took over."""
    other = writer(s3_server, place)
    assert other.pid
    os.kill(other.pid, signal.SIGSTOP)
    store = s3_server.store(place)
    with leased(store, purpose="run", wait_seconds=30) as mine:
        os.kill(other.pid, signal.SIGCONT)
        time.sleep(3 * SHORT_RENEW_SECONDS)
        mine.require()
        assert token(store) == 2
    other.terminate()
    other.join()


def test_who_lost_the_lease_is_told_in_one_line(store: ObjectStore) -> None:
    with leased(store, purpose="run", wait_seconds=0) as mine:
        taken = lease.Holder(token=2, owner="other", purpose="import", pid=5, host="elsewhere", since="now")
        store.write(LEASE, lease._serialized(taken))
        with pytest.raises(LostWriterError) as lost:
            mine.require()
    assert str(lost.value) == (
        f"this run lost the lease on {store.uri}, another writer took over (import, process 5 on elsewhere, since now)"
        ": it stopped writing, and the next run completes what it began"
    )
    assert token(store) == 2


@pytest.mark.usefixtures("short")
def test_a_store_that_is_away_for_too_long_ends_the_writing(own_server: S3Server, place: str) -> None:
    with leased(own_server.store(place), purpose="run", wait_seconds=0) as mine:
        own_server.stop()
        time.sleep(SHORT_LEASE_SECONDS)
        with pytest.raises(LostWriterError, match="the store did not answer for 5 s"):
            mine.require()


@pytest.mark.usefixtures("short")
def test_a_store_that_is_away_for_a_moment_does_not(own_server: S3Server, place: str) -> None:
    with leased(own_server.store(place), purpose="run", wait_seconds=0) as mine:
        own_server.stop()
        time.sleep(SHORT_RENEW_SECONDS)
        own_server.start()
        mine.require()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"token": 5}'])
def test_a_lease_that_cannot_be_read_is_free(store: ObjectStore, content: bytes) -> None:
    store.write(LEASE, content)
    with leased(store, purpose="run", wait_seconds=0) as mine:
        mine.require()


def test_a_writer_sweeps_what_killed_ones_left_staged(s3_server: S3Server, place: str, tmp_path: Path) -> None:
    store = s3_server.store(place)
    store.write(".staging/of-a-killed-run/0-plays.parquet", b"plays")
    with one_writer(s3_server.settings(place, tmp_path / "work"), purpose="run") as still_writer:
        still_writer()
    assert [name for name, _ in store.objects()] == [LEASE]
