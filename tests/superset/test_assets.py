"""Dashboards, charts and datasets fit together and show only what the contracts promise. Needs no server."""

import re
from typing import Any
from uuid import UUID

import pytest
import sqlglot
from sqlglot import exp
from sqlglot.optimizer.qualify import qualify

from pipeline.documents.superset_datasets import DATABASE_UUID, main_time_column, metrics, shown_tables, verbose_name
from pipeline.registry import all_tables
from silver.rules.feature_source import FEATURE_SOURCES, MOODS
from tests.stack.query_contexts import digest, kept
from tests.stack.test_documents import known_tables
from tests.superset.bundle import ASSETS, Chart, Dashboard, Dataset, charts, columns_in, dashboards, datasets, load

HOME = "daily-overview"
SLUGS = [HOME, "data-health", "deep-insights", "model-performance", "mood-analysis", "recommendations"]
FILTERED_BY_TIME_OR_SOURCE = (
    "listening_with_features", "temporal_trends", "mood_predictions", "mood_classifications", "energy_forecasts",
)  # fmt: skip
YAML_FILES = sorted(ASSETS.rglob("*.yaml"))
every_chart = pytest.mark.parametrize("chart", charts().values(), ids=str)
every_dashboard = pytest.mark.parametrize("dashboard", dashboards().values(), ids=str)


def test_there_are_six_dashboards() -> None:
    assert sorted(dashboards()) == SLUGS


def test_no_uuid_is_used_twice_and_each_is_one() -> None:
    own = [load(path).get("uuid") for path in YAML_FILES if path.name != "metadata.yaml"]
    assert len({UUID(uuid) for uuid in own}) == len(own)


def test_links_resolve() -> None:
    for path in YAML_FILES:
        loaded = load(path)
        assert loaded.get("database_uuid", str(DATABASE_UUID)) == str(DATABASE_UUID), path
        assert loaded.get("dataset_uuid") in (None, *datasets()), path
    for dashboard in dashboards().values():
        linked = {node["meta"]["uuid"] for node in dashboard.nodes if node["type"] == "CHART"}
        assert linked <= set(charts()), dashboard
        targets = {target.get("datasetUuid") for each in dashboard.filters for target in each["targets"]}
        assert targets - {None} <= set(datasets()), dashboard


def test_every_chart_is_on_a_dashboard() -> None:
    shown = {chart.uuid for dashboard in dashboards().values() for chart in dashboard.charts}
    assert [str(chart) for uuid, chart in charts().items() if uuid not in shown] == []


def test_every_gold_table_and_ops_table_is_on_a_chart() -> None:
    shown = {table for chart in charts().values() for table in tables_behind(chart.dataset)}
    assert {table.name for table in all_tables().values() if table.layer in ("gold", "ops")} - shown == set()


def test_a_dataset_has_its_tables_name_and_columns() -> None:
    by_name = {dataset.table_name: dataset for dataset in datasets().values() if not dataset.sql}
    assert set(by_name) == {table.name for table in shown_tables()}
    for table in shown_tables():
        dataset = by_name[table.name]
        assert dataset.schema == table.trino_schema
        assert dataset.columns == tuple(column.name for column in table.columns)
        for expression in dataset.metrics.values():
            assert columns_in(expression) <= set(dataset.columns)


@pytest.mark.parametrize("dataset", [d for d in datasets().values() if d.sql], ids=lambda d: d.table_name)
def test_a_virtual_dataset_reads_only_what_the_contracts_promise(dataset: Dataset) -> None:
    statement = qualify(sqlglot.parse_one(dataset.sql, dialect="trino"), schema={"delta": known_tables()})
    assert isinstance(statement, exp.Query)
    assert tuple(statement.named_selects) == dataset.columns
    assert tables_behind(dataset) <= set(all_tables())


@every_chart
def test_a_chart_uses_only_what_its_dataset_has(chart: Chart) -> None:
    assert chart.used_columns() <= set(chart.dataset.columns)
    assert chart.used_metrics() <= set(chart.dataset.metrics)


@every_chart
def test_formats_and_colours_are_for_columns_that_the_chart_shows(chart: Chart) -> None:
    formatted = set(chart.params.get("column_config", {}))
    coloured = {rule["column"] for rule in chart.params.get("conditional_formatting", []) if "column" in rule}
    assert formatted | coloured <= chart.output_labels


@every_chart
def test_a_chart_says_what_is_seen(chart: Chart) -> None:
    loaded = load(chart.path)
    assert loaded["viz_type"] == chart.params["viz_type"]
    assert loaded.get("description") or chart.params.get("subtitle")
    assert len(chart.title) <= 60, "longer titles are cut off"


@every_chart
def test_what_a_chart_asks_is_kept_for_its_settings_of_today(chart: Chart) -> None:
    assert kept()[chart.uuid]["params"] == digest(chart), "run `make query-contexts`"


