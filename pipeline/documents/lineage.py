"""Which table is made from which: the graph of all tables and models as Mermaid, which GitHub and editors draw."""

from itertools import groupby

from lakehouse.contract import Model, Node
from pipeline.registry import all_nodes

INTRO = """# Lineage

Every table and model of the three layers, with an arrow from each input to what is made from it; models have round
corners. Made from the contracts by `make docs`: do not edit it. The versions that a build was made from are in
`ops.table_builds.input_versions`.

"""


def lineage() -> str:
    """The document: one subgraph per layer and type of analytics, then one arrow per input."""
    nodes = [node for node in all_nodes().values() if node.layer != "ops"]
    lines = ["```mermaid", "flowchart LR"]
    for folder, group in groupby(sorted(nodes, key=_place), key=_folder):
        lines.append(f"  subgraph {folder.replace('/', '_')}[{folder}]")
        lines += [f"    {_shape(node)}" for node in group]
        lines.append("  end")
    lines += [f"  {name} --> {node.name}" for node in sorted(nodes, key=_place) for name in node.inputs]
    return INTRO + "\n".join([*lines, "```", ""])


def _folder(node: Node) -> str:
    return node.module.rpartition(".")[0].replace(".", "/")


def _place(node: Node) -> tuple[int, str, str]:
    return ("bronze", "silver", "gold").index(node.layer), _folder(node), node.name


def _shape(node: Node) -> str:
    return f"{node.name}([{node.name}])" if isinstance(node, Model) else f"{node.name}[{node.name}]"
