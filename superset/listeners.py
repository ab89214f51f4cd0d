"""Keeps listeners apart in Superset: what SQL charts may bring, as whom Trino is asked, a filter on every dashboard."""

import json
import logging
import os
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import URL

log = logging.getLogger(__name__)
COLUMN = "listener"
# What a listener's account has, and how the name of its own role begins; see `accounts.py`.
ROLE = "Listener"
# As `trino/rules.json` names the users who get one listener's rows.
TRINO_USER = "listener_"
# A small dataset with rows of each listener.
DATASET = "lakehouse:datasets/trino/feature_source_coverage.yaml"
FILTER_ID = "NATIVE_FILTER-listener"


def ask_trino_as_listener(
    uri: URL, params: dict[str, Any], username: str | None, security_manager: Any, source: object
) -> tuple[URL, dict[str, Any]]:
    """Ask Trino for a listener's account as that listener, so that Trino refuses other rows, whatever the SQL says.

    It is Superset's DB_CONNECTION_MUTATOR.
    """
    listener = _listener_of_account(security_manager)
    if listener is not None and uri.get_backend_name() == "trino":
        params = params | {"connect_args": params.get("connect_args", {}) | {"user": TRINO_USER + listener}}
    return uri, params


def refuse_tables_in_expressions() -> None:
    """Work around a bug of Superset 6.1: an expression of a chart may end its SELECT and begin another one.

    `x FROM any_table UNION SELECT x` reads that table without its rules; Superset looks for inner SELECTs only.
    """
    from sqlglot import exp
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException
    from superset.models import helpers
    from superset.sql.parse import SQLStatement

    validate = helpers.validate_adhoc_subquery

    def validate_strictly(sql: str, database: Any, catalog: str | None, schema: str, engine: str) -> str:
        if SQLStatement(sql, engine)._parsed.find(exp.From, exp.SetOperation):
            kind = SupersetErrorType.ADHOC_SUBQUERY_NOT_ALLOWED_ERROR
            raise SupersetSecurityException(SupersetError("Custom SQL cannot name tables.", kind, ErrorLevel.ERROR))
        return validate(sql, database, catalog, schema, engine)

    helpers.validate_adhoc_subquery = validate_strictly


@dataclass(frozen=True)
class Choice:
    """Between several listeners, whose rows the user sees.

    Attributes:
        offered_by: number of the dataset that lists them.
        first: the one whom dashboards show first.
        datasets: numbers of the datasets that have the column.
    """

    offered_by: int
    first: str
    datasets: frozenset[str]

    @property
    def filters(self) -> list[dict[str, Any]]:
        """As a chart asks for the first listener's rows."""
        return [{"col": COLUMN, "op": "IN", "val": [self.first]}]


def offer_filter(response: Any) -> Any:
    """Let the filters of a dashboard begin with the listener, for users who see rows of several.

    Args:
        response: the answer to any request.
    """
    from flask import request

    if request.endpoint != "DashboardRestApi.get" or not response.is_json:
        return response
    answer = response.get_json()
    board = answer.get("result") or {}
    if {"id", "json_metadata"} <= board.keys():
        metadata = json.loads(board["json_metadata"] or "{}")
        # Whoever edits a dashboard saves it with this filter.
        others = [each for each in metadata.get("native_filter_configuration") or [] if each["id"] != FILTER_ID]
        metadata["native_filter_configuration"] = [*_filters(board["id"]), *others]
        board["json_metadata"] = json.dumps(metadata)
        response.set_data(json.dumps(answer))
    return response


