"""What a run records about itself before Spark sees it."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakehouse.contract.ops import PIPELINE_RUNS, TABLE_BUILDS
from lakehouse.runlog.spool import FINISHED, UNFINISHED, RunLog, new_run_id, recorded_at_once, to_json

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text("utf-8").split("\n")[:-1]]


def log_in(spool: Path) -> RunLog:
    return RunLog(spool, run_id="run", trigger="manual", code_version="1", started_at=NOW)


def test_a_run_is_one_row_with_its_figures(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.count(new_plays=2, tables_built=1)
    log.count(new_plays=3)
    assert not (tmp_path / "run" / FINISHED).exists()
    log.finish("failed", NOW, error="it broke")
    assert (tmp_path / "run" / FINISHED).exists()
    assert lines(tmp_path / "run" / f"{PIPELINE_RUNS.name}.jsonl") == [
        {
            "run_id": "run", "started_at": "2026-06-01T12:00:00+00:00", "trigger": "manual", "code_version": "1",
            "new_plays": 5, "tables_built": 1, "tables_skipped": 0, "status": "failed",
            "finished_at": "2026-06-01T12:00:00+00:00", "error": "it broke",
        }
    ]  # fmt: skip
    assert set(lines(tmp_path / "run" / f"{PIPELINE_RUNS.name}.jsonl")[0]) == {c.name for c in PIPELINE_RUNS.columns}


def test_records_are_lines_whatever_they_hold(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    for reason in ("two\nlines", "ü \u2028", "not text \udcff", '"'):
        log.add(TABLE_BUILDS, table_name="t", reason=reason)
    found = lines(tmp_path / "run" / f"{TABLE_BUILDS.name}.jsonl")
    assert [row["reason"] for row in found] == ["two\nlines", "ü \u2028", "not text ?", '"']
    assert {row["run_id"] for row in found} == {"run"}


def test_what_cannot_be_recorded_is_named() -> None:
    assert to_json({"a": date(2026, 6, 1)}) == '{"a": "2026-06-01"}'
    with pytest.raises(TypeError, match="object cannot be recorded"):
        to_json({"a": object()})


def test_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id(NOW) for _ in range(100)]
    assert len(set(ids)) == 100
    assert max(ids) < new_run_id(NOW.replace(second=1))


def test_a_run_at_once_shows_only_when_it_has_ended(tmp_path: Path) -> None:
    with recorded_at_once(tmp_path, "poll", NOW) as log:
        log.finish("no_news", NOW)
        assert list((tmp_path / "spool").iterdir()) == []
    [folder] = (tmp_path / "spool").iterdir()
    assert folder.name == log.run_id
    assert (folder / FINISHED).exists()
    assert list((tmp_path / UNFINISHED).iterdir()) == []


def test_a_run_at_once_that_was_killed_is_left_to_be_closed(tmp_path: Path) -> None:
    for kind in ("poll", "features"):
        log_in(tmp_path / UNFINISHED / f"{kind}-x" / kind)
    with recorded_at_once(tmp_path, "poll", NOW) as log:
        log.finish("no_news", NOW)
    # The other kind may be at work.
    assert {path.name for path in (tmp_path / "spool").iterdir()} == {"poll", log.run_id}
    assert [path.name for path in (tmp_path / UNFINISHED).iterdir()] == ["features-x"]


def test_run_ids_sort_by_time_and_differ() -> None:
    now = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)
    assert new_run_id(now) != new_run_id(now)
    assert new_run_id(now) < new_run_id(now + timedelta(seconds=1))