@every_dashboard
def test_the_layout_is_a_tree_within_the_grid(dashboard: Dashboard) -> None:
    for node in dashboard.nodes:
        for child in node.get("children", []):
            assert dashboard.position[child]["parents"][-1] == node["id"]
        if node["type"] == "ROW":
            assert sum(dashboard.position[child]["meta"]["width"] for child in node["children"]) <= 12
    reached = {child for node in dashboard.nodes for child in node.get("children", [])}
    assert {node["id"] for node in dashboard.nodes} - reached == {"ROOT_ID", "HEADER_ID"}
    numbers = [node["meta"]["chartId"] for node in dashboard.nodes if node["type"] == "CHART"]
    assert len(set(numbers)) == len(numbers), "the importer tells charts apart by chartId"


@every_dashboard
def test_a_charts_name_in_the_layout_is_its_title(dashboard: Dashboard) -> None:
    for node in dashboard.nodes:
        if node["type"] == "CHART":
            assert node["meta"]["sliceName"] == charts()[node["meta"]["uuid"]].title


@every_dashboard
def test_a_filter_reaches_exactly_the_charts_that_can_follow_it(dashboard: Dashboard) -> None:
    for native_filter in dashboard.filters:
        places = native_filter["scope"]["rootPath"]
        assert set(places) <= set(dashboard.position), native_filter["id"]
        reached = dashboard.in_scope(native_filter)
        assert reached, native_filter["id"]
        for chart in reached:
            if native_filter["filterType"] == "filter_time":
                assert chart.follows_time, f"{chart} has no date range to fill in"
            else:
                [target] = native_filter["targets"]
                assert target["column"]["name"] in datasets()[target["datasetUuid"]].columns
                assert target["column"]["name"] in chart.dataset.columns, f"{chart} would silently ignore it"


@every_dashboard
def test_charts_under_a_date_or_source_filter_rest_on_single_plays_or_dates_all_others_say_all_time(
    dashboard: Dashboard,
) -> None:
    by_time_or_source = [each for each in dashboard.filters if each["id"].endswith(("-date", "-feature_source"))]
    reached = {chart.uuid for native_filter in by_time_or_source for chart in dashboard.in_scope(native_filter)}
    for chart in dashboard.charts:
        if chart.uuid in reached:
            assert chart.dataset.table_name in FILTERED_BY_TIME_OR_SOURCE, chart
            assert "all time" not in chart.title, chart
        elif by_time_or_source:
            assert "all time" in chart.title, chart


@every_dashboard
def test_a_chart_that_follows_only_the_date_range_says_so(dashboard: Dashboard) -> None:
    date, *others = dashboard.filters or [{"id": ""}]
    if not date["id"].endswith("-date"):
        return
    by_others = {chart.uuid for each in others for chart in dashboard.in_scope(each)}
    for chart in dashboard.in_scope(date):
        assert ("date range only" in chart.title) == (chart.uuid not in by_others), chart


def test_a_mood_and_a_source_have_one_colour_on_every_dashboard() -> None:
    palettes = [dashboard.metadata["label_colors"] for dashboard in dashboards().values()]
    assert all(palette == palettes[0] for palette in palettes)
    assert {*MOODS, *(f"→ {mood}" for mood in MOODS), *FEATURE_SOURCES} <= set(palettes[0])
    for mood in MOODS:
        assert palettes[0][mood] == palettes[0][f"→ {mood}"]
    assert len({palettes[0][name] for name in (*MOODS, *FEATURE_SOURCES)}) == len(MOODS) + len(FEATURE_SOURCES)


@every_dashboard
def test_clicks_filter_the_dashboard_and_it_says_on_what_it_rests(dashboard: Dashboard) -> None:
    assert dashboard.metadata["cross_filters_enabled"] is True
    shown = {str(chart) for chart in dashboard.charts}
    assert {"shared/what_charts_rest_on", "shared/coverage"} <= shown
    assert any(node["type"] == "MARKDOWN" for node in dashboard.nodes)


def test_no_address_holds_a_password() -> None:
    [database] = (ASSETS / "databases").glob("*.yaml")
    address = load(database)["sqlalchemy_uri"]
    assert address == "trino://superset@trino:8080/delta/default"
    for path in YAML_FILES:
        assert not re.search(r"://[^/\s]*:[^/\s]*@", path.read_text()), path


def test_a_dataset_shows_words_units_and_the_local_date() -> None:
    silver = all_tables()["listening_with_features"]
    named = {column.name: verbose_name(column) for column in silver.columns}
    assert (named["tempo"], named["duration_ms"], named["date"]) == ("Tempo (BPM)", "Duration (ms)", "Date")
    assert main_time_column(silver) == "date"
    assert main_time_column(all_tables()["feature_correlations"]) is None
    shown: Any = metrics(silver)
    assert shown["count"] == ("COUNT(*)", "Plays")
    assert shown["avg__valence"][0] == 'AVG("valence")'
    assert shown["sum__ms_played"][0] == 'SUM("ms_played")'
    assert "avg__key" not in shown


def tables_behind(dataset: Dataset) -> set[str]:
    """The tables that a dataset reads."""
    if not dataset.sql:
        return {dataset.table_name}
    return {table.name for table in sqlglot.parse_one(dataset.sql, dialect="trino").find_all(exp.Table) if table.db}
