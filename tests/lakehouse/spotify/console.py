"""What is printed on a console of 120 columns, and the cells of a table's lines."""

import io
from typing import Any

from rich.console import Console


def printed(function: Any, *arguments: Any) -> str:
    """What a function prints to the console, its first argument."""
    text = io.StringIO()
    function(Console(file=text, width=120), *arguments)
    return text.getvalue()


def cells(line: str) -> list[str]:
    """The cells of one line of a table."""
    return [cell.strip() for cell in line.strip("│").split("│")]
