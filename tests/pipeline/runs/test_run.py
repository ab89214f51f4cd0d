"""What a run does, on a graph of four small tables: what is built and why, what is blocked, and what is recorded."""

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from bronze.kaggle_tracks import import_catalogue
from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table, in_range
from lakehouse.contract.ops import IMPORT_AUDIT, PIPELINE_RUNS, QUALITY_RESULTS, REJECTED_ROWS, TABLE_BUILDS
from lakehouse.errors import LakehouseError, LostWriterError, UsageError
from lakehouse.lake import logs
from lakehouse.lake.lock import writer_lock
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from lakehouse.spark.session import build_session
from pipeline.fingerprint import code_fingerprint
from pipeline.runs import builder, plan, recording
from pipeline.runs.summary import Build, Progress, RunSummary
from tests.bronze.catalogues import row, write_csv
from tests.bronze.records import NOW, SOME_ID, extended, write_json
from tests.pipeline.runs.small_run import (
    BRONZE,
    GRAPH,
    SmallRun,
    a_table,
    broken,
    catalogue_counts,
    damage,
    outcomes,
    plays_of_tracks,
    statuses,
)

# ---- what is built


def test_the_first_run_takes_what_waits_and_builds_everything(
    first_run: tuple[Path, RunSummary], small: SmallRun
) -> None:
    _, summary = first_run
    assert summary.errors == []
    assert summary.imported is not None
    assert summary.imported.new_plays == 2
    assert outcomes(summary) == dict.fromkeys(GRAPH, ("built", "first build"))
    assert small.plays("both") == [(SOME_ID, 4)]


