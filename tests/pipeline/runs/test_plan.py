"""The plan says what will be built and why, from states that were read once. Needs no Spark."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.contract import Node
from lakehouse.errors import LakehouseError
from lakehouse.lake.provenance import Part, Provenance, TableState
from lakehouse.settings import Settings
from pipeline.runs.plan import Snapshot, Work, plan, provenance_of, work_on
from tests.pipeline.runs.small_run import BRONZE, GRAPH, a_table, plays_of_tracks

NODES: dict[str, Node] = {table.name: table for table in (*BRONZE, *GRAPH.values())}
SETTINGS = Settings(_env_file=None)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def up_to_date() -> Snapshot:
    """A lake where every table was built from what is there now."""
    snapshot = Snapshot()
    for number, node in enumerate(NODES.values()):
        made = provenance_of(node, snapshot, SETTINGS)
        snapshot.replace(node.name, TableState(number, made, NOW))
    return snapshot


def planned(snapshot: Snapshot, settings: Settings = SETTINGS, *, full: bool = False) -> dict[str, tuple[str, str]]:
    steps = plan(NODES, snapshot, settings, full=full)
    found = {step.node.name: (step.reason, " ".join(step.unsettled_inputs)) for step in steps}
    return {name: outcome for name, outcome in found.items() if outcome != ("", "")}


def test_where_nothing_changed_no_table_is_built(up_to_date: Snapshot) -> None:
    assert planned(up_to_date) == {}


def test_new_rows_concern_what_is_made_from_them_and_perhaps_what_is_made_from_that(up_to_date: Snapshot) -> None:
    history = up_to_date.states["listening_history_bronze"]
    assert isinstance(history, TableState)
    up_to_date.replace("listening_history_bronze", replace(history, version=99))
    assert planned(up_to_date) == {
        "plays_of_tracks": ("new listening_history_bronze", ""),
        "double_plays": ("", "plays_of_tracks"),
        "both": ("", "double_plays"),
    }


def test_a_changed_setting_concerns_what_takes_it(up_to_date: Snapshot) -> None:
    assert planned(up_to_date, SETTINGS.model_copy(update={"listener_time_zone": "Europe/Berlin"})) == {
        "both": ("settings changed", ""),
    }


@pytest.fixture
def by_listener() -> tuple[Node, Snapshot]:
    """A table by listener that takes the time zone, and a lake of two listeners where it is up to date."""
    table = a_table(plays_of_tracks, "listening_history_bronze", "listener_time_zone", key=("listener", "track_id"))
    snapshot = Snapshot()
    bronze = Provenance("run", rows=2, parts={"ann": Part(1, rows=1), "ben": Part(1, rows=1)})
    snapshot.replace("listening_history_bronze", TableState(1, bronze, NOW))
    snapshot.replace(table.name, TableState(1, provenance_of(table, snapshot, SETTINGS), NOW))
    return table, snapshot


def with_file(folder: Path, text: str) -> Settings:
    file = folder / "listeners.toml"
    file.write_text(text)
    return Settings(listeners_file=file, _env_file=None)


def test_a_time_zone_concerns_its_listener(by_listener: tuple[Node, Snapshot], tmp_path: Path) -> None:
    settings = with_file(tmp_path, "[ben]\ntime_zone = 'Europe/Berlin'")
    assert work_on(*by_listener, settings) == Work("settings changed of 1 of 2 listeners", frozenset({"ben"}))


def test_the_default_time_zone_concerns_those_without_one(by_listener: tuple[Node, Snapshot], tmp_path: Path) -> None:
    settings = with_file(tmp_path, "[ben]\ntime_zone = 'UTC'").model_copy(update={"listener_time_zone": "Asia/Tokyo"})
    work = work_on(*by_listener, settings)
    assert work is not None
    assert work.listeners == frozenset({"ann"})


def test_a_listener_without_rows_leaves_the_table(by_listener: tuple[Node, Snapshot]) -> None:
    table, snapshot = by_listener
    bronze = Provenance("run", rows=1, parts={"ann": Part(1, rows=1)})
    snapshot.replace("listening_history_bronze", TableState(2, bronze, NOW))
    expected = Work("new listening_history_bronze of 1 of 2 listeners", frozenset({"ben"}))
    assert work_on(table, snapshot, SETTINGS) == expected


def test_changed_code_concerns_its_table(up_to_date: Snapshot) -> None:
    state = up_to_date.states["catalogue_counts"]
    assert isinstance(state, TableState)
    up_to_date.replace("catalogue_counts", replace(state, provenance=replace(state.provenance, code="older")))
    assert planned(up_to_date) == {"catalogue_counts": ("code changed", ""), "both": ("", "catalogue_counts")}


def test_damage_is_named_by_the_table_and_by_what_reads_it(up_to_date: Snapshot) -> None:
    up_to_date.damage["plays_of_tracks"] = LakehouseError("plays_of_tracks is damaged")
    assert planned(up_to_date) == {
        "plays_of_tracks": ("plays_of_tracks is damaged", ""),
        "double_plays": ("plays_of_tracks is damaged", "plays_of_tracks"),
        "both": ("", "double_plays"),
    }


def test_of_an_empty_lake_everything_with_a_transform_is_built() -> None:
    assert {name: reason for name, (reason, _) in planned(Snapshot()).items()} == dict.fromkeys(GRAPH, "first build")


def test_a_full_run_builds_everything_with_a_transform(up_to_date: Snapshot) -> None:
    assert {name: reason for name, (reason, _) in planned(up_to_date, full=True).items()} == dict.fromkeys(
        GRAPH, "full run"
    )
