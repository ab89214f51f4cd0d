"""Shared files are replaced atomically, and locks exclude other processes. Needs no Spark."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.state_files import atomic_file, atomic_folder, moment_in, only_one_process, read_state, write_state


def test_a_written_state_is_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "state.json"
    write_state(file, {"a": "ü"})
    assert read_state(file) == {"a": "ü"}
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"\xff\xfe", b"null", b"[" * 100_000], ids=range(7))
def test_a_damaged_state_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    assert read_state(tmp_path / "state.json") == {}


def test_a_failed_write_leaves_the_old_state_and_no_partial_file(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_state(file, {"a": 1})
    with pytest.raises(TypeError):
        write_state(file, {"a": object()})
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_state(tmp_path / "state.json", {"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LakehouseError, match=r"state.json cannot be written \(No space left on device\)"):
        write_state(tmp_path / "state.json", {"a": 2})
    assert read_state(tmp_path / "state.json") == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_permissions_are_as_requested(tmp_path: Path, mode: int) -> None:
    write_state(tmp_path / "state.json", {}, mode=mode)
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == mode


def test_instants_have_a_time_zone() -> None:
    state = {"a": "2026-06-01T12:00:00+02:00", "b": "2026-06-01T12:00:00", "c": "soon", "d": 5}
    assert moment_in(state, "a") == datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert moment_in(state, "b") == datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert [moment_in(state, name) for name in ("c", "d", "e")] == [None] * 3


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        only_one_process(tmp_path / "lock", "busy"),
        pytest.raises(LakehouseError, match="busy"),
        only_one_process(tmp_path / "lock", "busy"),
    ):
        pass
    with only_one_process(tmp_path / "lock", "busy"):
        pass


def test_a_stream_replaces_a_file_at_its_end_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    with atomic_file(file, mode=0o600) as stream:
        stream.write(b"old")
        assert not file.exists()
    with pytest.raises(KeyboardInterrupt), atomic_file(file) as stream:
        stream.write(b"new")
        raise KeyboardInterrupt
    assert file.read_bytes() == b"old"
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_leftovers_of_a_killed_only_writer_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".a[1].x.partial").touch()
    (tmp_path / ".b.x.partial").touch()
    with atomic_file(tmp_path / "a[1]", only_writer=True) as stream:
        stream.write(b"new")
    assert {path.name for path in tmp_path.iterdir()} == {"a[1]", ".b.x.partial"}


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    with atomic_folder(folder) as filled:
        (filled / "one").touch()
        assert not folder.exists()
    with pytest.raises(KeyboardInterrupt), atomic_folder(folder) as filled:
        (filled / "two").touch()
        raise KeyboardInterrupt
    assert [path.name for path in folder.iterdir()] == ["one"]
    with atomic_folder(folder) as filled:
        (filled / "two").touch()
    assert [path.name for path in folder.iterdir()] == ["two"]
    assert list(tmp_path.iterdir()) == [folder]
