"""New plays of one listener rebuild that listener's rows, and leave the others' files alone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.lake import storage
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.registry import pipeline_tables
from pipeline.runs.plan import Work
from pipeline.runs.run import dry_run, run
from pipeline.runs.summary import RunSummary
from pipeline.runs.upkeep import import_files
from tests.bronze.catalogues import row, write_csv
from tests.bronze.lakes import small_settings
from tests.bronze.records import write_json
from tests.simulation.listener import listen

SELECTED = ("temporal_trends", "mood_shift_patterns", "weekend_vs_weekday")
PLAYS = listen(Random(5), datetime(2026, 5, 1, tzinfo=UTC), 6)


def by_listener() -> list[Table]:
    """Tables by listener that the selected ones are made of, and these."""
    names = ("feature_matches", "listening_with_features", "plays_by_hour", "sampled_plays", *SELECTED)
    return [listening_history_bronze, *(pipeline_tables()[name] for name in names)]


class Household:
    """A lake of two listeners; ben has heard all plays, ann half of them at first."""

    def __init__(self, folder: Path) -> None:
        self.settings: Settings = small_settings(folder)
        tracks = {play.number for play in PLAYS}
        catalogue = [
            row(track_id=f"{n:022d}", artists=f"Artist {n % 20}", track_name=f"Song {n}", valence=f"{n % 10 / 10}")
            for n in tracks
        ]
        write_csv(self.settings.kaggle_csv, catalogue)
        self.deliver("ben", 0, len(PLAYS))
        self.deliver("ann", 0, len(PLAYS) // 2)
        self.first = self.run()
        self.before = {table.name: files(self.settings, table) for table in by_listener()}
        self.deliver("ann", len(PLAYS) // 2, len(PLAYS) // 2 + 5)
        self.planned = dry_run(self.settings, select=SELECTED)
        self.second = self.run()

    def deliver(self, listener: str, first: int, last: int) -> None:
        records: list[dict[str, Any]] = [play.record for play in PLAYS[first:last]]
        file = write_json(self.settings.import_dir / listener / f"Streaming_History_Audio_{first}.json", records)
        catalogue = None if self.settings.lake_path.exists() else self.settings.kaggle_csv
        assert not import_files(self.settings, [file], catalogue=catalogue).errors

    def run(self, *, full: bool = False) -> RunSummary:
        summary = run(self.settings, select=SELECTED, full=full)
        assert not summary.errors
        return summary


def files(settings: Settings, table: Table) -> dict[str, list[str]]:
    """Names of a table's files by listener."""
    actions = DeltaTable(DeltaLogs(settings.lake_uri).location(table)).get_add_actions(flatten=True)
    found: dict[str, list[str]] = {}
    for name, listener in zip(actions["path"].to_pylist(), actions["partition.listener"].to_pylist(), strict=True):
        found.setdefault(listener, []).append(name)
    return found


def rows(settings: Settings, table: Table) -> pa.Table:
    stored = DeltaTable(DeltaLogs(settings.lake_uri).location(table)).to_pyarrow_table()
    return stored.sort_by([(name, "ascending") for name in table.key])


@pytest.fixture(scope="module", params=[storage.SMALL_ROWS, 20], ids=["few rows", "many rows"])
def household(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Household]:
    """Few rows are written by the driver, many by Spark."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storage, "SMALL_ROWS", request.param)
        yield Household(tmp_path_factory.mktemp("household"))


def test_only_the_listener_with_news_is_rebuilt(household: Household) -> None:
    after = {table.name: files(household.settings, table) for table in by_listener()}
    for name, before in household.before.items():
        assert after[name]["ben"] == before["ben"], name
        assert after[name]["ann"] != before["ann"], name


def test_the_plan_says_who_has_news(household: Household) -> None:
    work = {step.node.name: step.work for step in household.planned.steps}
    assert work["feature_matches"] == Work("new listening_history_bronze of 1 of 2 listeners", frozenset({"ann"}))
    built = {build.table.name: build.reason for build in household.second.builds if build.status == "built"}
    assert built["temporal_trends"] == "new listening_with_features of 1 of 2 listeners"
    assert "catalogue_tracks" not in built


def test_columns_that_another_program_added_cost_no_rows_of_others(household: Household) -> None:
    table = pipeline_tables()["temporal_trends"]
    before = rows(household.settings, table)
    log = DeltaTable(DeltaLogs(household.settings.lake_uri).location(table))
    log.alter.set_table_description("somebody's own words")
    household.deliver("ann", len(PLAYS) // 2 + 5, len(PLAYS) // 2 + 8)
    household.run()
    ben = pc.field("listener") == "ben"
    assert rows(household.settings, table).filter(ben).equals(before.filter(ben))


def test_the_rows_are_those_of_a_full_rebuild(household: Household) -> None:
    stepwise = {table.name: rows(household.settings, table) for table in by_listener()}
    household.run(full=True)
    for table in by_listener():
        assert rows(household.settings, table).equals(stepwise[table.name]), table.name