def show_one_listener_at_a_time() -> None:
    """Let a dashboard's charts show the first listener while none is chosen: Superset's *Clear all* clears any filter.

    Most tables hold figures of one listener that do not add up. A listener's account has no rows but those of datasets:
    Superset has no rules for what somebody wrote in SQL Lab, and one cache for all.
    """
    from superset import security_manager
    from superset.common.query_context_factory import QueryContextFactory
    from superset.errors import ErrorLevel, SupersetError, SupersetErrorType
    from superset.exceptions import SupersetSecurityException

    create = QueryContextFactory.create

    def create_for_one(self: Any, *, datasource: Any, queries: Any, form_data: Any = None, **others: Any) -> Any:
        if datasource["type"] != "table" and _listener_of_account(security_manager) is not None:
            kind = SupersetErrorType.DATASOURCE_SECURITY_ACCESS_ERROR
            raise SupersetSecurityException(SupersetError("This account reads datasets alone.", kind, ErrorLevel.ERROR))
        form = form_data or {}
        asked = [each.get("col") for query in queries for each in query.get("filters") or []]
        if form.get("dashboardId") and form.get("type") != "NATIVE_FILTER" and COLUMN not in asked:
            choice = _choice()
            if choice and datasource["type"] == "table" and str(datasource["id"]) in choice.datasets:
                queries = [{**query, "filters": choice.filters + (query.get("filters") or [])} for query in queries]
        return create(self, datasource=datasource, queries=queries, form_data=form_data, **others)

    QueryContextFactory.create = create_for_one


def _listener_of_account(security_manager: Any) -> str | None:
    """Whose account is logged in: '' where its own role is missing, None where it is no listener's."""
    from flask import g

    names = {role.name for role in security_manager.get_user_roles()} if getattr(g, "user", None) else set()
    listeners = sorted(name.removeprefix(ROLE).strip() for name in names if f"{name} ".startswith(f"{ROLE} "))
    return listeners[-1] if listeners else None


def _filters(board_id: int) -> list[dict[str, Any]]:
    """The filter, where there is a choice and a chart that follows it."""
    from superset.extensions import db
    from superset.models.dashboard import Dashboard

    choice = _choice()
    charts = db.session.query(Dashboard).filter_by(id=board_id).one().slices if choice else []
    excluded = [chart.id for chart in charts if str(chart.datasource_id) not in choice.datasets]
    if len(excluded) == len(charts):
        return []
    return [
        {
            "id": FILTER_ID,
            "type": "NATIVE_FILTER",
            "filterType": "filter_select",
            "name": "Listener",
            "targets": [{"datasetId": choice.offered_by, "column": {"name": COLUMN}}],
            "scope": {"rootPath": ["ROOT_ID"], "excluded": excluded},
            "cascadeParentIds": [],
            "controlValues": {
                "multiSelect": False, "enableEmptyFilter": True, "defaultToFirstItem": False,
                "searchAllOptions": False, "inverseSelection": False, "sortAscending": True,
            },
            "defaultDataMask": {
                "extraFormData": {"filters": choice.filters},
                "filterState": {"value": [choice.first], "label": choice.first},
                "ownState": {},
            },
        }
    ]  # fmt: skip


def _choice() -> Choice | None:
    from superset.connectors.sqla.models import SqlaTable, TableColumn
    from superset.extensions import db

    listing = db.session.query(SqlaTable).filter_by(external_url=DATASET).one_or_none()
    listeners = _listeners(listing.id) if listing else []
    if len(listeners) < 2:
        return None
    own = os.environ.get("LISTENER")
    with_column = db.session.query(SqlaTable.id).filter(
        SqlaTable.database_id == listing.database_id, SqlaTable.columns.any(TableColumn.column_name == COLUMN)
    )
    return Choice(
        listing.id, own if own in listeners else listeners[0], frozenset(str(number) for (number,) in with_column)
    )


def _listeners(dataset_id: int) -> list[str]:
    """Whose rows the user sees; from the cache that each run invalidates."""
    from superset.charts.schemas import ChartDataQueryContextSchema
    from superset.commands.chart.data.get_data_command import ChartDataCommand
    from superset.exceptions import SupersetException
    from superset.extensions import db

    asked = {
        "datasource": {"id": dataset_id, "type": "table"}, "queries": [{"columns": [COLUMN], "metrics": []}],
        "result_format": "json", "result_type": "full",
    }  # fmt: skip
    try:
        [found] = ChartDataCommand(ChartDataQueryContextSchema().load(asked)).run()["queries"]
        # Otherwise Superset forgets under which key it cached the answer, and no run invalidates it.
        db.session.commit()
    except SupersetException as error:
        # The charts fail likewise, and say so.
        log.warning("listeners are not known: %s", error)
        return []
    return sorted({row[COLUMN] for row in found["data"]} - {"*"})
