"""What a table or model declares: grain, key, columns, checks, caveats, inputs. Data only: it starts no Spark."""

from lakehouse.contract.checks import Check, Severity, accepted_values, expression, in_range, not_null
from lakehouse.contract.model import Model, Node, model
from lakehouse.contract.table import CAVEATS, GOLD_GROUPS, Table, source_table, table

__all__ = [
    "CAVEATS",
    "GOLD_GROUPS",
    "Check",
    "Model",
    "Node",
    "Severity",
    "Table",
    "accepted_values",
    "expression",
    "in_range",
    "model",
    "not_null",
    "source_table",
    "table",
]
