"""The drawn graph has every table and model and every input. Needs no Spark."""

import re

from pipeline.documents.lineage import lineage
from pipeline.registry import pipeline_nodes


def test_every_node_and_every_input_is_drawn() -> None:
    text = lineage()
    nodes = pipeline_nodes()
    assert set(re.findall(r"^    (\w+)(?:\[|\(\[)", text, flags=re.MULTILINE)) == set(nodes)
    arrows = {tuple(line.split(" --> ")) for line in re.findall(r"^  (\w+ --> \w+)$", text, flags=re.MULTILINE)}
    assert arrows == {(name, node.name) for node in nodes.values() for name in node.inputs}


def test_tables_stand_in_the_folder_that_declares_them() -> None:
    predictive = lineage().split("subgraph gold_predictive[gold/predictive]")[1].split("  end")[0]
    assert "mood_model([mood_model])" in predictive
    assert "mood_predictions[mood_predictions]" in predictive
    assert "temporal_trends" not in predictive
