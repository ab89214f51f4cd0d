"""The form of Superset's assets in git: without what differs from one Superset to the next.

An export contains every field, and ids that are valid in that Superset only. In git charts are identified by uuid;
where a dashboard needs numeric ids inside, they are numbered within its file.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Asset = dict[str, Any]

# The values that Superset assumes for missing fields.
DATASET_DEFAULTS = {
    "offset": 0,
    "filter_select_enabled": True,
    "normalize_columns": False,
    "always_filter_main_dttm": False,
}
COLUMN_DEFAULTS = {"is_dttm": False, "is_active": True, "groupby": True, "filterable": True}
# State of a viewing session, or ids of one Superset.
CHART_NOISE = {"datasource", "slice_id", "dashboards", "dashboardId", "url_params", "extra_form_data"}
METADATA_NOISE = {
    "import_time", "remote_id", "default_filters", "show_native_filters", "shared_label_colors", "map_label_colors",
    "color_scheme_domain", "filter_scopes",
}  # fmt: skip
# Superset adds it where there are several listeners: see `superset/listeners.py`.
LISTENER_FILTER = "NATIVE_FILTER-listener"
IN_SCOPE = ("chartsInScope", "tabsInScope")
EVERYWHERE = {"rootPath": ["ROOT_ID"], "excluded": []}


def chart_in_git(exported: Asset) -> Asset:
    """A chart in the form for git."""
    chart = _without_empty(exported)
    chart["params"] = {
        name: value for name, value in (exported.get("params") or {}).items() if name not in CHART_NOISE and value != []
    }
    if context := exported.get("query_context"):
        chart["query_context"] = _query_context(json.loads(context))
    return chart


def dataset_in_git(exported: Asset) -> Asset:
    """A dataset in the form for git."""
    dataset = _without_empty(exported, DATASET_DEFAULTS)
    dataset["columns"] = [_without_empty(column, COLUMN_DEFAULTS) for column in exported.get("columns") or []]
    dataset["metrics"] = [_without_empty(metric) for metric in exported.get("metrics") or []]
    return dataset


def dashboard_in_git(exported: Asset, numbers: Mapping[str, int]) -> Asset:
    """A dashboard in the form for git.

    Args:
        exported: the dashboard as exported, or as read from its file.
        numbers: number of each chart by uuid, as in the dashboard's file; other charts get the next free ones.
    """
    board = _without_empty(exported)
    position = copy.deepcopy(exported.get("position") or {})
    assigned, number_of = dict(numbers), {}
    for node in chart_nodes(position):
        uuid = node["meta"]["uuid"]
        assigned.setdefault(uuid, max(assigned.values(), default=0) + 1)
        number_of[node["meta"]["chartId"]] = assigned[uuid]
        node["meta"]["chartId"] = assigned[uuid]
    board["position"] = position
    if metadata := _metadata(exported.get("metadata") or {}, number_of):
        board["metadata"] = metadata
    else:
        board.pop("metadata", None)
    return board


def chart_nodes(position: Asset) -> Iterator[Asset]:
    """The charts in a dashboard's layout."""
    for node in position.values():
        if isinstance(node, dict) and node.get("type") == "CHART" and "uuid" in node.get("meta", {}):
            yield node


def is_equivalent(one: Asset, other: Asset) -> bool:
    """Whether two assets in the form for git mean the same, whatever the order of their columns and metrics.

    A chart's query is not compared: it follows from the chart's settings.
    """
    one, other = ({name: value for name, value in asset.items() if name != "query_context"} for asset in (one, other))
    return bool(_comparable(one) == _comparable(other))


def as_yaml(asset: Asset) -> str:
    """The text of an asset's file."""
    return yaml.dump(asset, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _metadata(metadata: Asset, number_of: Mapping[int, int]) -> Asset:
    filters = metadata.get("native_filter_configuration") or []
    own = {"native_filter_configuration": [each for each in filters if each.get("id") != LISTENER_FILTER]}
    kept = {
        name: value
        for name, value in (metadata | own).items()
        if name not in METADATA_NOISE and value not in ({}, [], None)
    }
    kept = copy.deepcopy(kept)
    for scoped in kept.get("native_filter_configuration", []):
        _renumber_scope(scoped, number_of)
    charts = {}
    for number, chart in kept.pop("chart_configuration", {}).items():
        crossing = chart.get("crossFilters", {})
        _renumber_scope(crossing, number_of)
        # 'global' is also what applies to charts that are not listed.
        if crossing.get("scope", "global") != "global" and int(number) in number_of:
            new = number_of[int(number)]
            charts[str(new)] = chart | {"id": new}
    if charts:
        kept["chart_configuration"] = charts
    if everywhere := kept.pop("global_chart_configuration", None):
        _renumber_scope(everywhere, number_of)
        if everywhere.get("scope", EVERYWHERE) != EVERYWHERE:
            kept["global_chart_configuration"] = everywhere
    if "expanded_slices" in kept:
        expanded = {int(old): value for old, value in kept["expanded_slices"].items()}
        kept["expanded_slices"] = {str(number_of[old]): value for old, value in expanded.items() if old in number_of}
    if "timed_refresh_immune_slices" in kept:
        kept["timed_refresh_immune_slices"] = _renumber(kept["timed_refresh_immune_slices"], number_of)
    return kept


def _renumber_scope(scoped: Asset, number_of: Mapping[int, int]) -> None:
    for name in IN_SCOPE:
        scoped.pop(name, None)
    scope = scoped.get("scope")
    if isinstance(scope, dict) and scope.get("excluded"):
        scope["excluded"] = _renumber(scope["excluded"], number_of)


def _renumber(numbers: list[int], number_of: Mapping[int, int]) -> list[int]:
    return sorted(number_of[number] for number in numbers if number in number_of)


def _query_context(context: Asset) -> str:
    """A chart's query as JSON, without ids of one Superset."""
    kept = {name: value for name, value in context.items() if name != "form_data"}
    kept |= {"datasource": {"id": 0, "type": "table"}, "force": False}
    for query in kept.get("queries", []):
        query.pop("datasource", None)
        query["url_params"] = {}
    return json.dumps(kept, sort_keys=True, ensure_ascii=False)


def _without_empty(asset: Asset, defaults: Mapping[str, object] | None = None) -> Asset:
    defaults = defaults or {}
    return {
        name: value
        for name, value in asset.items()
        if value is not None and value not in ("", [], {}) and not (name in defaults and defaults[name] == value)
    }


def _comparable(value: Any) -> Any:
    """The value without empty parts, with lists of named objects sorted by name."""
    if isinstance(value, dict):
        compared = {name: _comparable(below) for name, below in value.items()}
        return {name: below for name, below in compared.items() if below not in (None, "", [], {})}
    if isinstance(value, list):
        for name in ("column_name", "metric_name"):
            if value and all(isinstance(item, dict) and name in item for item in value):
                return sorted((_comparable(item) for item in value), key=lambda item: str(item[name]))
        return [_comparable(item) for item in value]
    return value.strip() if isinstance(value, str) else value


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)
