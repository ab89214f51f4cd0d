"""Generated documents: the layers' READMEs, the lineage, the graph's snapshot and Superset's datasets."""

from collections.abc import Iterable
from pathlib import Path

from lakehouse.contract import CAVEATS, Model, Node, Table
from pipeline.documents.lineage import lineage
from pipeline.documents.superset_datasets import dataset_files
from pipeline.registry import all_models, all_nodes, all_tables

GRAPH_SNAPSHOT = Path("tests/graph_snapshot.txt")
LINEAGE = Path("docs/lineage.md")
LAYER_INTROS = {
    "bronze": "Bronze keeps what was delivered, one table per source.",
    "silver": "Silver holds each counted play once, with its recording, session and audio features.",
    "gold": "Gold answers questions, one table each, by type of analytics.",
}
GROUP_QUESTIONS = {
    "descriptive": "what happened?",
    "diagnostic": "why did it happen?",
    "predictive": "what will happen?",
    "prescriptive": "what should we do?",
    "cognitive": "which patterns are there?",
}
README_NOTE = (
    "Made from the contracts in this folder and `lakehouse/contract/columns/` by `make docs`: do not edit it. "
    "Every key is checked to be unique and without nulls; further checks are listed. A table whose check fails is not "
    "written, its last good version stays."
)

MODELS_NOTE = (
    "Trained when their inputs or their code changed, else kept; in `models/<name>/<version>` below the lake, each "
    "with its card (`card.md`): what it was trained on, its figures and where it misleads."
)


def write_docs(root: Path) -> list[Path]:
    """Write the documents that differ from the contracts.

    Args:
        root: the repository's folder.

    Returns:
        The files written, relative to `root`.
    """
    changed = drifted(root)
    texts = generated_files()
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(texts[path], encoding="utf-8")
    return changed


def drifted(root: Path) -> list[Path]:
    """The documents below `root` that are missing or differ from the contracts, relative to it."""
    return [path for path, text in generated_files().items() if _text_of(root / path) != text]


def generated_files() -> dict[Path, str]:
    """Every generated document, by its path below the repository's folder."""
    return {**layer_readmes(), GRAPH_SNAPSHOT: graph_snapshot(), LINEAGE: lineage(), **dataset_files()}


def layer_readmes() -> dict[Path, str]:
    """The data dictionary of each layer, by its path below the repository's folder."""
    return {Path(layer, "README.md"): _readme(layer) for layer in LAYER_INTROS}


def graph_snapshot() -> str:
    """Every table and model with its inputs, tables with key and columns too, as text that is easy to compare."""
    return "\n".join(_snapshot_of(node) for node in sorted(all_nodes().values(), key=lambda node: node.location))


def _readme(layer: str) -> str:
    tables = [table for table in all_tables().values() if table.layer == layer]
    by_name = sorted(tables, key=lambda table: table.name)
    blocks = [f"# {layer.capitalize()}", LAYER_INTROS[layer], README_NOTE]
    if layer != "gold":
        blocks += [_section(table, "##") for table in by_name]
    else:
        for group, question in GROUP_QUESTIONS.items():
            blocks.append(f"## {group.capitalize()}: {question}")
            blocks += [_section(table, "###") for table in by_name if table.group == group]
    models = [_model_section(node) for node in all_models().values() if node.layer == layer]
    if models:
        blocks += ["# Models", MODELS_NOTE, *sorted(models)]
    return "\n\n".join(blocks) + "\n"


def _section(table: Table, heading: str) -> str:
    """One table: what it is, then its columns."""
    facts = {
        "Grain": table.grain,
        "Key": _listed(table.key),
        "Made from": _listed(table.inputs) or "imports",
        "Settings": _listed(name.upper() for name in table.parameters),
        "Checks": ", ".join(_checks(table)),
        "Caveats": " ".join(CAVEATS[code] for code in table.caveats),
    }
    return "\n".join(
        [
            f"{heading} {table.name}",
            "",
            table.purpose,
            "",
            *(f"- {label}: {text}" for label, text in facts.items() if text),
            "",
            "| column | type | unit | meaning |",
            "|---|---|---|---|",
            *(_row(column.name, column.type, column.unit, column.meaning) for column in table.columns),
        ]
    )


def _model_section(model: Model) -> str:
    return (
        f"### {model.name}\n\n{model.purpose}\n\n- Trained on: {_listed(model.inputs)}, at most {model.max_rows:,} rows"
    )


def _snapshot_of(table: Node) -> str:
    if isinstance(table, Model):
        return f"{table.location}\n  inputs: {', '.join(table.inputs)}\n"
    lines = [
        table.location,
        f"  inputs: {', '.join(table.inputs) or '-'}",
        f"  settings: {', '.join(table.parameters) or '-'}",
        f"  key: {', '.join(table.key)}",
        *(f"  {column.name} {column.type}" for column in table.columns),
    ]
    return "\n".join(lines) + "\n"


def _checks(table: Table) -> list[str]:
    """The checks other than the key's, marked where they only warn."""
    listed = [f"`{check.name}`" + ("" if check.severity == "fail" else " (only reported)") for check in table.checks]
    return listed + ([f"`min_rows({table.min_rows})` (only reported)"] if table.min_rows else [])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
