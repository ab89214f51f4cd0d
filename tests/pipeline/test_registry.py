"""Every table follows the rules of the architecture, and mistakes in the graph are found. Needs no Spark."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from lakehouse.contract import Table
from pipeline.registry import RegistryError, all_tables, chain_lengths, ordered, pipeline_tables

ROOT = Path(__file__).parents[2]
TABLES = list(all_tables().values())
TRANSFORMED = [table for table in pipeline_tables().values() if table.layer in ("silver", "gold")]
SOURCES = sorted(path for layer in ("silver", "gold") for path in (ROOT / layer).rglob("*.py"))
MAX_FUNCTION_LINES = 70
MAX_TABLE_MODULE_LINES = 150

# What a transform must not touch: input and output, the driver's memory, the clock, chance, and Python row by row.
FORBIDDEN_METHODS = {"read", "write", "writeTo", "collect", "toPandas", "toLocalIterator", "dropDuplicates", "environ"}
FORBIDDEN_NAMES = {"current_timestamp", "current_date", "now", "rand", "randn", "uuid", "udf", "pandas_udf"}

each_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
each_transformed = pytest.mark.parametrize("table", TRANSFORMED, ids=lambda table: table.name)


def source_of(table: Table) -> Path:
    return ROOT / Path(*table.module.split(".")).with_suffix(".py")


# ---- what every table has


@each_table
def test_grain_says_what_a_row_is(table: Table) -> None:
    assert "One row per" in table.grain
    assert table.grain.endswith(".")


@each_table
def test_purpose_is_one_sentence(table: Table) -> None:
    assert table.purpose.endswith((".", "?"))


@each_transformed
def test_module_function_and_table_have_one_name(table: Table) -> None:
    assert table.module == ".".join(part for part in (table.layer, table.group, table.name) if part)
    assert table.transform is not None
    assert table.transform.__name__ == table.name


@each_transformed
def test_table_has_a_test_file(table: Table) -> None:
    test_file = Path("tests", *table.module.split(".")[:-1], f"test_{table.name}.py")
    assert (ROOT / test_file).is_file(), f"missing: {test_file}"


@each_transformed
def test_table_module_is_short(table: Table) -> None:
    assert len(source_of(table).read_text(encoding="utf-8").splitlines()) <= MAX_TABLE_MODULE_LINES


def test_predictive_tables_carry_caveats() -> None:
    assert [table.name for table in TRANSFORMED if table.group == "predictive" and not table.caveats] == []


def test_finding_the_tables_starts_no_spark() -> None:
    script = (
        "from pipeline.registry import all_tables; from pyspark import SparkContext; "
        "all_tables(); assert SparkContext._gateway is None"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


# ---- the graph


def a_table(name: str, *inputs: str, layer: str = "silver") -> Table:
    return Table(
        name=name, layer=layer, group="", module=f"{layer}.{name}", purpose="", grain="", key=(), columns=(),
        checks=(), caveats=(), min_rows=0, inputs=inputs, parameters=(), transform=None,
    )  # fmt: skip


def test_inputs_come_before_the_tables_that_read_them() -> None:
    assert list(ordered([a_table("c", "b"), a_table("b", "a"), a_table("a")])) == ["a", "b", "c"]


def test_unknown_input_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"silver\.plays: parameter 'plasy' is not a table"):
        ordered([a_table("plays", "plasy")])


def test_cycle_is_refused() -> None:
    with pytest.raises(RegistryError, match="circle"):
        ordered([a_table("a", "b"), a_table("b", "a")])


def test_duplicate_name_is_refused() -> None:
    with pytest.raises(RegistryError, match=r"two tables are named plays: silver\.plays and gold\.plays"):
        ordered([a_table("plays"), a_table("plays", layer="gold")])


def test_gold_read_by_silver_is_refused() -> None:
    with pytest.raises(RegistryError, match="later layer"):
        ordered([a_table("plays", "trends"), a_table("trends", layer="gold")])


def test_a_chain_is_as_long_as_the_most_tables_made_one_after_the_other() -> None:
    tables = [a_table("end", "middle", "start"), a_table("middle", "start"), a_table("start"), a_table("alone")]
    assert chain_lengths(ordered(tables)) == {"start": 3, "middle": 2, "end": 1, "alone": 1}


# ---- transforms are pure


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_source_breaks_no_rule(path: Path) -> None:
    assert broken_rules(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "spark.read.format('delta')",
        "frame.write.save(path)",
        "frame.collect()",
        "frame.count()",
        "frame.toPandas()",
        "os.environ['HOME']",
        "F.current_timestamp()",
        "F.rand(seed=1)",
        "import uuid",
        "from pyspark.sql.functions import udf",
        "frame.dropDuplicates(['play_id'])",
        "frame.join(other, on='play_id')",
        "frame.join(other, 'play_id', 'left')",
        "def long():\n" + "    pass\n" * MAX_FUNCTION_LINES,
    ],
)
def test_rules_find(source: str) -> None:
    assert len(broken_rules(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "frame.join(other, on='play_id', how='left')",
        "', '.join(names)",
        "frame.agg(F.count('*'))",
        "names.count('a')",
        "def short():\n" + "    pass\n" * (MAX_FUNCTION_LINES - 1),
    ],
)
def test_rules_allow(source: str) -> None:
    assert broken_rules(source) == []


def broken_rules(source: str) -> list[str]:
    """What a module does that a transform must not, with the line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(attr=name) if name in FORBIDDEN_METHODS | FORBIDDEN_NAMES:
                found.append(f"line {node.lineno}: .{name}")
            case ast.Name(id=name) if name in FORBIDDEN_NAMES:
                found.append(f"line {node.lineno}: {name}")
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found += [f"line {node.lineno}: {alias.name}" for alias in names if alias.name in FORBIDDEN_NAMES]
            case ast.Call(func=ast.Attribute(attr="count"), args=[], keywords=[]):
                found.append(f"line {node.lineno}: .count() runs a job")
            case ast.Call(func=ast.Attribute(attr="join", value=receiver)) if not (
                _is_text(receiver) or _has_how(node)
            ):
                found.append(f"line {node.lineno}: .join() without how=")
            case ast.FunctionDef(name=name) if _lines(node) > MAX_FUNCTION_LINES:
                found.append(f"line {node.lineno}: {name} has {_lines(node)} lines")
    return found


def _is_text(receiver: ast.expr) -> bool:
    """A string, or a constant that can only be one: Spark frames are never constants."""
    is_constant_name = isinstance(receiver, ast.Name) and receiver.id.isupper()
    return is_constant_name or isinstance(receiver, (ast.Constant, ast.JoinedStr))


def _has_how(call: ast.Call) -> bool:
    return any(keyword.arg == "how" for keyword in call.keywords)


def _lines(function: ast.FunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
