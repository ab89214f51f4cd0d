"""Roles and users of Superset. Imported by `bootstrap.py` once the application exists.

| role | may |
|---|---|
| Admin | everything |
| Analyst | view and create charts and dashboards on the lake, and write SQL in SQL Lab |
| Reader | view dashboards, nothing else |
| Pipeline | invalidate cached rows and warm charts up again; the user `pipeline` has this role |
"""

from superset import appbuilder, db, security_manager

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
PIPELINE = {
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_warm_up_cache", "Chart"),
    ("can_invalidate", "CacheRestApi"),
    ("can_read", "SecurityRestApi"),
}


def make_built_in_roles() -> None:
    """Create Superset's own permissions and roles, as `superset init` does."""
    appbuilder.add_permissions(update_perms=True)
    security_manager.sync_role_definitions()


def make_admin(password: str) -> None:
    """Create the user `admin` where missing; a password that was changed in Superset stays."""
    if not security_manager.find_user("admin"):
        _add_user("admin", "Admin", password)


def make_pipeline(password: str) -> None:
    """Create or update the technical user `pipeline`; its password always follows the secret."""
    user = security_manager.find_user("pipeline")
    if user is None:
        _add_user("pipeline", "Pipeline", password)
    else:
        security_manager.reset_password(user.id, password)


def make_own_roles(database: object) -> None:
    """Create Reader, Analyst and Pipeline, each with access to the lake's rows and to no other database."""
    rows = ("database_access", database.perm)
    built_in = {
        (permission.permission.name, permission.view_menu.name)
        for role in ("Gamma", "sql_lab")
        for permission in security_manager.find_role(role).permissions
    }
    for name, wanted in (("Reader", READER), ("Analyst", built_in), ("Pipeline", PIPELINE)):
        role = security_manager.add_role(name)
        # Looked up, not created: a permission that a later Superset has renamed must be an error.
        found = {pair: security_manager.find_permission_view_menu(*pair) for pair in wanted | {rows}}
        unknown = sorted(f"{permission} on {view}" for (permission, view), known in found.items() if known is None)
        if unknown:
            raise SystemExit(f"superset: role {name} names permissions that this Superset does not have: {unknown}")
        role.permissions = list(found.values())
    db.session.commit()


def _add_user(name: str, role: str, password: str) -> None:
    added = security_manager.add_user(
        name, name.capitalize(), "Lakehouse", f"{name}@localhost", security_manager.find_role(role), password=password
    )
    if not added:
        raise SystemExit(f"superset: the user {name} could not be created")
