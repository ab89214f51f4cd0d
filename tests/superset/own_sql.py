"""A chart's query as we would write it, from its settings alone; Superset's own SQL is compared with its rows."""

from typing import Any

from tests.superset.bundle import Chart

GRAINS = {"P1D": "day", "P1W": "week", "P1M": "month"}


def own_sql(chart: Chart) -> str:
    """A query for the dimensions of the chart's (first) query and then its first metric, without a limit."""
    dataset = chart.dataset
    source = f"({dataset.sql})" if dataset.sql else f'delta.{dataset.schema}."{dataset.table_name}"'
    selected = [_expression(chart, value) for value in chart.dimensions]
    if chart.metrics:
        selected.append(_metric(chart, chart.metrics[0]))
    sql = f"SELECT {', '.join(selected)} FROM {source}"
    if chosen := _conditions(chart, "WHERE"):
        sql += f" WHERE {chosen}"
    if chart.metrics and chart.dimensions:
        sql += f" GROUP BY {', '.join(str(place + 1) for place in range(len(chart.dimensions)))}"
    if chosen := _conditions(chart, "HAVING"):
        sql += f" HAVING {chosen}"
    return sql


def _metric(chart: Chart, value: Any) -> str:
    return chart.dataset.metrics[value] if isinstance(value, str) else str(value["sqlExpression"])


def _conditions(chart: Chart, clause: str) -> str:
    chosen = [each for each in chart.params.get("adhoc_filters", []) if each["clause"] == clause]
    return " AND ".join(f"({each['sqlExpression']})" for each in chosen if each["expressionType"] == "SQL")


def _expression(chart: Chart, value: Any) -> str:
    if isinstance(value, dict):
        return str(value["sqlExpression"])
    grain = GRAINS.get(chart.params.get("time_grain_sqla", ""))
    return f"date_trunc('{grain}', {value})" if grain and value == "date" else f'"{value}"'
