"""One writer at a time, and whoever waits is told for whom."""

import multiprocessing
import os
import signal
import time
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.lake.lock import writer_at_work, writer_lock

SPAWN = multiprocessing.get_context("spawn")


def _write(lake: Path, at_work: Event, seconds: float) -> None:
    with writer_lock(lake, purpose="import", wait_seconds=30):
        at_work.set()
        time.sleep(seconds)


def writer(lake: Path, seconds: float = 60) -> BaseProcess:
    """Another process that is writing now."""
    at_work = SPAWN.Event()
    process = SPAWN.Process(target=_write, args=(lake, at_work, seconds))
    process.start()
    assert at_work.wait(30)
    return process


def test_a_second_writer_declines_and_says_who_is_at_work(tmp_path: Path) -> None:
    other = writer(tmp_path)
    try:
        with (
            pytest.raises(LakehouseError) as refused,
            writer_lock(tmp_path, purpose="run", wait_seconds=0.3),
        ):
            pytest.fail("both write")
    finally:
        other.terminate()
        other.join()
    told = str(refused.value)
    assert told.startswith(f"another run is writing to this lake (import, process {other.pid} on {os.uname().nodename}")
    assert told.endswith("UTC): try again later")


def test_a_second_writer_waits_for_the_first(tmp_path: Path) -> None:
    other = writer(tmp_path, seconds=0.5)
    with writer_lock(tmp_path, purpose="run", wait_seconds=30):
        assert writer_at_work(tmp_path).startswith(f"run, process {os.getpid()} on ")
    other.join()


def test_the_lock_of_a_killed_writer_is_free_at_once(tmp_path: Path) -> None:
    other = writer(tmp_path)
    assert other.pid
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    assert writer_at_work(tmp_path) == ""
    with writer_lock(tmp_path, purpose="run", wait_seconds=0):
        pass


@pytest.mark.parametrize(("before", "after"), [(0o755, 0o750), (0o770, 0o770), (0o700, 0o700), (None, 0o700)])
def test_a_lake_is_closed_to_strangers(tmp_path: Path, before: int | None, after: int) -> None:
    lake = tmp_path / "lake"
    if before is not None:
        lake.mkdir()
        lake.chmod(before)
    with writer_lock(lake, purpose="run", wait_seconds=0):
        pass
    assert lake.stat().st_mode & 0o777 == after


def test_an_error_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), writer_lock(tmp_path, purpose="run", wait_seconds=0):
        raise ValueError("broken")
    assert writer_at_work(tmp_path) == ""


def test_nobody_is_at_work_on_a_lake_that_is_not_there(tmp_path: Path) -> None:
    assert writer_at_work(tmp_path / "lake") == ""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(
            LakehouseError, match=r"the lake .*file/lake cannot be written \(Not a directory\): check LAKE_URI"
        ),
        writer_lock(tmp_path / "file" / "lake", purpose="run", wait_seconds=0),
    ):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 5}'])
def test_a_holder_that_cannot_be_read_is_one_that_just_started(tmp_path: Path, content: str) -> None:
    with writer_lock(tmp_path, purpose="run", wait_seconds=0):
        (tmp_path / ".writer.lock").write_text(content)
        assert writer_at_work(tmp_path) == "just started"
