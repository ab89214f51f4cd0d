"""The rules of ARCHITECTURE.md, held: which way imports point, how long files and how full folders are. No Spark."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from lakehouse import PACKAGES

ROOT = Path(__file__).parents[2]
# A package may import itself and those before it; within `lakehouse` what has a rank may import lower ranks.
RANKS = {
    "__init__": 0, "errors": 1, "console": 2, "listeners": 2, "state_files": 2, "java": 2, "zips": 2, "contract": 2,
    "settings": 3, "maven": 4, "lake": 4, "spotify": 4, "models": 5, "runlog": 5, "spark": 5, "stack": 5,
}  # fmt: skip
MOST_LINES, MOST_TEST_LINES, MOST_MODULES = 300, 500, 15
MOST_BYTES_OF_ARCHITECTURE = 8_000
MODULE_NAME = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
# The one place that imports by computed names: it finds the tables.
DISCOVERY = "pipeline.registry"
# Trains by name, in a process of its own.
TRAINING = "lakehouse.models.trained_models"
# Loads by name what forked workers need.
WORKERS = "lakehouse.spark.python_workers"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports_of(name: str) -> set[str]:
    """Our modules that one imports, whether by a statement or by a string that names them."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and MODULE_NAME.fullmatch(node.value):
            found.add(node.value)
    return {module for imported in found if (module := _module_in(imported)) and module != name}


def _module_in(dotted: str) -> str:
    """The longest beginning of a dotted name that is a module of ours, or ''."""
    while dotted and dotted not in MODULES:
        dotted = dotted.rpartition(".")[0]
    return dotted


def rank_of(module: str) -> tuple[int, int]:
    package, *parts = module.split(".")
    within = RANKS[parts[0] if parts else "__init__"] if package == "lakehouse" else 0
    return PACKAGES.index(package), within


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name: str) -> None:
    package, *parts = name.split(".")
    wrong = [
        imported
        for imported in imports_of(name)
        if rank_of(imported) > rank_of(name)
        # Two folders of one rank do not know each other.
        or (package == "lakehouse" and rank_of(imported) == rank_of(name) and imported.split(".")[1:2] != parts[:1])
    ]
    assert wrong == []


def test_modules_do_not_import_each_other_in_circles() -> None:
    # A module imports its package, and a package may hand on names of its modules: that is how Python packages are.
    graph = {name: {other for other in imports_of(name) if not name.startswith(f"{other}.")} for name in MODULES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_modules_are_imported_by_computed_names_in_three_known_places() -> None:
    users = {
        name
        for name, path in MODULES.items()
        if re.search(r"\bimport_module\(|__import__\(", path.read_text(encoding="utf-8"))
    }
    assert users == {DISCOVERY, TRAINING, WORKERS}


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_test_modules_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tests").rglob("*.py")}
    assert {str(path.relative_to(ROOT)): count for path, count in lines.items() if count > MOST_TEST_LINES} == {}


def test_no_folder_is_crowded() -> None:
    folders: dict[Path, int] = {}
    for path in MODULES.values():
        folders[path.parent] = folders.get(path.parent, 0) + (path.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): count for folder, count in folders.items() if count > MOST_MODULES} == {}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES.values()
        if re.search(r"os\.environ\[?|os\.getenv", path.read_text(encoding="utf-8"))
    ]
    # Programs are found, and told where things are, by the environment of the process that starts them.
    starters = {
        "lakehouse/java.py",
        "lakehouse/spark/session.py",
        "lakehouse/spark/python_workers.py",
        "lakehouse/stack/superset_server.py",
        "lakehouse/stack/trino_server.py",
        "pipeline/cli.py",
    }
    assert set(readers) <= starters


def test_a_lake_in_a_folder_loads_nothing_of_an_object_store() -> None:
    """Its modules are imported by each other, and elsewhere only inside the functions that need them."""
    of_stores = {"botocore", "lakehouse.lake.object_store", "lakehouse.lake.lease"}
    importers = {
        path.relative_to(ROOT).as_posix()
        for path in MODULES.values()
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom) and {node.module, str(node.module).split(".")[0]} & of_stores
    }
    assert importers == {"lakehouse/lake/object_store.py", "lakehouse/lake/lease.py", "lakehouse/models/objects.py"}


def test_spark_sessions_are_built_in_one_place() -> None:
    builders = [
        path.relative_to(ROOT).as_posix()
        for path in MODULES.values()
        if re.search(r"SparkSession\.[Bb]uilder", path.read_text(encoding="utf-8"))
    ]
    # Spark itself resolves and downloads the jars, as a session starts.
    assert builders == ["lakehouse/spark/jars.py", "lakehouse/spark/session.py"]


def test_the_architecture_is_short_and_names_files_that_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    assert len(text.encode()) <= MOST_BYTES_OF_ARCHITECTURE
    assert re.findall(r"`([\w/]+/[\w./]+)`", text)


@pytest.mark.parametrize(
    "document", [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_cited_files_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = re.findall(r"`((?:[\w-]+/)+[\w.-]+\.(?:py|md|sh|toml|yaml|yml|txt|json))`", text)
    linked = [link for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text) if not link.startswith("http")]
    missing = [name for name in named if not name.startswith("data/") and not (ROOT / name).exists()]
    missing += [link for link in linked if not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("recipe", ["Add a table", "Add a column"])
def test_recipes_have_at_most_six_steps(recipe: str) -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.split(f"## {recipe}", 1)[1].split("\n## ", 1)[0]
    assert 0 < len(re.findall(r"^\d+\. ", section, flags=re.MULTILINE)) <= 6
