"""Checks of what is stored, and upkeep of the files."""

from datetime import UTC, datetime

from deltalake import DeltaTable

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from lakehouse.contract.ops import QUALITY_RESULTS
from pipeline.runs import upkeep
from tests.bronze.records import SOME_ID, write_json
from tests.pipeline.runs.small_run import GRAPH, SmallRun, damage, outcomes, statuses


def test_a_check_finds_what_was_changed_behind_our_back(small: SmallRun) -> None:
    assert small.run(action=upkeep.check).errors == []
    small.spark.sql(f"UPDATE delta.`{small.lake.location(small.graph['double_plays'])}` SET play_count = -5")
    [error] = small.run(action=upkeep.check).errors
    assert error.startswith("double_plays breaks its contract")
    checks = [c for c in small.recorded(QUALITY_RESULTS) if not c["passed"]]
    assert [(c["table_name"], c["check_name"], c["severity"]) for c in checks] == [("double_plays", "contract", "fail")]
    # The next run makes it anew.
    assert outcomes(small.run())["double_plays"] == ("built", "code changed")
    assert small.run(action=upkeep.check).errors == []


def test_a_check_names_each_damaged_table_and_looks_at_the_others(small: SmallRun) -> None:
    for table in (kaggle_tracks_bronze, small.graph["double_plays"]):
        damage(small, table)
    summary = small.run(action=upkeep.check)
    told = [error.split(",")[0] for error in summary.errors]
    assert told == ["kaggle_tracks_bronze is damaged", "double_plays is damaged"]
    assert summary.errors[1].endswith("): the next `lakehouse run` rebuilds it")
    assert statuses(summary) | {"double_plays": ""} == dict.fromkeys(GRAPH, "skipped") | {"double_plays": ""}


def test_a_check_tells_of_files_that_are_gone(small: SmallRun) -> None:
    for file in (small.settings.lake_path / small.graph["both"].location).glob("*.parquet"):
        file.unlink()
    summary = small.run(action=upkeep.check)
    [error] = summary.errors
    assert error.startswith("both: ")
    assert statuses(summary) == dict.fromkeys(GRAPH, "skipped") | {"both": "failed"}


def test_a_damaged_table_does_not_keep_the_others_from_maintenance(small: SmallRun) -> None:
    damage(small, small.graph["double_plays"])
    summary = small.run(action=upkeep.maintain)
    [error] = summary.errors
    assert error.startswith("double_plays is damaged")
    assert statuses(summary) == dict.fromkeys(GRAPH, "built") | {"double_plays": "failed"}


def test_a_check_tells_the_ops_tables_what_needs_attention(small: SmallRun) -> None:
    state = small.settings.lake_path / "state" / "schedule.json"
    write_json(state, {"run": {"exit_code": 1, "told": "disk full", "ended_at": datetime.now(UTC).isoformat()}})
    small.run(action=upkeep.check)
    [fresh] = [c for c in small.recorded(QUALITY_RESULTS) if c["check_name"] == "stays_fresh"]
    assert (fresh["severity"], fresh["passed"]) == ("warn", False)
    assert "the scheduled run failed on " in fresh["detail"]


def test_after_putting_files_in_order_nothing_is_out_of_date(small: SmallRun) -> None:
    for name in ("2", "3"):
        small.deliver(name, int(name) + 10)
        small.run()
    history = DeltaTable(small.lake.location(listening_history_bronze))
    assert len(history.file_uris()) == 3
    summary = small.run(action=upkeep.maintain)
    assert summary.errors == []
    assert len(DeltaTable(small.lake.location(listening_history_bronze)).file_uris()) == 1
    assert small.run().up_to_date
    assert small.plays("plays_of_tracks") == [(SOME_ID, 4)]
