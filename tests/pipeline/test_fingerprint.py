"""The fingerprint follows everything that decides a table's rows, and nothing else. Needs no Spark."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lakehouse import PACKAGES, PROJECT
from pipeline.fingerprint import SourceCode, code_fingerprint
from pipeline.registry import all_nodes, all_tables

NODES = {name: node for name, node in all_nodes().items() if node.transform}
FILES = {
    "gold/answer.py": (
        "from lakehouse.settled import LIMIT\nfrom silver import deeper\nfrom silver.helper import double\n\n\n"
        "def answer(x):\n    return double(x) + deeper.unit() + LIMIT\n"
    ),
    "silver/helper.py": (
        'from silver import deeper\n\n\ndef double(x):\n    """Twice."""\n    return deeper.times(x, 2)\n'
    ),
    "silver/deeper.py": (
        "FACTOR = 3\nUNUSED = 1\n\n\ndef times(x, factor):\n    return x * factor * FACTOR\n\n\n"
        "def unit():\n    return 1\n\n\ndef other():\n    return UNUSED\n"
    ),
    "lakehouse/settled.py": "LIMIT, LOW = 5, 1\nOTHER = 7\n",
}  # fmt: skip


@pytest.fixture
def fingerprint_of_answer(tmp_path: Path) -> Callable[..., str]:
    """The fingerprint of `gold.answer` with a change of one file."""

    def after(file: str = "", old: str = "", new: str = "") -> str:
        for name, content in FILES.items():
            assert name != file or old in content
            place = tmp_path / name
            place.parent.mkdir(exist_ok=True)
            place.write_text(content.replace(old, new) if name == file else content)
        return SourceCode(tmp_path).fingerprint(replace(NODES["temporal_trends"], name="answer", module="gold.answer"))

    return after


@pytest.mark.parametrize(
    "change",
    [
        ("gold/answer.py", "double(x)", "double(x) + 1"),
        ("silver/helper.py", "2", "3"),
        ("silver/deeper.py", "x * factor", "x ** factor"),
        ("silver/deeper.py", "FACTOR = 3", "FACTOR = 4"),
        ("silver/deeper.py", "return 1", "return 2"),
        ("lakehouse/settled.py", "5", "6"),
    ],
    ids=["its own code", "what it calls", "what that calls", "a constant", "by the module's name", "a lower package"],
)
def test_changed_code_is_noticed(fingerprint_of_answer: Callable[..., str], change: tuple[str, str, str]) -> None:
    assert fingerprint_of_answer() != fingerprint_of_answer(*change)


@pytest.mark.parametrize(
    "change",
    [
        ("silver/helper.py", "def double", "# said twice\ndef double"),
        ("silver/helper.py", "Twice.", "Two times."),
        ("silver/helper.py", "times(x, 2)", "times(\n        x,\n        2,\n    )"),
        ("silver/deeper.py", "UNUSED = 1", "UNUSED = 2"),
        ("silver/deeper.py", "return UNUSED", "return 3"),
        ("lakehouse/settled.py", "7", "8"),
    ],
    ids=["a comment", "a docstring", "its layout", "a constant of others", "a function of others", "a lower package"],
)
def test_what_decides_no_row_is_ignored(
    fingerprint_of_answer: Callable[..., str], change: tuple[str, str, str]
) -> None:
    assert fingerprint_of_answer() == fingerprint_of_answer(*change)


def test_the_contract_counts() -> None:
    table = all_tables()["temporal_trends"]
    assert code_fingerprint(table) != code_fingerprint(replace(table, grain="One row per something else."))


def test_every_node_has_its_own_which_is_the_same_each_time() -> None:
    first = [code_fingerprint(node) for node in NODES.values()]
    assert len(set(first)) == len(NODES)
    assert [SourceCode(PROJECT).fingerprint(node) for node in NODES.values()] == first


def test_threads_that_build_at_the_same_time_find_the_same() -> None:
    code = SourceCode(PROJECT)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(code.fingerprint, NODES.values()))
    assert found == [code_fingerprint(node) for node in NODES.values()]


@pytest.fixture(scope="module")
def changed_nodes(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str, str], set[str]]:
    """Names of the tables and models that are out of date after a change of one file of the project."""
    root = tmp_path_factory.mktemp("project")
    for package in PACKAGES:
        shutil.copytree(PROJECT / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))

    def after(file: str, old: str, new: str) -> set[str]:
        place, content = root / file, (PROJECT / file).read_text()
        assert content.count(old) == 1, f"{old!r} stands {content.count(old)} times in {file}"
        place.write_text(content.replace(old, new))
        try:
            code = SourceCode(root)
            return {name for name, node in NODES.items() if code.fingerprint(node) != code_fingerprint(node)}
        finally:
            place.write_text(content)

    return after


CATALOGUE_MODELS = {"artist_model", "mood_model", "energy_model", "mood_class_model"}


@pytest.mark.parametrize(
    ("file", "old", "new", "users", "others"),
    [
        (
            "silver/rules/bounded.py", "F.xxhash64(*key)", "F.hash(*key)",
            CATALOGUE_MODELS | {"sampled_plays", "sequential_patterns", "feature_correlations"},
            {"catalogue_tracks", "listening_with_features", "temporal_trends", "plays_by_hour", "top_tracks_by_mood"},
        ),
        (
            "lakehouse/contract/columns/__init__.py", '"valence", "tempo", "time_signature",', '"valence", "tempo",',
            CATALOGUE_MODELS | {"catalogue_tracks", "feature_matches", "feature_correlations", "measured_tracks"},
            {"temporal_trends", "plays_by_hour", "mood_shift_patterns", "part_of_day_drivers"},
        ),
        (
            "gold/shared/cluster_robust.py", "CONFIDENCE = 0.95", "CONFIDENCE = 0.9",
            {"part_of_day_drivers", "weekend_vs_weekday"},
            {"catalogue_tracks", "listening_with_features", "temporal_trends", "mood_model"},
        ),
    ],
    ids=["the hash of samples", "the tuple of features", "a default of a statistic"],
)  # fmt: skip
def test_a_change_concerns_exactly_the_tables_that_use_it(
    changed_nodes: Callable[[str, str, str], set[str]],
    file: str,
    old: str,
    new: str,
    users: set[str],
    others: set[str],
) -> None:
    changed = changed_nodes(file, old, new)
    assert changed >= users
    assert not changed & others


def test_a_new_column_concerns_no_table(changed_nodes: Callable[[str, str, str], set[str]]) -> None:
    file, line = "lakehouse/contract/columns/operations.py", "run_id                  string"
    assert changed_nodes(file, line, f"another_id string - Another\n{line}") == set()
