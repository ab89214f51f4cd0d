"""The layers' READMEs say what the contracts say. Needs no Spark."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.contract import CAVEATS
from lakehouse.contract.columns import COLUMNS
from pipeline.documents.dictionary import (
    GRAPH_SNAPSHOT,
    GROUP_QUESTIONS,
    drifted,
    generated_files,
    layer_readmes,
    write_docs,
)
from pipeline.registry import pipeline_tables

ROOT = Path(__file__).parents[3]
README_OF = {layer: Path(layer, "README.md") for layer in ("bronze", "silver", "gold")}


def test_readmes_say_what_the_contracts_say() -> None:
    stale = [str(path) for path in drifted(ROOT) if path != GRAPH_SNAPSHOT]
    assert stale == [], "these files differ from the contracts: run `make docs` and commit them"


def test_every_table_of_the_layers_is_described() -> None:
    readmes = layer_readmes()
    headings = {name: ("### " if table.layer == "gold" else "## ") + name for name, table in pipeline_tables().items()}
    missing = [
        name
        for name, table in pipeline_tables().items()
        if headings[name] not in readmes[README_OF[table.layer]].splitlines()
    ]
    assert missing == []


def test_a_table_shows_its_contract() -> None:
    lines = layer_readmes()[README_OF["silver"]].splitlines()
    start = lines.index("## listening_with_features")
    section = "\n".join(lines[start:])
    for part in (
        "- Key: `listener`, `play_id`",
        "- Made from: `listening_history_bronze`, `feature_matches`",
        "- Settings: `LISTENER_TIME_ZONE`",
        "`in_range(hour_of_day, 0, 23)`",
        CAVEATS["track_not_listener"],
        f"| tempo | double | BPM | {COLUMNS['tempo'].meaning} |",
    ):
        assert part in section


def test_gold_is_grouped_by_question() -> None:
    headings = [line for line in layer_readmes()[README_OF["gold"]].splitlines() if line.startswith("## ")]
    assert headings == [f"## {group.capitalize()}: {question}" for group, question in GROUP_QUESTIONS.items()]


def test_every_generated_file_is_written_once(tmp_path: Path) -> None:
    assert write_docs(tmp_path) == list(generated_files())
    assert write_docs(tmp_path) == []


def remove(path: Path) -> None:
    path.unlink()


def edit(path: Path) -> None:
    path.write_text("edited by hand", encoding="utf-8")


@pytest.mark.parametrize("damage", [remove, edit])
def test_a_missing_or_edited_file_is_drift_and_is_repaired(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    write_docs(tmp_path)
    damage(tmp_path / README_OF["gold"])
    assert drifted(tmp_path) == [README_OF["gold"]]
    assert write_docs(tmp_path) == [README_OF["gold"]]
    assert drifted(tmp_path) == []
