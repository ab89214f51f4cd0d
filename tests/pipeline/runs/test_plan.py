"""The plan says what will be built and why, from states that were read once. Needs no Spark."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lakehouse.contract import Node
from lakehouse.errors import LakehouseError
from lakehouse.lake.provenance import TableState
from lakehouse.settings import Settings
from pipeline.runs.plan import Snapshot, plan, provenance_of
from tests.pipeline.runs.small_run import BRONZE, GRAPH

NODES: dict[str, Node] = {table.name: table for table in (*BRONZE, *GRAPH.values())}
SETTINGS = Settings(_env_file=None)


@pytest.fixture
def up_to_date() -> Snapshot:
    """A lake where every table was built from what is there now."""
    snapshot = Snapshot()
    for number, node in enumerate(NODES.values()):
        made = provenance_of(node, snapshot, SETTINGS)
        snapshot.replace(node.name, TableState(number, made, datetime(2026, 1, 1, tzinfo=UTC)))
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
