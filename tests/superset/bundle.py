"""Superset's assets in the repository, and the columns and metrics that they use."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import sqlglot
import yaml
from sqlglot import exp

ASSETS = Path(__file__).parents[2] / "superset" / "assets"

# Where a chart's params name columns and metrics of its dataset; each holds one or a list.
COLUMN_FIELDS = ("x_axis", "groupby", "columns", "all_columns", "entity", "series", "source", "target")
METRIC_FIELDS = ("metric", "metrics", "metrics_b", "x", "y", "size", "timeseries_limit_metric", "orderby")
FILTER_FIELDS = ("adhoc_filters", "adhoc_filters_b")


@dataclass(frozen=True)
class Dataset:
    """A dataset: its columns and the expressions of its metrics, by name. `sql` is empty for a table's own."""

    table_name: str
    schema: str
    uuid: str
    columns: tuple[str, ...]
    metrics: dict[str, str] = field(hash=False)
    sql: str


@dataclass(frozen=True)
class Chart:
    """A chart: the dataset it reads and its settings."""

    path: Path
    title: str
    uuid: str
    dataset: Dataset
    params: dict[str, Any] = field(hash=False)

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def dimensions(self) -> list[Any]:
        """What the chart shows or groups by: names of columns, or expressions with labels."""
        return self._listed(COLUMN_FIELDS)

    @property
    def metrics(self) -> list[Any]:
        """What the chart aggregates: names of saved metrics, or expressions with labels; none where it shows rows."""
        return self._listed(METRIC_FIELDS)

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """What limits the rows."""
        return self._listed(FILTER_FIELDS)

    @property
    def output_labels(self) -> set[str]:
        """Names of the columns that the chart's query gives."""
        return {label_of(value) for value in (*self.dimensions, *self.metrics)}

    def used_columns(self) -> set[str]:
        """Columns of the dataset that the chart needs, also those inside expressions."""
        plain = {value for value in self.dimensions if isinstance(value, str)}
        plain |= {condition["subject"] for condition in self.conditions if "subject" in condition}
        return plain | {name for expression in self._expressions() for name in columns_in(expression)}

    def used_metrics(self) -> set[str]:
        """Saved metrics of the dataset that the chart needs."""
        return {value for value in self.metrics if isinstance(value, str)}

    @property
    def follows_time(self) -> bool:
        """Whether a date range reaches the chart's query."""
        return any(condition.get("operator") == "TEMPORAL_RANGE" for condition in self.conditions)

    def _expressions(self) -> Iterator[str]:
        for value in (*self.dimensions, *self.metrics, *self.conditions):
            if isinstance(value, dict) and "sqlExpression" in value:
                yield value["sqlExpression"]
        yield from (self.dataset.metrics.get(name, "") for name in self.used_metrics())

    def _listed(self, fields: Iterable[str]) -> list[Any]:
        found = (self.params.get(name) for name in fields)
        return [item for value in found if value for item in (value if isinstance(value, list) else [value])]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard: its charts, the rows each lies in, and its filters."""

    path: Path
    title: str
    slug: str
    position: dict[str, Any] = field(hash=False)
    metadata: dict[str, Any] = field(hash=False)

    def __str__(self) -> str:
        return self.slug

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """Everything in the layout that has an id."""
        return [node for node in self.position.values() if isinstance(node, dict)]

    @property
    def charts(self) -> list[Chart]:
        """The charts in the layout."""
        return [charts()[node["meta"]["uuid"]] for node in self.nodes if node["type"] == "CHART"]

    @property
    def filters(self) -> list[dict[str, Any]]:
        """The native filters."""
        return list(self.metadata["native_filter_configuration"])

    def in_scope(self, native_filter: dict[str, Any]) -> list[Chart]:
        """The charts that a filter acts on: those below one of the places that its scope names."""
        places = set(native_filter["scope"]["rootPath"])
        below = (node for node in self.nodes if node["type"] == "CHART" and places & set(node["parents"]))
        return [charts()[node["meta"]["uuid"]] for node in below]


def label_of(value: Any) -> str:
    """The name of the result's column."""
    return value if isinstance(value, str) else str(value["label"])


def columns_in(expression: str) -> set[str]:
    """Names of the columns in an SQL expression of Trino's."""
    tree = sqlglot.parse_one(expression, dialect="trino") if expression else exp.Select()
    return {column.name for column in tree.find_all(exp.Column)}


@cache
def datasets() -> dict[str, Dataset]:
    """Every dataset by uuid."""
    found = [
        Dataset(
            table_name=loaded["table_name"],
            schema=loaded["schema"],
            uuid=loaded["uuid"],
            columns=tuple(column["column_name"] for column in loaded["columns"]),
            metrics={metric["metric_name"]: metric["expression"] for metric in loaded["metrics"]},
            sql=loaded.get("sql", ""),
        )
        for _, loaded in _files("datasets")
    ]
    return {dataset.uuid: dataset for dataset in found}


@cache
def charts() -> dict[str, Chart]:
    """Every chart by uuid."""
    return {
        loaded["uuid"]: Chart(
            path, loaded["slice_name"], loaded["uuid"], datasets()[loaded["dataset_uuid"]], loaded["params"]
        )
        for path, loaded in _files("charts")
    }


@cache
def dashboards() -> dict[str, Dashboard]:
    """Every dashboard by slug."""
    return {
        loaded["slug"]: Dashboard(
            path, loaded["dashboard_title"], loaded["slug"], loaded["position"], loaded["metadata"]
        )
        for path, loaded in _files("dashboards")
    }


@cache
def load(path: Path) -> dict[str, Any]:
    """An asset's file, by the parser in C: the one in Python takes seconds for all of them."""
    return dict(yaml.load(path.read_text(), Loader=yaml.CSafeLoader))


def _files(folder: str) -> list[tuple[Path, dict[str, Any]]]:
    return [(path, load(path)) for path in sorted((ASSETS / folder).rglob("*.yaml"))]
