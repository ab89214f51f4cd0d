"""Reads the assets of a folder and checks them for broken links. Needs no Superset."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KINDS = ("dashboards", "charts", "datasets", "databases")
# Each chart's query, by uuid, so that its cache can be warmed without a browser. Made by `make query-contexts`.
QUERIES = "query_contexts.json"


class AssetError(Exception):
    """The assets cannot be imported; nothing was changed."""


def read_assets(folder: Path) -> dict[str, dict[str, Any]]:
    """The assets by their path below the folder.

    Raises:
        AssetError: there are none, or a file is not YAML with fields.
    """
    assets: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        try:
            asset = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise AssetError(f"{name} is not YAML: {error}") from error
        if not isinstance(asset, dict):
            raise AssetError(f"{name} holds no fields")
        assets[name] = asset
    if "metadata.yaml" not in assets:
        raise AssetError(f"there is no metadata.yaml in {folder}")
    _add_queries(folder / QUERIES, assets)
    return assets


def _add_queries(path: Path, assets: dict[str, dict[str, Any]]) -> None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise AssetError(f"{path.name} is not JSON: {error}") from error
    frame = {"datasource": {"id": 0, "type": "table"}, "force": False, "result_format": "json", "result_type": "full"}
    for name, asset in assets.items():
        # A chart that was saved in Superset has its own.
        if name.startswith("charts/") and "query_context" not in asset and asset.get("uuid") in kept:
            asset["query_context"] = json.dumps({**frame, "queries": kept[asset["uuid"]]["queries"]})


def check_links(assets: dict[str, dict[str, Any]]) -> None:
    """Check all uuids: Superset silently skips references to unknown ones.

    Raises:
        AssetError: a file has no uuid or the same as another file, or refers to one that no file has.
    """
    known: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for name, asset in assets.items():
        kind = name.split("/")[0]
        if kind not in KINDS:
            continue
        uuid = asset.get("uuid")
        if not isinstance(uuid, str):
            raise AssetError(f"{name}: uuid: missing")
        if uuid in known[kind]:
            raise AssetError(f"{name}: uuid: {known[kind][uuid]} has the same")
        known[kind][uuid] = name
    for name, asset in assets.items():
        for kind, field, uuid in links_of(name, asset):
            if uuid not in known[kind]:
                raise AssetError(f"{name}: {field}: {uuid} is in none of the {kind}")


def links_of(name: str, asset: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """The references of an asset: kind, field and uuid."""
    kind = name.split("/")[0]
    if kind == "datasets":
        yield "databases", "database_uuid", asset.get("database_uuid")
    if kind == "charts":
        yield "datasets", "dataset_uuid", asset.get("dataset_uuid")
    if kind == "dashboards":
        for key, node in (asset.get("position") or {}).items():
            if isinstance(node, dict) and node.get("type") == "CHART":
                yield "charts", f"position.{key}.meta.uuid", (node.get("meta") or {}).get("uuid")
        for item in (asset.get("metadata") or {}).get("native_filter_configuration") or []:
            for target in item.get("targets") or []:
                if "datasetUuid" in target:
                    yield "datasets", f"native filter {item.get('name')}", target["datasetUuid"]
