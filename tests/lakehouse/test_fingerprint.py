"""The fingerprint follows everything that decides a table's rows, and nothing else. Needs no Spark."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehouse import fingerprint
from lakehouse.contract import Table
from lakehouse.registry import all_nodes, pipeline_tables

PACKAGE = {
    "gold/__init__.py": "",
    "gold/answer.py": (
        "from silver.helper import double\nimport lakehouse.outside\n\n\ndef answer(x):\n    return double(x)\n"
    ),
    "silver/__init__.py": "",
    "silver/helper.py": "from silver import deeper\n\n\ndef double(x):\n    return deeper.times(x, 2)\n",
    "silver/deeper.py": "def times(x, factor):\n    return x * factor\n",
    "silver/other.py": "def other():\n    return 1\n",
    "lakehouse/outside.py": "VALUE = 1\n",
}  # fmt: skip


@pytest.fixture
def fingerprint_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """The fingerprint of `gold.answer` with some of its package's files changed."""

    def source(module: str) -> Path | None:
        path = tmp_path.joinpath(*module.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.exists():
                return file
        return None

    monkeypatch.setattr(fingerprint, "_file", source)
    some_table = pipeline_tables()["temporal_trends"]

    def after(changes: dict[str, tuple[str, str]] | None = None, **declared: Any) -> str:
        for name, content in PACKAGE.items():
            old, new = (changes or {}).get(name, ("", ""))
            assert old in content
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(content.replace(old, new) if old else content)
        for cached in (fingerprint._layer_imports, fingerprint._syntax):
            cached.cache_clear()
        table: Table = replace(some_table, module="gold.answer", **declared)
        return fingerprint.code_fingerprint(table)

    yield after
    for cached in (fingerprint._layer_imports, fingerprint._syntax):
        cached.cache_clear()


@pytest.mark.parametrize(
    "changes",
    [
        {"gold/answer.py": ("double(x)", "double(x) + 1")},
        {"silver/helper.py": ("2", "3")},
        {"silver/deeper.py": ("x * factor", "x ** factor")},
    ],
    ids=["its own code", "what it calls", "what that calls"],
)
def test_changed_code_is_seen(fingerprint_after: Callable[..., str], changes: dict[str, tuple[str, str]]) -> None:
    assert fingerprint_after() != fingerprint_after(changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"silver/helper.py": ("def double", "# said twice\ndef double")},
        {"silver/helper.py": ("times(x, 2)", "times(\n        x,\n        2,\n    )")},
        {"silver/other.py": ("1", "2")},
        {"lakehouse/outside.py": ("1", "2")},
    ],
    ids=["a comment", "its layout", "what it does not call", "what is below the layers"],
)
def test_what_decides_no_row_is_not_seen(
    fingerprint_after: Callable[..., str], changes: dict[str, tuple[str, str]]
) -> None:
    assert fingerprint_after() == fingerprint_after(changes)


def test_the_contract_counts(fingerprint_after: Callable[..., str]) -> None:
    assert fingerprint_after() != fingerprint_after(grain="One row per something else.")


def test_every_node_has_its_own_which_is_the_same_each_time() -> None:
    nodes = [node for node in all_nodes().values() if node.transform]
    first = [fingerprint.code_fingerprint(node) for node in nodes]
    assert len(set(first)) == len(nodes)
    for cached in (fingerprint._layer_imports, fingerprint._syntax):
        cached.cache_clear()
    assert [fingerprint.code_fingerprint(node) for node in nodes] == first
