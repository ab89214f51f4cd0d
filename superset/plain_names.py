"""Shows names as the text that they are: they come from other people's exports and catalogues.

Superset renders a value that looks like HTML as HTML, in tables, tooltips and SQL Lab: a track's name could cover the
page with a login of its own, or log the reader out with a picture's address.
"""

import re
from collections.abc import Iterable
from typing import Any

# A browser takes this, and nothing else, for the beginning of an element: "I <3 you" is text.
ELEMENT = re.compile(r"<(?=[A-Za-z/!?])")
# Looks alike, and begins nothing.
LOOKALIKE = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"


def as_text(value: Any) -> Any:
    """A value that begins no HTML element; other kinds of values as they are."""
    return ELEMENT.sub(LOOKALIKE, value) if isinstance(value, str) else value


def show_names_as_text() -> None:
    """Let no answer to a chart or to SQL Lab hold HTML but what an expression of the chart itself says."""
    from superset import sql_lab
    from superset.common.chart_data import ChartDataResultFormat
    from superset.common.query_context_processor import QueryContextProcessor

    payload_of, records_of = QueryContextProcessor.get_df_payload, sql_lab.df_to_records

    def payload_as_text(self: Any, query_obj: Any, force_cached: bool | None = False) -> dict[str, Any]:
        payload = payload_of(self, query_obj, force_cached)
        # A file is no page.
        if self._query_context.result_format == ChartDataResultFormat.JSON:
            payload["df"] = _frame_as_text(payload["df"], _labels_with_html(query_obj))
        return payload

    def records_as_text(frame: Any) -> Any:
        return records_of(_frame_as_text(frame, set()))

    QueryContextProcessor.get_df_payload = payload_as_text
    sql_lab.df_to_records = records_as_text


def _labels_with_html(query: Any) -> set[str]:
    """Columns and metrics whose own SQL writes an element."""
    expressions: Iterable[Any] = [*(query.columns or []), *(query.metrics or [])] if query else []
    return {
        str(each.get("label") or each["sqlExpression"]) for each in expressions
        if isinstance(each, dict) and ELEMENT.search(each.get("sqlExpression") or "")
    }  # fmt: skip


def _frame_as_text(frame: Any, kept: set[str]) -> Any:
    # Pivoted rows have names in their head.
    shown = frame.rename(columns=as_text)
    for name, values in shown.items():
        if values.dtype == object and name not in kept:
            shown[name] = values.map(as_text)
    return shown
