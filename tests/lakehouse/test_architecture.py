"""The rules of ARCHITECTURE.md, held."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A package may import itself and those before it.
ARROW = ("lakehouse", "bronze", "silver", "gold", "scheduler")
MOST_FILES_TO_FOLLOW = 9


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported_packages(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("package", ARROW)
def test_imports_point_one_way(package: str) -> None:
    later = set(ARROW[ARROW.index(package) + 1 :])
    wrong = {str(module.relative_to(ROOT)): imported_packages(module) & later for module in modules(package)}
    assert not {module: names for module, names in wrong.items() if names}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        module.relative_to(ROOT).as_posix()
        for package in ARROW
        for module in modules(package)
        if re.search(r"os\.environ\[?|os\.getenv", module.read_text(encoding="utf-8"))
    ]
    # Programs are found, and told where things are, by the environment of the process that starts them.
    starters = {
        "lakehouse/spark.py", "lakehouse/python_workers.py", "lakehouse/cli.py", "lakehouse/trino_server.py",
        "lakehouse/superset_server.py",
    }  # fmt: skip
    assert set(readers) <= starters


def test_a_lake_in_a_folder_loads_nothing_of_an_object_store() -> None:
    """Its modules are imported by each other, and elsewhere only inside the functions that need them."""
    of_stores = {"botocore", "lakehouse.object_store", "lakehouse.lease"}
    importers = {
        module.relative_to(ROOT).as_posix()
        for package in ARROW
        for module in modules(package)
        for node in ast.parse(module.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and {node.module, str(node.module).split(".")[0]} & of_stores
    }
    assert importers == {"lakehouse/object_store.py", "lakehouse/lease.py"}


def test_spark_sessions_are_built_in_one_place() -> None:
    builders = [
        module.relative_to(ROOT).as_posix()
        for package in ARROW
        for module in modules(package)
        if "SparkSession.Builder" in module.read_text(encoding="utf-8")
        or "SparkSession.builder" in module.read_text(encoding="utf-8")
    ]
    assert builders == ["lakehouse/spark.py"]


def test_one_play_can_be_followed_by_reading_few_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = text.split("## Follow one play", 1)[1].split("\n## ", 1)[0]
    files = re.findall(r"^\d+\. `([^`]+)`", section, flags=re.MULTILINE)
    assert 0 < len(files) <= MOST_FILES_TO_FOLLOW
    assert [file for file in files if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("recipe", ["Add a table", "Add a column"])
def test_recipes_have_at_most_six_steps(recipe: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {recipe}", 1)[1].split("\n## ", 1)[0]
    assert 0 < len(re.findall(r"^\d+\. ", section, flags=re.MULTILINE)) <= 6
