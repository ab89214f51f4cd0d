"""The documents' SQL names only what exists. Needs no server."""

import re
from typing import Any

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from pipeline.registry import all_tables
from tests.stack.documents import ROOT, SqlBlock, sql_blocks

DASHBOARDS = (
    "Daily Overview", "Mood Analysis", "Recommendations", "Deep Insights", "Model Performance", "Data Health",
)  # fmt: skip
# Those of "<table>$history" that the documents use.
HISTORY_COLUMNS = ("version", "timestamp", "operation")
QUERIES = (ROOT / "SUPERSET_QUERIES.md").read_text()
SELECTS = [block for block in sql_blocks() if block.sql.startswith(("SELECT", "WITH"))]


def known_tables() -> dict[str, Any]:
    """Columns of the contracts' tables by schema and name, with those of their histories."""
    tables: dict[str, Any] = {"default": {}, "ops": {}}
    for table in all_tables().values():
        tables[table.trino_schema][table.name] = {column.name: column.type for column in table.columns}
        tables[table.trino_schema][f"{table.name}$history"] = dict.fromkeys(HISTORY_COLUMNS, "string")
    return tables


@pytest.mark.parametrize("block", SELECTS, ids=str)
def test_tables_and_columns_are_in_the_contracts(block: SqlBlock) -> None:
    statement = sqlglot.parse_one(block.sql, dialect="trino")
    known = known_tables()
    unknown = [t.sql() for t in statement.find_all(exp.Table) if t.db and t.name not in known.get(t.db, {})]
    assert not unknown
    qualify(statement, dialect="trino", schema={"delta": known})  # raises for a column that no table has


def test_every_table_of_gold_has_a_query() -> None:
    gold = {table.name for table in all_tables().values() if table.layer == "gold"}
    assert gold <= set(re.findall(r"delta\.default\.(\w+)", QUERIES))


def test_each_query_has_a_number_purpose_chart_and_sql() -> None:
    sections = re.split(r"^## Q(\d+) .*$", QUERIES.split("# Dashboard templates")[0], flags=re.MULTILINE)[1:]
    numbers, texts = [int(number) for number in sections[::2]], sections[1::2]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 21
    for number, text in zip(numbers, texts, strict=True):
        for part in ("**Purpose:**", "**Chart:**", "```sql"):
            assert text.count(part) == 1, f"Q{number}: {part}"


@pytest.mark.parametrize("dashboard", DASHBOARDS)
def test_dashboard_templates_name_the_queries_they_combine(dashboard: str) -> None:
    template = QUERIES.split(f"## {dashboard}\n")[1].split("\n## ")[0]
    overview = next(line for line in QUERIES.splitlines() if line.startswith(f"| [{dashboard}]"))
    numbers = set(re.findall(r"Q\d+", template))
    assert numbers
    assert numbers == set(re.findall(r"Q\d+", overview))
    assert numbers <= set(re.findall(r"^## (Q\d+) ", QUERIES, re.MULTILINE))
