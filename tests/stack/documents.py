"""The SQL and Python blocks of the documents, which the tests run."""

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
HEADING_OR_SQL = re.compile(r"^#+ ([^\n]+)$|^```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SETUP = "TRINO_SUPERSET_SETUP.md"
DOCUMENTS = ("SUPERSET_QUERIES.md", SETUP)


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


def python_blocks() -> list[str]:
    """Every Python block of the set-up document, in order."""
    return [str(block) for block in PYTHON.findall((ROOT / SETUP).read_text())]


def indented_blocks(heading: str) -> list[str]:
    """What the set-up document gives to type or to write below a heading, block by block."""
    section = (ROOT / SETUP).read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [dedent(block) for block in re.findall(r"(?:^ {7}.*\n)+", section, re.MULTILINE)]


def _blocks_in(name: str) -> list[SqlBlock]:
    heading, blocks = "", []
    for title, sql in HEADING_OR_SQL.findall((ROOT / name).read_text()):
        heading = title or heading
        if sql:
            blocks.append(SqlBlock(name, heading, sql.strip()))
    return blocks
