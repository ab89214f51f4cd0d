"""What runs recorded gets into the ops tables exactly once, whatever happened to the runs."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, OPS_TABLES, PIPELINE_RUNS, REJECTED_ROWS, TABLE_BUILDS
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.runlog.append import append_finished_runs, close_killed_runs
from lakehouse.runlog.spool import FINISHED, RunLog
from tests.bronze.records import NOW
from tests.support.frames import frame_of, rows

BRONZE = {"history": listening_history_bronze, "catalogue": kaggle_tracks_bronze}


@pytest.fixture(scope="module")
def lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """One lake for all; each test has a spool of its own."""
    return Lake(f"file:{tmp_path_factory.mktemp('ops')}/lake", spark)


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def a_run(spool: Path, run_id: str, ended: bool = True) -> RunLog:
    log = RunLog(spool, run_id=run_id, trigger="manual", code_version="0", started_at=NOW)
    log.add(TABLE_BUILDS, table_name="t", status="built", reason="first build", row_count=1)
    if ended:
        log.finish("succeeded", NOW)
    return log


def import_of(log: RunLog, file: str) -> None:
    log.add(IMPORT_AUDIT, source_file=file, source="s", verdict="counted", record_count=3)
    log.add(IMPORT_AUDIT, source_file=file, source="s", verdict="malformed", record_count=1)
    log.add(REJECTED_ROWS, source_file=file, row_number=1, reason="odd", raw="{}", rejected_at=NOW)


def recorded(lake: Lake, table: Table, run_id: str, *columns: str) -> list[tuple[Any, ...]]:
    return rows(lake.read(table).where(f"run_id = '{run_id}'"), *columns)


def committed_by(lake: Lake, run_id: str, table: Table) -> None:
    lake.overwrite(table, frame_of(lake.spark, table, []), Provenance(run_id))


def test_finished_runs_are_appended_once(lake: Lake, spool: Path) -> None:
    for run_id in ("one", "two"):
        a_run(spool, run_id)
    assert append_finished_runs(lake, spool) == []
    assert append_finished_runs(lake, spool) == []
    for run_id in ("one", "two"):
        assert recorded(lake, PIPELINE_RUNS, run_id, "status", "trigger") == [("succeeded", "manual")]
        assert recorded(lake, TABLE_BUILDS, run_id, "table_name", "row_count") == [("t", 1)]
    assert list(spool.iterdir()) == []


def test_a_run_that_has_not_ended_waits(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "working", ended=False)
    append_finished_runs(lake, spool)
    assert recorded(lake, TABLE_BUILDS, "working") == []
    log.finish("succeeded", NOW)
    append_finished_runs(lake, spool)
    assert len(recorded(lake, TABLE_BUILDS, "working")) == 1


def test_an_append_that_was_broken_off_is_finished_and_repeats_nothing(
    lake: Lake, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(spool, "broken-off")
    append = lake.append

    def until_builds(table: Table, *arguments: Any, **options: Any) -> Any:
        written = append(table, *arguments, **options)
        if table is TABLE_BUILDS:
            raise KeyboardInterrupt
        return written

    monkeypatch.setattr(lake, "append", until_builds)
    with pytest.raises(KeyboardInterrupt):
        append_finished_runs(lake, spool)
    monkeypatch.setattr(lake, "append", append)
    assert append_finished_runs(lake, spool) == []
    for table in (PIPELINE_RUNS, TABLE_BUILDS):
        assert len(recorded(lake, table, "broken-off")) == 1


def test_records_that_break_a_contract_are_set_aside_and_stop_nothing(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "twice", ended=False)
    log.add(TABLE_BUILDS, table_name="t", status="built")
    log.finish("succeeded", NOW)
    [told] = append_finished_runs(lake, spool)
    assert told.startswith("table_builds breaks its contract")
    [aside] = spool.iterdir()
    assert str(aside) in told
    assert aside.name.startswith("refused-")
    a_run(spool, "after")
    assert append_finished_runs(lake, spool) == []
    assert len(recorded(lake, PIPELINE_RUNS, "after")) == 1


def test_a_killed_run_is_closed_with_what_it_did(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "killed", ended=False)
    import_of(log, "a.json")
    committed_by(lake, "killed", listening_history_bronze)
    assert close_killed_runs(lake, spool, **BRONZE) == ["killed"]
    append_finished_runs(lake, spool)
    assert recorded(lake, PIPELINE_RUNS, "killed", "status", "new_plays") == [("killed", 3)]
    assert len(recorded(lake, IMPORT_AUDIT, "killed")) == 2
    assert len(recorded(lake, REJECTED_ROWS, "killed")) == 1


def test_of_an_import_that_was_not_committed_nothing_is_told(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "in-vain", ended=False)
    import_of(log, "a.json")
    committed_by(lake, "somebody else", listening_history_bronze)
    close_killed_runs(lake, spool, **BRONZE)
    append_finished_runs(lake, spool)
    assert recorded(lake, PIPELINE_RUNS, "in-vain", "status", "new_plays") == [("killed", 0)]
    assert recorded(lake, IMPORT_AUDIT, "in-vain") == []
    assert recorded(lake, REJECTED_ROWS, "in-vain") == []
    assert len(recorded(lake, TABLE_BUILDS, "in-vain")) == 1


def test_rejects_of_a_catalogue_follow_the_catalogue(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "catalogue", ended=False)
    import_of(log, "a.json")
    log.add(REJECTED_ROWS, source_file="tracks.csv", row_number=7, reason="odd", raw="x", rejected_at=NOW)
    committed_by(lake, "somebody else", listening_history_bronze)
    committed_by(lake, "catalogue", kaggle_tracks_bronze)
    close_killed_runs(lake, spool, **BRONZE)
    append_finished_runs(lake, spool)
    assert recorded(lake, REJECTED_ROWS, "catalogue", "source_file") == [("tracks.csv",)]


def test_of_an_import_that_was_completed_everything_is_told_though_it_added_nothing(lake: Lake, spool: Path) -> None:
    log = a_run(spool, "completed", ended=False)
    log.add(IMPORT_AUDIT, source_file="a.json", source="s", verdict="podcast", record_count=3)
    for file in ("a.json", "audio_features_reccobeats_1.json"):
        log.add(REJECTED_ROWS, source_file=file, row_number=1, reason="odd", raw="{}", rejected_at=NOW)
    log.note_import_complete()
    for table in BRONZE.values():
        committed_by(lake, "somebody else", table)
    close_killed_runs(lake, spool, **BRONZE)
    append_finished_runs(lake, spool)
    assert recorded(lake, PIPELINE_RUNS, "completed", "status", "new_plays") == [("killed", 0)]
    assert recorded(lake, IMPORT_AUDIT, "completed", "verdict", "record_count") == [("podcast", 3)]
    assert len(recorded(lake, REJECTED_ROWS, "completed")) == 2


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_half_a_line_is_dropped_and_the_others_stay(lake: Lake, spool: Path, cut: int) -> None:
    run_id = f"cut-{cut}"
    a_run(spool, run_id, ended=False)
    file = spool / run_id / f"{TABLE_BUILDS.name}.jsonl"
    whole = file.read_text()
    file.write_text(whole + whole.replace('"t"', '"u"')[:cut])
    close_killed_runs(lake, spool, **BRONZE)
    assert file.read_text() == whole


def test_a_run_killed_between_its_last_record_and_its_end_keeps_its_own_word(lake: Lake, spool: Path) -> None:
    a_run(spool, "nearly")
    (spool / "nearly" / FINISHED).unlink()
    assert close_killed_runs(lake, spool, **BRONZE) == []
    append_finished_runs(lake, spool)
    assert recorded(lake, PIPELINE_RUNS, "nearly", "status") == [("succeeded",)]


def test_a_run_killed_before_it_recorded_anything_is_known_by_its_name(lake: Lake, spool: Path) -> None:
    (spool / "newborn").mkdir(parents=True)
    assert close_killed_runs(lake, spool, **BRONZE) == ["newborn"]
    append_finished_runs(lake, spool)
    assert recorded(lake, PIPELINE_RUNS, "newborn", "status") == [("killed",)]


def test_no_record_is_in_a_table_twice(lake: Lake) -> None:
    """After all of the above."""
    for table in OPS_TABLES:
        if lake.state(table):
            keys = rows(lake.read(table), *table.key)
            assert len(keys) == len(set(keys))
