"""New plays of one listener rebuild that listener's rows, and leave the others' files alone."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from bronze.delivered.inbox import waiting_files
from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.errors import UsageError
from lakehouse.lake import storage
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.commands.listeners import listeners_app
from pipeline.listeners import rename_listener, reported_by_listener
from pipeline.registry import pipeline_tables
from pipeline.runs.plan import Work
from pipeline.runs.run import dry_run, run
from pipeline.runs.summary import RunSummary
from pipeline.runs.upkeep import import_files
from tests.bronze.catalogues import row, write_csv
from tests.bronze.lakes import small_settings
from tests.bronze.records import NOW, extended, write_json
from tests.simulation.listener import listen
from tests.support.ports import free_port

SELECTED = ("temporal_trends", "mood_shift_patterns", "weekend_vs_weekday", "listener_affinity")
PLAYS = listen(Random(5), datetime(2026, 5, 1, tzinfo=UTC), 6)


def by_listener() -> list[Table]:
    """Tables by listener that the selected ones are made of, and these."""
    names = ("feature_matches", "listening_with_features", "plays_by_hour", "sampled_plays", *SELECTED)
    tables = [listening_history_bronze, *(pipeline_tables()[name] for name in names)]
    return [table for table in tables if table.is_by_listener]


# A long name, which no other text has in it.
RENAMED = "anneliese"


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


def of_listener(household: Household, table: Table, listener: str) -> pa.Table:
    return rows(household.settings, table).filter(pc.field("listener") == listener)


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


def test_a_renamed_listener_has_the_same_rows(household: Household) -> None:
    before = {table.name: rows(household.settings, table) for table in by_listener()}
    files_before = {table.name: files(household.settings, table) for table in by_listener()}
    rename_listener(household.settings, "ann", RENAMED)
    assert not (household.settings.import_dir / "ann").exists()
    assert not waiting_files(household.settings)
    household.run()
    for table in by_listener():
        after = files(household.settings, table)
        assert sorted(after) == [RENAMED, "ben"], table.name
        assert after["ben"] == files_before[table.name]["ben"], table.name
        renamed, ann = of_listener(household, table, RENAMED), before[table.name].filter(pc.field("listener") == "ann")
        assert renamed.drop_columns("listener").equals(ann.drop_columns("listener")), table.name


@pytest.mark.parametrize(("old", "new"), [("nobody", "carl"), ("ben", RENAMED), ("ben", "Ben"), ("ann", "carl")])
def test_no_listener_takes_the_name_of_another(household: Household, old: str, new: str) -> None:
    with pytest.raises(UsageError, match=r"there is no listener|there is a listener|cannot be a listener's name"):
        rename_listener(household.settings, old, new)
    assert household.settings.import_dir.joinpath("ben").is_dir()


def test_a_rename_that_was_killed_is_finished_by_the_same_command(
    household: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage.Lake, "overwrite", killed)
        with pytest.raises(KeyboardInterrupt):
            rename_listener(household.settings, RENAMED, "berta")
    rename_listener(household.settings, RENAMED, "berta")
    rename_listener(household.settings, "berta", RENAMED)
    assert household.settings.import_dir.joinpath(RENAMED).is_dir()
    assert reported_by_listener(household.settings).keys() == {RENAMED, "ben"}


def test_of_a_forgotten_listener_nothing_is_left(household: Household) -> None:
    settings, lake = household.settings, household.settings.lake_path
    broken = {"ts": f"a record of {RENAMED}", "spotify_track_uri": "spotify:track:x"}
    file = write_json(settings.import_dir / RENAMED / "Streaming_History_Audio_broken.json", [broken])
    import_files(settings, [file])
    # A track that ben never heard.
    of_theirs = f"{987654321:022d}"
    features = {"href": f"https://open.spotify.com/track/{of_theirs}", **dict.fromkeys(("energy", "valence"), 0.5)}
    answer = {"provider": "reccobeats", "fetched_at": NOW.isoformat(), "answer": {"content": [features]}}
    record = extended("2026-05-03T00:00:00Z", spotify_track_uri=f"spotify:track:{of_theirs}")
    new = write_json(settings.import_dir / RENAMED / "Streaming_History_Audio_own.json", [record])
    import_files(settings, [new, write_json(settings.import_dir / "audio_features_reccobeats_1.json", answer)])
    household.run()
    ben = {table.name: of_listener(household, table, "ben") for table in by_listener()}
    mentions = [RENAMED, of_theirs, *only_of(household, RENAMED)]
    found = set(mentions_in(lake, mentions))
    assert {RENAMED, of_theirs, mentions[-1]} <= found

    refused = command(settings, "forget", RENAMED, answer="n")
    assert (refused.exit_code, set(mentions_in(lake, mentions))) == (1, found)

    forgotten = command(settings, "forget", RENAMED, "--yes")

    assert (forgotten.exit_code, set(mentions_in(lake, mentions))) == (0, set())
    assert not (settings.import_dir / RENAMED).exists()
    assert re.search(r"deleted \d+ rows of listening_history_bronze\n", forgotten.output)
    assert "deleted 1 rows of rejected_rows\n" in forgotten.output
    assert f"deleted {settings.import_dir / RENAMED}\n" in forgotten.output
    assert f"Superset does not answer. If {RENAMED} was invited, delete that account later" in forgotten.output
    assert {table.name: rows(settings, table) for table in by_listener()} == ben
    household.run()
    assert {table.name: rows(settings, table) for table in by_listener()} == ben


def test_the_list_says_what_is_known_of_each(household: Household) -> None:
    (household.settings.import_dir / "carl").mkdir()
    lines = command(household.settings).output.splitlines()
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in lines if "│" in line]
    assert rows == [
        ["ben", "", f"{len(PLAYS):,}", "2026-05-01", f"{PLAYS[-1].ended_at:%Y-%m-%d}", "no", "UTC"],
        ["carl", "", "0", "", "", "no", "UTC"],
    ]


def command(settings: Settings, *arguments: str, answer: str = "") -> Any:
    """What `lakehouse listeners` prints of this lake."""
    given = {name.upper(): str(getattr(settings, name)) for name in ("lake_uri", "import_dir", "kaggle_csv")}
    # No stack of somebody else's is there to be told.
    ports = {"TRINO_PORT": str(free_port()), "SUPERSET_PORT": str(free_port())}
    return CliRunner(env={"COLUMNS": "160", **given, **ports}).invoke(listeners_app, arguments, input=answer)


def only_of(household: Household, listener: str) -> list[str]:
    """Ids of plays that no other listener has."""
    plays = rows(household.settings, listening_history_bronze).to_pylist()
    others = {play["play_id"] for play in plays if play["listener"] != listener}
    return [play["play_id"] for play in plays if play["listener"] == listener and play["play_id"] not in others]


def mentions_in(folder: Path, texts: list[str]) -> Iterator[str]:
    """Which of the texts occur in any file below a folder, or in its path."""
    for file in folder.rglob("*"):
        content = str(file)
        if file.suffix == ".parquet":
            content += repr(pq.read_table(file, partitioning=None).to_pylist())
        elif file.is_file():
            content += file.read_text(errors="replace")
        yield from (text for text in texts if text in content)
