"""Files that Spark has written into a table's folder and that no commit has added yet: too many rows for the driver.

Until the commit they belong to no version of the table. VACUUM deletes those of a killed run (`lakehouse.lake.upkeep`).
"""

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from itertools import takewhile
from typing import Any
from urllib.parse import unquote, urlparse
from uuid import uuid4

import pyarrow.parquet as pq
from deltalake.fs import DeltaStorageHandler
from deltalake.transaction import AddAction
from pyarrow.fs import FileSelector, PyFileSystem
from pyspark.sql import DataFrame


class UncommittedFiles:
    """A folder of Parquet files inside a table's folder."""

    def __init__(self, location: str, options: Mapping[str, str] | None) -> None:
        """Choose the folder; nothing is written yet.

        Args:
            location: the table's folder.
            options: how delta-rs reaches it.
        """
        self._location, self._options = location, options
        self._folder = f"rows-{uuid4().hex}"
        self.is_committed = False

    @property
    def uri(self) -> str:
        """The folder's URI for Spark."""
        return f"{self._location}/{self._folder}"

    def write(self, rows: DataFrame, partitioning: Sequence[str]) -> None:
        """Write all rows, a file for each task and value of the columns that the table is partitioned by."""
        rows.write.partitionBy(*partitioning).parquet(self.uri)

    def actions(self) -> list[AddAction]:
        """The add actions of a commit: the files' sizes, and the minimum and maximum of their columns."""
        files = self._files()
        found = files.get_file_info(FileSelector(self._folder, recursive=True))
        actions: list[AddAction] = []
        for info in sorted(found, key=lambda info: str(info.path)):
            if not info.path.endswith(".parquet"):
                continue
            footer = pq.read_metadata(info.path, filesystem=files)
            if footer.num_rows:
                stats = json.dumps(statistics_of(footer), default=_as_text)
                folders = [part.partition("=") for part in info.path.split("/") if "=" in part]
                values = {name: unquote(value) for name, _, value in folders}
                actions.append(AddAction(info.path, info.size, values, round(time.time() * 1000), True, stats))
        return actions

    def delete(self) -> None:
        """Delete the files as far as possible: VACUUM deletes the rest."""
        with suppress(OSError):
            if self._location.startswith("file:"):
                # delta-rs would leave the empty folder, which an object store does not have.
                shutil.rmtree(urlparse(self.uri).path)
            else:
                self._files().delete_dir(self._folder)

    def _files(self) -> PyFileSystem:
        return PyFileSystem(DeltaStorageHandler(self._location, dict(self._options or {})))


def folder_of_partitions(name: str) -> str:
    """The folder of a file's partitions, relative to the table's: '' unless Spark has written the file."""
    folders = name.split("/")[:-1]
    return "/".join(takewhile(lambda folder: "=" not in folder, folders))


def statistics_of(footer: pq.FileMetaData) -> dict[str, Any]:
    """Delta's statistics of a file, by which readers pass it over: of numbers, dates and instants."""
    least: dict[str, Any] = {}
    most: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for number in range(footer.num_columns):
        name = footer.schema.column(number).name
        groups = [footer.row_group(group).column(number).statistics for group in range(footer.num_row_groups)]
        if not all(group is not None and group.has_null_count for group in groups):
            continue
        nulls[name] = sum(group.null_count for group in groups)
        bounds = [bound for group in groups if group.has_min_max for bound in (group.min, group.max)]
        # Groups of nulls alone have no bounds.
        if bounds and all(_is_told(bound) for bound in bounds) and _has_all_bounds(groups):
            least[name], most[name] = min(bounds), max(bounds)
    return {"numRecords": footer.num_rows, "minValues": least, "maxValues": most, "nullCount": nulls}


def _has_all_bounds(groups: list[Any]) -> bool:
    return all(group.has_min_max or group.num_values == 0 for group in groups)


def _is_told(bound: Any) -> bool:
    """Whether a bound is of a kind that every reader of Delta's statistics takes the same way."""
    if isinstance(bound, datetime):
        return bound.tzinfo is not None
    if isinstance(bound, float):
        return math.isfinite(bound)
    return isinstance(bound, int | date) and not isinstance(bound, bool)


def _as_text(bound: date | datetime) -> str:
    return f"{bound:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(bound, datetime) else bound.isoformat()
