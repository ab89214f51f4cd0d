"""Small files that a kill leaves as they were or as they should be. Needs no Spark."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.state_files import moment_in, only_one_process, read_state, write_state


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "new" / "folder" / "state.json"
    write_state(file, {"a": "ü"})
    assert read_state(file) == {"a": "ü"}
    assert [path.name for path in file.parent.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"5", b"\xff\xfe", b"null"])
def test_what_is_damaged_is_empty(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.json").write_bytes(content)
    assert read_state(tmp_path / "state.json") == {}


def test_what_cannot_be_written_leaves_the_old_and_no_litter(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    write_state(file, {"a": 1})
    with pytest.raises(TypeError):
        write_state(file, {"a": object()})
    assert json.loads(file.read_text()) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    write_state(tmp_path / "state.json", {"a": 1})
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LakehouseError, match=r"state.json cannot be written \(No space left on device\)"):
        write_state(tmp_path / "state.json", {"a": 2})
    assert read_state(tmp_path / "state.json") == {"a": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_permissions_are_as_asked_for(tmp_path: Path, mode: int) -> None:
    write_state(tmp_path / "state.json", {}, mode=mode)
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == mode


def test_moments_know_their_zone() -> None:
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
