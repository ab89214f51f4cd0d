"""Superset's datasets, made from the contracts: one per table that dashboards show, with its name.

A dataset's uuid comes from the table's name, so charts can name it before it was ever imported. Each line of a file is
JSON, which is YAML too.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from lakehouse.contract import CAVEATS, Table
from lakehouse.contract.columns import Column
from pipeline.registry import all_tables

NAMESPACE = UUID("7c0f6a52-3b0e-4c55-9b1f-5f1f0a1c9e70")
DATABASE_UUID = uuid5(NAMESPACE, "database trino")
ASSETS = Path("superset/assets")
DATASETS = ASSETS / "datasets/trino"
# Silver that charts read directly, where date and source filters need single plays.
SILVER = ("listening_with_features",)

TRINO_TYPES = {
    "string": "VARCHAR",
    "double": "DOUBLE",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP(3) WITH TIME ZONE",
    "timestamp_ntz": "TIMESTAMP(6)",
}
TIME_TYPES = ("date", "timestamp", "timestamp_ntz")
# Whole numbers in these units add up; other whole numbers are labels or counts of different things.
ADDITIVE_UNITS = ("plays", "rows", "minutes", "shifts", "pairs", "ms")
# Their smallest value puts names of weekdays and parts of the day in order.
PLACES_IN_TIME = ("day_of_week", "hour_of_day")
# Units that a name does not say already.
SHOWN_UNITS = ("%", "ms", "BPM", "dBFS", "SD", "UTC", "nats")
SPELLINGS = {
    "avg": "mean", "stddev": "spread", "std": "standard", "dev": "deviation", "vs": "against", "ms": "", "ci": "95 %",
    "90": "(90 %)", "7d": "over 7 dates", "r2": "R²", "mae": "MAE", "rmse": "RMSE", "ece": "ECE", "url": "link",
}  # fmt: skip


def dataset_files() -> dict[Path, str]:
    """Every dataset's file by its path below the repository's folder."""
    return {DATASETS / f"{table.name}.yaml": _dataset(table) for table in shown_tables()}


def shown_tables() -> list[Table]:
    """Tables that dashboards may show: gold, ops and the silver ones that charts read directly."""
    return [table for table in all_tables().values() if table.layer in ("gold", "ops") or table.name in SILVER]


def dataset_uuid(table_name: str) -> UUID:
    """The dataset's uuid."""
    return uuid5(NAMESPACE, f"dataset {table_name}")


def verbose_name(column: Column) -> str:
    """The name that charts show: words, with the unit where it is not obvious: 'Mean tempo (BPM)'."""
    words = " ".join(filter(None, (SPELLINGS.get(word, word) for word in column.name.split("_"))))
    unit = f" ({column.unit})" if column.unit in SHOWN_UNITS else ""
    return words[:1].upper() + words[1:] + unit


def main_time_column(table: Table) -> str | None:
    """The local date where there is one, else the first column that holds a time."""
    times = [column.name for column in table.columns if column.type in TIME_TYPES]
    return "date" if "date" in times else next(iter(times), None)


def metrics(table: Table) -> dict[str, tuple[str, str]]:
    """Expression and shown name of each metric by its name, which follows Superset's own: count, sum__x, avg__x."""
    found = {"count": ("COUNT(*)", "Plays" if table.key == ("listener", "play_id") else "Rows")}
    for column in table.columns:
        if function := _aggregate(column):
            name = f"{function.lower()}__{column.name}"
            found[name] = (f"{function}({_quoted(column.name)})", verbose_name(column))
    return found


def _aggregate(column: Column) -> str | None:
    if column.name in PLACES_IN_TIME:
        return "MIN"
    if column.type in ("double", "int", "bigint") and column.unit in ADDITIVE_UNITS and not column.name.endswith("_7d"):
        return "SUM"
    return "AVG" if column.type == "double" else None


def _dataset(table: Table) -> str:
    facts = {
        "table_name": table.name,
        "schema": table.trino_schema,
        "catalog": "delta",
        "uuid": str(dataset_uuid(table.name)),
        "version": "1.0.0",
        "database_uuid": str(DATABASE_UUID),
        "main_dttm_col": main_time_column(table),
        "description": " ".join([table.purpose, table.grain, *(CAVEATS[code] for code in table.caveats)]),
    }
    lines = ["# Made from the contracts by `make docs`: change those, not this file."]
    lines += [f"{name}: {_json(value)}" for name, value in facts.items()]
    lines += ["columns:", *(f"- {_json(column)}" for column in _columns(table))]
    lines += ["metrics:", *(f"- {_json(metric)}" for metric in _metrics(table))]
    return "\n".join(lines) + "\n"


def _columns(table: Table) -> Iterator[dict[str, Any]]:
    for column in table.columns:
        yield {
            "column_name": column.name,
            "verbose_name": verbose_name(column),
            "type": TRINO_TYPES[column.type],
            "is_dttm": column.type in TIME_TYPES,
            "description": column.meaning,
        }


def _metrics(table: Table) -> Iterator[dict[str, Any]]:
    for name, (expression, shown) in metrics(table).items():
        yield {"metric_name": name, "expression": expression, "verbose_name": shown}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _quoted(name: str) -> str:
    return f'"{name}"'