def test_without_news_nothing_starts_and_nothing_changes(small: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    before = small.versions()
    monkeypatch.setattr(recording, "build_session", lambda settings: pytest.fail("Spark was started"))
    summary = small.run()
    assert (summary.up_to_date, summary.builds) == (len(GRAPH) + 3, [])
    assert small.versions() == before


def test_a_new_play_rebuilds_what_is_made_from_it_and_nothing_else(second_run: SmallRun) -> None:
    assert outcomes(second_run.last) == {
        "plays_of_tracks": ("built", "new listening_history_bronze"),
        "double_plays": ("built", "new plays_of_tracks"),
        "catalogue_counts": ("skipped", "up to date"),
        "both": ("built", "new double_plays"),
    }
    assert second_run.plays("both") == [(SOME_ID, 6)]


def test_a_full_run_of_a_selection_builds_what_it_is_made_from_and_nothing_else(small: SmallRun) -> None:
    small.deliver("2", 12)
    summary = small.run(full=True, select=["double_plays"])
    assert outcomes(summary) == dict.fromkeys(("plays_of_tracks", "double_plays"), ("built", "full run"))
    assert summary.imported is None


def test_independent_tables_build_at_the_same_time(small: SmallRun) -> None:
    meeting = Barrier(2, timeout=30)

    def meets(transform: Callable[..., Any]) -> Callable[..., Any]:
        def waits_for_the_other(*frames: DataFrame) -> DataFrame:
            meeting.wait()
            frame: DataFrame = transform(*frames)
            return frame

        return waits_for_the_other

    for transform in (plays_of_tracks, catalogue_counts):
        table = small.graph[transform.__name__]
        small.graph[table.name] = replace(table, transform=meets(transform))
    assert statuses(small.run(full=True)) == dict.fromkeys(GRAPH, "built")


def test_tables_that_most_others_wait_for_come_first(small: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []

    def noted(table: Table) -> Table:
        def notes(*frames: DataFrame, **settings: Any) -> DataFrame:
            begun.append(table.name)
            frame: DataFrame = table(*frames, **settings)
            return frame

        return replace(table, transform=notes)

    monkeypatch.setattr(builder, "PARALLEL_TABLES", 1)
    small.graph = {name: noted(small.graph[name]) for name in ("catalogue_counts", *GRAPH)}
    small.run(full=True)
    assert begun == ["plays_of_tracks", "catalogue_counts", "double_plays", "both"]


def test_a_file_that_adds_no_play_rebuilds_nothing(small: SmallRun) -> None:
    small.deliver("again", 10, 11)
    summary = small.run()
    assert summary.imported is not None
    assert summary.imported.new_plays == 0
    assert set(statuses(summary).values()) == {"skipped"}
    assert small.run().up_to_date


def test_demo_left_beside_real_data_goes_with_the_next_run_though_nothing_waits(small: SmallRun) -> None:
    log = RunLog(small.settings.lake_path / "spool", run_id="dead", trigger="import", code_version="0", started_at=NOW)
    invented = write_csv(small.settings.import_dir.parent / "mine.csv", [row(track_id=f"demo{1:018}")])
    import_catalogue(small.lake, invented, log, NOW)
    # A selection imports nothing; after it every table is up to date.
    assert small.run(select=["both"]).imported is None
    assert len(small.plays("catalogue_counts")) == 1
    imported = small.run().imported
    assert imported
    assert imported.removed_demo
    assert small.plays("catalogue_counts") == []
    assert small.run().up_to_date


def test_a_changed_setting_rebuilds_what_takes_it(small: SmallRun) -> None:
    small.settings = small.settings.model_copy(update={"listener_time_zone": "Europe/Berlin"})
    found = outcomes(small.run())
    assert found.pop("both") == ("built", "settings changed")
    assert {status for status, _ in found.values()} == {"skipped"}


def test_a_changed_contract_rebuilds_the_table_and_what_reads_it(small: SmallRun) -> None:
    small.graph["double_plays"] = replace(small.graph["double_plays"], grain="One row per track, at last.")
    assert outcomes(small.run()) == {
        "plays_of_tracks": ("skipped", "up to date"),
        "double_plays": ("built", "code changed"),
        "catalogue_counts": ("skipped", "up to date"),
        "both": ("built", "new double_plays"),
    }


def test_rows_that_stay_the_same_are_no_news_to_what_reads_them(
    small: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, before = "plays_of_tracks", small.versions()
    monkeypatch.setattr(plan, "code_fingerprint", lambda node: code_fingerprint(node) + f" {node.name == name}")
    small.run(full=True)
    full = small.versions()
    monkeypatch.setattr(plan, "code_fingerprint", lambda node: code_fingerprint(node) + " False")
    assert outcomes(small.run()) == {
        "plays_of_tracks": ("built", "code changed"),
        "double_plays": ("skipped", "up to date"),
        "catalogue_counts": ("skipped", "up to date"),
        "both": ("skipped", "up to date"),
    }
    assert small.run().up_to_date
    assert {table: full[table] - before[table] for table in GRAPH} == dict.fromkeys(GRAPH, 1)


def test_a_full_run_replaces_harmed_files_though_the_rows_stay_the_same(small: SmallRun) -> None:
    [file] = (small.settings.lake_path / small.graph["both"].location).glob("*.parquet")
    file.write_bytes(b"harmed")
    small.run(full=True)
    assert small.plays("both") == [(SOME_ID, 4)]


def test_an_unknown_table_is_named(small: SmallRun) -> None:
    with pytest.raises(UsageError, match="no table is named nonsense, other: `lakehouse status` lists them all"):
        small.run(select=["other", "nonsense", "both"])


# ---- what fails


def test_a_failed_table_stops_only_what_is_made_from_it_and_the_next_run_repairs_it(small: SmallRun) -> None:
    good = small.graph["double_plays"]
    small.graph["double_plays"] = replace(
        small.graph["double_plays"], transform=broken("no idea"), grain="One row per broken track."
    )
    small.graph["catalogue_counts"] = replace(small.graph["catalogue_counts"], grain="One row per good track.")
    before = small.versions()
    summary = small.run()
    assert outcomes(summary) == {
        "plays_of_tracks": ("skipped", "up to date"),
        "double_plays": ("failed", "double_plays: ValueError: no idea"),
        "catalogue_counts": ("built", "code changed"),
        "both": ("blocked", "double_plays failed"),
    }
    assert summary.errors == ["double_plays: ValueError: no idea"]
    assert {name: small.versions()[name] - before[name] for name in GRAPH} == {
        "plays_of_tracks": 0, "double_plays": 0, "catalogue_counts": 1, "both": 0,
    }  # fmt: skip
    assert small.plays("both") == [(SOME_ID, 4)]
    run = small.recorded(PIPELINE_RUNS)[-1]
    assert (run["status"], run["error"]) == ("failed", "double_plays: ValueError: no idea")
    small.graph["double_plays"] = replace(good, grain="One row per mended track.")
    mended = statuses(small.run())
    assert (mended["double_plays"], mended["both"]) == ("built", "built")
    assert small.run().up_to_date


def test_who_is_not_the_writer_any_more_begins_no_table(small: SmallRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "PARALLEL_TABLES", 1)
    begun: list[DataFrame] = []

    def loses_the_lake(frame: DataFrame) -> DataFrame:
        begun.append(frame)
        time.sleep(0.2)  # for the run to hear of the first
        raise LostWriterError("another writer took over")

    for name in "abcdefgh":
        small.graph[name] = a_table(loses_the_lake, "kaggle_tracks_bronze", name=name)
    with pytest.raises(LostWriterError):
        small.run()
    # The second one was under way.
    assert len(begun) <= 2


def test_a_refused_frame_keeps_the_last_version(small: SmallRun) -> None:
    small.graph["double_plays"] = replace(small.graph["double_plays"], checks=(in_range("play_count", 0, 3),))
    before = small.versions()
    [error] = small.run().errors
    assert "double_plays breaks its contract, its last good version stays. in_range(play_count" in error
    assert small.versions() == before
    assert small.plays("double_plays") == [(SOME_ID, 4)]


@pytest.mark.parametrize("full", [False, True])
def test_a_damaged_table_is_set_aside_and_built_anew(small: SmallRun, full: bool) -> None:
    folder = damage(small, small.graph["double_plays"])
    summary = small.run(full=full)
    [aside] = folder.parent.glob("double_plays.damaged-*")
    assert outcomes(summary)["double_plays"] == ("built", f"was damaged, its files are kept in {aside}")
    assert list(aside.glob("*.parquet"))
    assert small.plays("both") == [(SOME_ID, 4)]
    assert small.run().up_to_date


def test_a_damaged_import_stops_what_is_made_from_it_and_says_what_to_do(small: SmallRun) -> None:
    damage(small, listening_history_bronze)
    small.graph["catalogue_counts"] = replace(small.graph["catalogue_counts"], grain="One row per good track.")
    summary = small.run()
    [error] = summary.errors
    assert error.startswith("listening_history_bronze is damaged, ")
    assert error.endswith("): restore a backup, or move this folder away and import again")
    assert statuses(summary) == {
        "plays_of_tracks": "blocked", "double_plays": "blocked", "catalogue_counts": "built", "both": "blocked",
    }  # fmt: skip


def test_what_a_run_records_waits_for_a_damaged_table(small: SmallRun) -> None:
    folder = small.settings.lake_path / PIPELINE_RUNS.location
    kept = shutil.copytree(folder, small.settings.lake_path.parent / "kept")
    damage(small, PIPELINE_RUNS)
    small.deliver("2", 12)
    summary = small.run()
    [error] = summary.errors
    assert error.startswith("pipeline_runs is damaged")
    assert small.plays("both") == [(SOME_ID, 6)]
    shutil.rmtree(folder)
    kept.rename(folder)
    assert small.run().errors == []
    assert [run["new_plays"] for run in small.recorded(PIPELINE_RUNS)][:2] == [2, 1]


def test_a_table_that_is_gone_is_built_anew(small: SmallRun) -> None:
    shutil.rmtree(Path(small.settings.lake_path, small.graph["plays_of_tracks"].location))
    assert statuses(small.run())["plays_of_tracks"] == "built"
    assert small.plays("both") == [(SOME_ID, 4)]


# ---- what is recorded


def test_runs_builds_and_lineage_are_recorded(second_run: SmallRun) -> None:
    runs = second_run.recorded(PIPELINE_RUNS)
    assert [(run["trigger"], run["status"], run["new_plays"]) for run in runs] == [
        ("manual", "succeeded", 2), ("schedule", "succeeded", 1),
    ]  # fmt: skip
    assert [(run["tables_built"], run["tables_skipped"]) for run in runs] == [(4, 3), (3, 4)]
    assert all(run["finished_at"] >= run["started_at"] for run in runs)
    run_id, versions = second_run.last.run_id, second_run.versions()
    [build] = [b for b in second_run.recorded(TABLE_BUILDS) if (b["run_id"], b["table_name"]) == (run_id, "both")]
    assert build["delta_version"] == versions["both"]
    made_from = "double_plays@{double_plays}, catalogue_counts@{catalogue_counts}"
    assert build["input_versions"] == made_from.format(**versions)
    assert (build["row_count"], build["reason"]) == (1, "new double_plays")
    checks = [check for check in second_run.recorded(QUALITY_RESULTS) if check["run_id"] == run_id]
    assert {check["table_name"] for check in checks} == {"plays_of_tracks", "double_plays", "both"}
    assert all(check["passed"] for check in checks)


def test_runs_without_news_are_recorded_by_the_next_run_that_needs_spark(small: SmallRun) -> None:
    quiet = [small.run(trigger="nightly").run_id for _ in range(3)]
    assert {run["run_id"] for run in small.recorded(PIPELINE_RUNS)} & set(quiet) == set()
    small.deliver("2", 12)
    small.run()
    found = {run["run_id"]: run["status"] for run in small.recorded(PIPELINE_RUNS)}
    assert [found[run_id] for run_id in quiet] == ["no_news"] * 3
    assert small.run().up_to_date


def test_a_killed_run_is_closed_by_the_next_one(small: SmallRun) -> None:
    spool = small.settings.lake_path / "spool"
    log = RunLog(spool, run_id="dead", trigger="schedule", code_version="0", started_at=NOW)
    log.add(TABLE_BUILDS, table_name="both", status="built", reason="first build")
    # A kill leaves half a line, and an audit of what was not committed.
    log.add(IMPORT_AUDIT, source_file="a.json", source="x", verdict="counted", record_count=3)
    with (spool / "dead" / f"{TABLE_BUILDS.name}.jsonl").open("a") as lines:
        lines.write('{"run_id": "dead", "table_na')
    summary = small.run()
    assert not summary.up_to_date
    assert summary.killed_runs == ["dead"]
    [run] = [run for run in small.recorded(PIPELINE_RUNS) if run["run_id"] == "dead"]
    assert (run["status"], run["new_plays"], run["started_at"].astimezone(UTC)) == ("killed", 0, NOW)
    assert [b["table_name"] for b in small.recorded(TABLE_BUILDS) if b["run_id"] == "dead"] == ["both"]
    assert [a for a in small.recorded(IMPORT_AUDIT) if a["run_id"] == "dead"] == []
    assert small.run().up_to_date


def test_a_run_that_breaks_is_recorded_and_imports_again(small: SmallRun) -> None:
    small.deliver("2", 12)

    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.run(progress=Progress(on_file=interrupt))
    summary = small.run()
    assert summary.imported is not None
    assert summary.imported.new_plays == 1
    found = [(run["status"], run["error"]) for run in small.recorded(PIPELINE_RUNS)]
    assert found[1:] == [("failed", "KeyboardInterrupt"), ("succeeded", None)]


def test_a_run_interrupted_while_it_builds_loses_no_record_of_its_import(small: SmallRun) -> None:
    records = [extended("2025-05-01T10:00:00Z"), extended(episode_name="Part 1"), extended(ts=None)]
    name = write_json(small.settings.import_dir / "Streaming_History_Audio_9.json", records).name

    def interrupt(build: Build) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small.run(progress=Progress(on_build=interrupt))
    # It counts as taken: nobody will read it again.
    assert small.run().imported is None
    audit = [(a["verdict"], a["record_count"]) for a in small.recorded(IMPORT_AUDIT) if a["source_file"] == name]
    assert sorted(audit) == [("duplicate", 1), ("malformed", 1), ("podcast", 1)]
    assert [row["row_number"] for row in small.recorded(REJECTED_ROWS) if row["source_file"] == name] == [2]


def test_where_spark_does_not_start_the_run_is_recorded_all_the_same(
    small: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_java(settings: Settings) -> SparkSession:
        raise LakehouseError("no Java found")

    monkeypatch.setattr(recording, "build_session", no_java)
    small.deliver("2", 12)
    with pytest.raises(LakehouseError, match="no Java found"):
        small.run()
    monkeypatch.setattr(recording, "build_session", build_session)
    small.run()
    assert [run["error"] for run in small.recorded(PIPELINE_RUNS)] == [None, "no Java found", None]


def test_a_second_run_says_who_is_at_work(small: SmallRun) -> None:
    with (
        writer_lock(small.settings.lake_path, purpose="a long import", wait_seconds=0),
        pytest.raises(LakehouseError, match=r"another run is writing to this lake \(a long import, process \d+ on "),
    ):
        small.run()


# ---- what is read


@pytest.mark.parametrize("full", [False, True])
def test_each_log_is_opened_once_in_a_run(small: SmallRun, monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    """States, inputs and commits share what was read when the run was planned."""
    opened: list[str] = []

    class CountedLog(DeltaTable):
        def __init__(self, location: str, **options: Any) -> None:
            opened.append(location)
            super().__init__(location, **options)

    monkeypatch.setattr(logs, "DeltaTable", CountedLog)
    if full:
        small.run(full=True)
    else:
        small.deliver("2", 12)
        small.run()
    assert small.plays("both") == [(SOME_ID, 4 if full else 6)]
    locations = [small.lake.location(table) for table in (*BRONZE, *GRAPH.values())]
    counts = {location: opened.count(location) for location in locations}
    counts[small.lake.location(small.graph["both"])] -= 1  # by this test
    assert counts == dict.fromkeys(locations, 1)


def test_a_dry_run_says_what_would_be_built_and_changes_nothing(
    small: SmallRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "build_session", lambda settings: pytest.fail("Spark was started"))
    before = sorted(small.settings.lake_path.rglob("*"))
    assert small.dry_run().up_to_date == len(BRONZE) + len(GRAPH)
    waiting = small.deliver("2", 12)
    small.graph["double_plays"] = replace(small.graph["double_plays"], grain="One row per changed track.")
    planned = small.dry_run()
    assert (planned.waiting, planned.up_to_date) == ([waiting], 0)
    steps = {step.node.name: (step.reason, step.unsettled_inputs) for step in planned.steps}
    assert steps["double_plays"] == ("code changed", ())
    assert steps["both"] == ("", ("double_plays",))
    assert {step.node.name for step in small.dry_run(select=["catalogue_counts"]).steps} == set()
    assert sorted(small.settings.lake_path.rglob("*")) == before
