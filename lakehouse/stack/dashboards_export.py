"""Exports dashboards that were created or changed in Superset to the files in git."""

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from lakehouse.errors import LakehouseError, UsageError, one_line
from lakehouse.settings import Settings
from lakehouse.stack.asset_form import (
    Asset,
    as_yaml,
    chart_in_git,
    chart_nodes,
    dashboard_in_git,
    dataset_in_git,
    is_equivalent,
)
from lakehouse.stack.secret_files import read_secret
from lakehouse.stack.superset_api import SupersetApi

# Datasets of tables are generated from the contracts; only virtual ones, with SQL of their own, are exported.
WITH_SQL = "datasets/virtual"


@dataclass
class ExportSummary:
    """The outcome of an export.

    Attributes:
        written: new or changed files, relative to the folder of the assets.
        unchanged: number of assets whose files have the same meaning already.
        left_out: what cannot be exported, with the reason.
    """

    written: list[str] = field(default_factory=list)
    unchanged: int = 0
    left_out: list[str] = field(default_factory=list)


def export(settings: Settings, folder: Path, names: Iterable[str] = ()) -> ExportSummary:
    """Write dashboards with their charts and datasets as files; files with the same meaning are left as they are.

    Args:
        settings: where Superset is, and the secret of its user `admin`.
        folder: the folder of the assets.
        names: slugs or titles of dashboards; () means every published one.

    Raises:
        UsageError: there is no such dashboard, or the folder contains no assets.
        LakehouseError: Superset does not answer.
    """
    if not (folder / "metadata.yaml").is_file():
        raise UsageError(f"{folder} holds no assets of Superset: run this in the repository's folder")
    api = SupersetApi(settings, "admin", read_secret(settings.secrets_dir, "superset_admin_password"))
    found = _unpack(api.call("GET", "/api/v1/assets/export/").content)
    assets = _Export(folder, found)
    for board in _choose(found["dashboards"].values(), list(names)):
        assets.add_dashboard(board)
    return assets.summary


class _Export:
    def __init__(self, folder: Path, found: dict[str, dict[str, Asset]]) -> None:
        self.summary = ExportSummary()
        self._folder = folder
        self._found = found
        self._files = {path.relative_to(folder).as_posix(): _read(path) for path in sorted(folder.rglob("*.yaml"))}
        self._name_of = {asset["uuid"]: name for name, asset in self._files.items() if "uuid" in asset}

    def add_dashboard(self, board: Asset) -> None:
        stem = Path(self._name_of.get(board["uuid"], "")).stem or _file_name(
            board.get("slug") or board["dashboard_title"]
        )
        for node in list(chart_nodes(board.get("position") or {})):
            chart = self._found["charts"].get(node["meta"]["uuid"])
            if chart is None or not self._add_chart(chart, stem):
                name = node["meta"].get("sliceName")
                self.summary.left_out.append(f"chart {name} of {board['dashboard_title']}: its data are not the lake's")
        before = self._files.get(self._name_of.get(board["uuid"], ""), {})
        numbers = {node["meta"]["uuid"]: node["meta"]["chartId"] for node in chart_nodes(before.get("position") or {})}
        self._write(
            dashboard_in_git(board, numbers), dashboard_in_git(before, numbers), self._path(board, f"dashboards/{stem}")
        )

    def _add_chart(self, chart: Asset, board: str) -> bool:
        """Export a chart; False where its dataset cannot be exported."""
        dataset = self._found["datasets"].get(chart.get("dataset_uuid", ""))
        if dataset is None or dataset["database_uuid"] not in self._name_of:
            return False
        if dataset.get("sql") or dataset["uuid"] not in self._name_of:
            path = self._path(dataset, f"{WITH_SQL}/{_file_name(dataset['table_name'])}")
            self._write(dataset_in_git(dataset), dataset_in_git(self._files.get(path, {})), path)
        path = self._path(chart, f"charts/{board}/{_file_name(chart['slice_name'])}")
        self._write(chart_in_git(chart), chart_in_git(self._files.get(path, {})), path)
        return True

    def _path(self, asset: Asset, wanted: str) -> str:
        """The file with this uuid, else a new one."""
        if asset["uuid"] in self._name_of:
            return self._name_of[asset["uuid"]]
        path, number = f"{wanted}.yaml", 1
        while path in self._files:
            number += 1
            path = f"{wanted}_{number}.yaml"
        return path

    def _write(self, asset: Asset, before: Asset, path: str) -> None:
        if is_equivalent(asset, before):
            self.summary.unchanged += 1
            return
        file = self._folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(as_yaml(asset), encoding="utf-8")
        # Part of the source, which containers read.
        file.chmod(0o644)
        self._files[path], self._name_of[asset["uuid"]] = asset, path
        self.summary.written.append(path)


def _choose(boards: Iterable[Asset], names: list[str]) -> list[Asset]:
    boards = list(boards)
    if not names:
        return [board for board in boards if board.get("published")]
    chosen = []
    for name in names:
        fitting = [board for board in boards if name in (board.get("slug"), board["dashboard_title"])]
        if not fitting:
            known = ", ".join(sorted(board["dashboard_title"] for board in boards))
            raise UsageError(f"Superset has no dashboard {name!r}; it has {known}")
        chosen += fitting
    return chosen


def _unpack(archive: bytes) -> dict[str, dict[str, Asset]]:
    """The assets of an export, by kind and uuid."""
    found: dict[str, dict[str, Asset]] = {kind: {} for kind in ("databases", "datasets", "charts", "dashboards")}
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            for name in opened.namelist():
                kind = name.split("/")[1]
                if kind in found:
                    asset = yaml.safe_load(opened.read(name))
                    found[kind][asset["uuid"]] = asset
    except (zipfile.BadZipFile, yaml.YAMLError, KeyError) as error:
        raise LakehouseError(f"Superset's export cannot be read: {error}") from error
    return found


def _read(path: Path) -> Asset:
    try:
        asset = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise LakehouseError(f"{path} is not YAML: {one_line(error, 200)}") from None
    return asset if isinstance(asset, dict) else {}


def _file_name(title: str) -> str:
    """A title as a file name: lower-case letters, digits and underscores."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:60] or "untitled"
