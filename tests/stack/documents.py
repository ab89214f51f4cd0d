"""The SQL blocks of the documents, which the tests run."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADING_OR_SQL = re.compile(r"^#+ ([^\n]+)$|^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCUMENTS = ("SUPERSET_QUERIES.md", "TRINO_SUPERSET_SETUP.md")


@dataclass(frozen=True)
class SqlBlock:
    """One block: the document and heading it stands under, and its text."""

    document: str
    heading: str
    sql: str

    def __str__(self) -> str:
        return f"{self.document}: {self.heading}"


def sql_blocks() -> list[SqlBlock]:
    """Every SQL block of the documents, in order."""
    return [block for name in DOCUMENTS for block in _blocks_in(name)]


def _blocks_in(name: str) -> list[SqlBlock]:
    heading, blocks = "", []
    for title, sql in HEADING_OR_SQL.findall((ROOT / name).read_text()):
        heading = title or heading
        if sql:
            blocks.append(SqlBlock(name, heading, sql.strip()))
    return blocks
