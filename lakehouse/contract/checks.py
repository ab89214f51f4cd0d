"""Checks that a table's rows must pass; the writer runs them."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["fail", "warn"]


@dataclass(frozen=True)
class Check:
    """One rule for the rows of a table.

    Attributes:
        name: what must hold, as shown in `ops.quality_results`.
        failing: Spark SQL condition that is true for rows that violate the rule.
        severity: 'fail' rejects the whole frame, 'warn' only reports.
    """

    name: str
    failing: str
    severity: Severity = "fail"


def not_null(column: str, severity: Severity = "fail") -> Check:
    """The column is never null."""
    return Check(f"not_null({column})", f"`{column}` IS NULL", severity)


def in_range(column: str, low: float, high: float, severity: Severity = "fail") -> Check:
    """The column lies within [low, high] where it is not null; NaN is outside."""
    return Check(
        f"in_range({column}, {low}, {high})",
        f"`{column}` IS NOT NULL AND NOT (`{column}` >= {low} AND `{column}` <= {high})",
        severity,
    )


def accepted_values(column: str, *values: str, severity: Severity = "fail") -> Check:
    """The column holds only these values, or null."""
    listed = ", ".join(f"'{_escape(value)}'" for value in values)
    return Check(f"accepted_values({column})", f"`{column}` IS NOT NULL AND `{column}` NOT IN ({listed})", severity)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def expression(name: str, condition: str, severity: Severity = "fail") -> Check:
    """The Spark SQL condition is true, or null, for every row."""
    return Check(name, f"NOT ({condition})", severity)
