"""The graph of tables is committed as text, so that a review sees every change of it. Needs no Spark."""

from pathlib import Path

from pipeline.documents.dictionary import GRAPH_SNAPSHOT, graph_snapshot

ROOT = Path(__file__).parents[2]


def test_graph_is_the_committed_one() -> None:
    committed = (ROOT / GRAPH_SNAPSHOT).read_text(encoding="utf-8")
    assert graph_snapshot() == committed, "the graph changed: run `make docs`, read the difference and commit it"


def test_snapshot_shows_inputs_settings_key_and_typed_columns() -> None:
    blocks = {block.split("\n", 1)[0]: block.splitlines()[1:] for block in graph_snapshot().split("\n\n")}
    lines = blocks["silver/listening_with_features"]
    assert lines[:4] == [
        "  inputs: listening_history_bronze, feature_matches, artist_estimates",
        "  settings: listener_time_zone",
        "  key: listener, play_id",
        "  listener string",
    ]
