"""Roles and users of Superset. Imported by `bootstrap.py` once the application exists.

| role | may |
|---|---|
| Admin | everything |
| Analyst | view and create charts and dashboards on the lake, and write SQL in SQL Lab |
| Reader | view dashboards, nothing else; read the datasets that published ones show |
| Pipeline | invalidate cached rows and warm charts up again; the user `pipeline` has this role |
| Listener | view dashboards and export what they show; read rows of '*' in our datasets with the column `listener` |
| Listener NAME | read NAME's rows there, too; made by `lakehouse listeners invite` |

A rule of row-level security for each of the last two kinds of role limits what a listener's account reads. Rules of a
group are joined by OR: an account without the second role, or a second rule that misses a dataset, sees less, not more.
"""

import json
from collections.abc import Iterable
from typing import Any

from superset import appbuilder, db, security_manager
from superset.connectors.sqla.models import RowLevelSecurityFilter, SqlaTable
from superset.models.dashboard import Dashboard

# What a restore gives a user who was not there before.
NO_PASSWORD = "!"  # noqa: S105
READER = {
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_dashboard", "Superset"),
    ("can_dashboard_permalink", "Superset"),
    ("can_log", "Superset"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_time_range", "Api"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "Theme"),
    ("can_read", "CssTemplate"),
    ("can_read", "SecurityRestApi"),
    ("menu_access", "Dashboards"),
}
LISTENER = READER | {
    ("can_csv", "Superset"),
    ("can_drill", "Dashboard"),
    ("can_get_drill_info", "Dataset"),
    ("can_samples", "Datasource"),
    ("can_view_chart_as_table", "Dashboard"),
}
PIPELINE = {
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_warm_up_cache", "Chart"),
    ("can_invalidate", "CacheRestApi"),
    ("can_read", "SecurityRestApi"),
}
# Whose row it is, in every dataset that a listener's account may read.
COLUMN = "listener"
# Of the rules of listeners' roles.
GROUP = "listener"
RULE_FOR_ALL = "Listener"
CLAUSE_FOR_ALL = "listener = '*'"


def make_built_in_roles() -> None:
    """Create Superset's own permissions and roles, as `superset init` does."""
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def make_admin(password: str) -> None:
    """Create the user `admin` where missing; a password that was changed in Superset stays."""
    user = security_manager.find_user("admin")
    if user is None:
        _add_user("admin", "Admin", password)
    elif user.password == NO_PASSWORD:
        security_manager.reset_password(user.id, password)
        user.roles = [security_manager.find_role("Admin")]
        db.session.commit()


def make_pipeline(password: str) -> None:
    """Create or update the technical user `pipeline`; its password always follows the secret."""
    user = security_manager.find_user("pipeline")
    if user is None:
        _add_user("pipeline", "Pipeline", password)
    else:
        security_manager.reset_password(user.id, password)


def make_own_roles(database: Any, ours: str) -> None:
    """Create or renew our roles, their rules and who may open which dashboard, as the imported assets ask for it.

    Args:
        database: the lake, as Superset knows it.
        ours: how the `external_url` of an asset of ours begins.
    """
    built_in = {
        (permission.permission.name, permission.view_menu.name)
        for role in ("Gamma", "sql_lab")
        for permission in security_manager.find_role(role).permissions
    }
    boards = db.session.query(Dashboard).all()
    shown = {
        dataset
        for board in boards
        if board.published
        for dataset in _shown_by(board)
        if dataset.database_id == database.id
    }
    datasets = db.session.query(SqlaTable).filter(SqlaTable.external_url.startswith(ours)).all()
    of_listeners = [dataset for dataset in datasets if COLUMN in dataset.column_names]
    # By schema, so that a dataset that somebody saves is refreshed from the next run on.
    default_schema = {("schema_access", dataset.schema_perm) for dataset in datasets if dataset.schema == "default"}
    _make_role("Reader", READER | _access_to(shown))
    _make_role("Analyst", built_in | {("database_access", database.perm)})
    _make_role("Pipeline", PIPELINE | default_schema | _access_to(shown))
    _make_role("Listener", LISTENER | _access_to(of_listeners))
    _make_rules(of_listeners)
    everybody_else = [security_manager.find_role(name) for name in ("Reader", "Analyst", "Pipeline")]
    for board in boards:
        is_ours = (board.external_url or "").startswith(ours)
        if is_ours and not board.roles and not _shown_by(board) <= set(of_listeners):
            board.roles = everybody_else
    db.session.commit()


def _shown_by(board: Any) -> set[Any]:
    """The datasets of a dashboard's charts and filters."""
    filters = json.loads(board.json_metadata or "{}").get("native_filter_configuration") or []
    targets = {target.get("datasetId") for each in filters for target in each.get("targets") or []}
    return board.datasources | set(db.session.query(SqlaTable).filter(SqlaTable.id.in_(targets - {None})))


def _access_to(datasets: Iterable[Any]) -> set[tuple[str, str]]:
    return {("datasource_access", dataset.perm) for dataset in datasets}


def _make_role(name: str, wanted: set[tuple[str, str]]) -> None:
    role = security_manager.add_role(name)
    # Looked up, not created: a permission that a later Superset has renamed must be an error.
    found = {pair: security_manager.find_permission_view_menu(*pair) for pair in wanted}
    unknown = sorted(f"{permission} on {view}" for (permission, view), known in found.items() if known is None)
    if unknown:
        raise SystemExit(f"superset: role {name} names permissions that this Superset does not have: {unknown}")
    role.permissions = list(found.values())


def _make_rules(datasets: list[Any]) -> None:
    """Let the rules of listeners' roles hold for these datasets."""
    rules = db.session.query(RowLevelSecurityFilter)
    rule = rules.filter_by(name=RULE_FOR_ALL).one_or_none() or RowLevelSecurityFilter(name=RULE_FOR_ALL)
    rule.filter_type, rule.group_key, rule.clause = "Regular", GROUP, CLAUSE_FOR_ALL
    rule.roles = [security_manager.find_role("Listener")]
    db.session.add(rule)
    db.session.flush()
    for each in rules.filter_by(group_key=GROUP):
        each.tables = datasets


def _add_user(name: str, role: str, password: str) -> None:
    added = security_manager.add_user(
        name, name.capitalize(), "Lakehouse", f"{name}@localhost", security_manager.find_role(role), password=password
    )
    if not added:
        raise SystemExit(f"superset: the user {name} could not be created")
