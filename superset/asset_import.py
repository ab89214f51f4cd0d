"""Imports the assets of a folder into Superset, all or nothing, and deletes those that the folder no longer has.

Imported by `bootstrap.py` once the application exists. Our assets are recognised by their `external_url`; those that
users made have none and are not touched.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from asset_files import AssetError, links_of
from flask import g
from marshmallow import ValidationError
from sqlalchemy.engine import make_url
from superset import db
from superset.commands.exceptions import CommandException
from superset.commands.importers.v1.assets import ImportAssetsCommand
from superset.connectors.sqla.models import SqlaTable
from superset.models.core import Database
from superset.models.dashboard import Dashboard
from superset.models.slice import Slice

# In the order of deletion: users of an asset before the asset.
KINDS = {"dashboards": Dashboard, "charts": Slice, "datasets": SqlaTable, "databases": Database}
OURS = "lakehouse:"
MASK = "XXXXXXXXXX"
# Trino accepts passwords over TLS only; its driver does not infer that from the URI.
TLS = {"http_scheme": "https"}


def import_assets(assets: dict[str, dict[str, Any]], trino_uri: str, user: object) -> dict[str, int]:
    """Import every asset file; assets in Superset with the same uuid are overwritten.

    Args:
        assets: by their path in the folder of the assets.
        trino_uri: of the assets' database; Superset stores the password encrypted.
        user: owner of the imported assets.

    Returns:
        How many of each kind were imported.

    Raises:
        AssetError: names file, field and reason.
    """
    g.user = user
    uri = make_url(trino_uri)
    passwords = {}
    for name, asset in assets.items():
        if name.startswith("databases/"):
            asset["sqlalchemy_uri"] = trino_uri
            if uri.password:
                passwords[name] = uri.password
                asset["sqlalchemy_uri"] = uri.set(password=MASK).render_as_string(hide_password=False)
                asset["extra"] = {**asset["extra"], "engine_params": {"connect_args": TLS}}
        if name != "metadata.yaml":
            asset["external_url"] = OURS + name
    contents = {name: yaml.safe_dump(asset, sort_keys=False) for name, asset in assets.items()}
    with _all_or_nothing():
        try:
            ImportAssetsCommand(contents, passwords=passwords).run()
        except Exception as error:
            raise AssetError(f"the assets were not imported: {_reason(error)}") from error
        _delete_gone(assets)
        db.session.flush()
        counts = _counts(assets)
    return counts


def database_of(assets: dict[str, dict[str, Any]]) -> Database:
    """The database of the imported assets."""
    [asset] = [asset for name, asset in assets.items() if name.startswith("databases/")]
    return db.session.query(Database).filter_by(uuid=asset["uuid"]).one()


@contextmanager
def _all_or_nothing() -> Iterator[None]:
    """One transaction around code that commits in between, as Superset does when it adds permissions."""
    db.session.commit()
    db.session.commit = db.session.flush
    g.in_transaction = True
    try:
        yield
    except BaseException:
        db.session.rollback()
        raise
    finally:
        g.in_transaction = False
        del db.session.commit
    db.session.commit()


def _delete_gone(assets: dict[str, dict[str, Any]]) -> None:
    """Delete assets of earlier imports that no file has any more."""
    for kind, model in KINDS.items():
        wanted = {asset["uuid"] for name, asset in assets.items() if name.startswith(f"{kind}/")}
        for found in db.session.query(model).filter(model.external_url.startswith(OURS)):
            if str(found.uuid) in wanted:
                continue
            # A user's own chart may show a dataset that is no longer among the files.
            if (
                kind == "datasets"
                and db.session.query(Slice).filter_by(datasource_id=found.id, datasource_type="table").count()
            ):
                found.external_url = None
                continue
            db.session.delete(found)
        db.session.flush()


def _counts(assets: dict[str, dict[str, Any]]) -> dict[str, int]:
    """How many of each kind are in Superset under the assets' uuids.

    Raises:
        AssetError: an asset is missing, or a dashboard has other charts than its file.
    """
    counts = {}
    for kind, model in KINDS.items():
        wanted = {asset["uuid"]: name for name, asset in assets.items() if name.startswith(f"{kind}/")}
        found = {str(row.uuid): row for row in db.session.query(model).filter(model.external_url.startswith(OURS))}
        if missing := sorted(wanted[uuid] for uuid in wanted.keys() - found.keys()):
            raise AssetError(f"Superset does not have {', '.join(missing)} after the import")
        counts[kind] = len(wanted)
        if kind == "dashboards":
            for uuid, name in wanted.items():
                charts = {link for _, field, link in links_of(name, assets[name]) if field.startswith("position.")}
                if charts != {str(chart.uuid) for chart in found[uuid].slices}:
                    raise AssetError(f"{name}: Superset has {len(found[uuid].slices)} of its {len(charts)} charts")
    return counts


def _reason(error: BaseException) -> str:
    """File, field and reason, which Superset hides in the cause and in nested messages."""
    while not isinstance(error, (ValidationError, CommandException)) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, CommandException):
        messages = getattr(error, "normalized_messages", None)
        found = messages() if messages else None
        if not found and error.__cause__ is not None:
            return _reason(error.__cause__)
        return "; ".join(_flat(found)) if found else str(error)
    if isinstance(error, ValidationError):
        return "; ".join(_flat(error.messages))
    return f"{type(error).__name__}: {error}"


def _flat(messages: Any, path: str = "") -> Iterator[str]:
    """The leaves of nested messages as 'file: field: reason'."""
    if isinstance(messages, dict):
        for key, below in messages.items():
            yield from _flat(below, f"{path}{': ' if path else ''}{key}")
    elif isinstance(messages, list):
        for below in messages:
            yield from _flat(below, path)
    else:
        yield f"{path}: {messages}"
