"""A model's card, its description for programs (JSON) and people (Markdown)."""

import math
from collections.abc import Mapping
from typing import Any

CARD_JSON, CARD_TEXT = "card.json", "card.md"


def finite(value: Any) -> Any:
    """The same value with null for numbers that JSON cannot represent (NaN, infinity)."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def card_text(card: Mapping[str, Any]) -> str:
    """The card as Markdown: a heading per entry, tables for lists of rows, lists for the rest."""
    lines = [f"# {card['name']} {card['version']}", ""]
    for key in [key for key in card if key not in ("name", "version")]:
        lines += [f"## {key.replace('_', ' ').capitalize()}", "", *_lines(card[key]), ""]
    return "\n".join(lines)


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [f"- {key}: {_inline(item)}" for key, item in value.items()]
    if isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        columns = list(dict.fromkeys(column for row in value for column in row))
        head = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
        return head + ["| " + " | ".join(_inline(row.get(column)) for column in columns) + " |" for row in value]
    if isinstance(value, list):
        return [f"- {_inline(item)}" for item in value]
    return [_inline(value)]


def _inline(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inline(item)}" for key, item in value.items())
    return str(value).replace("|", "\\|").replace("\n", " ")
