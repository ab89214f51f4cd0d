"""A graph of four small tables above real bronze tables, and a lake that runs build them in."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features import my_tracks_features_bronze
from lakehouse.contract import Table, in_range
from lakehouse.contract.columns import COLUMNS
from lakehouse.contract.ops import OPS_TABLES
from lakehouse.lake.storage import Lake
from lakehouse.listeners import ByListener
from lakehouse.settings import Settings
from pipeline import registry
from pipeline.registry import ordered
from pipeline.runs import run
from pipeline.runs.run import DryRun
from pipeline.runs.summary import RunSummary
from tests.bronze.records import extended, write_json
from tests.support.frames import rows

BRONZE = (kaggle_tracks_bronze, listening_history_bronze, my_tracks_features_bronze)


def plays_of_tracks(listening_history_bronze: DataFrame) -> DataFrame:
    return listening_history_bronze.groupBy("track_id").agg(F.count("*").alias("play_count"))


def double_plays(plays_of_tracks: DataFrame) -> DataFrame:
    return plays_of_tracks.withColumn("play_count", F.col("play_count") * 2)


def catalogue_counts(kaggle_tracks_bronze: DataFrame) -> DataFrame:
    return kaggle_tracks_bronze.groupBy("track_id").agg(F.count("*").alias("play_count"))


def both(double_plays: DataFrame, catalogue_counts: DataFrame, *, listener_time_zone: ByListener) -> DataFrame:
    return double_plays.unionByName(catalogue_counts).where(F.lit(listener_time_zone.default) != "Nowhere")


def a_table(transform: Callable[..., Any], inputs: str, *parameters: str, **changed: Any) -> Table:
    columns = tuple(COLUMNS[name] for name in ("track_id", "play_count"))
    plain = Table(
        transform.__name__, "gold", "small", __name__, "Counts?", "One row per track.", ("track_id",), columns,
        (in_range("play_count", 0, 1000),), (), 0, tuple(inputs.split()), parameters, transform,
    )  # fmt: skip
    return replace(plain, **changed)


GRAPH = {
    table.name: table
    for table in (
        a_table(plays_of_tracks, "listening_history_bronze", layer="silver", group=""),
        a_table(double_plays, "plays_of_tracks"),
        a_table(catalogue_counts, "kaggle_tracks_bronze"),
        a_table(both, "double_plays catalogue_counts", "listener_time_zone"),
    )
}


@dataclass
class SmallRun:
    """A lake of the small graph, and how to run it."""

    settings: Settings
    spark: SparkSession
    patch: pytest.MonkeyPatch
    graph: dict[str, Table] = field(default_factory=lambda: dict(GRAPH))
    last: RunSummary = field(init=False)

    def run(self, **options: Any) -> RunSummary:
        self._take_graph()
        action = options.pop("action", run.run)
        summary: RunSummary = action(self.settings, **options)
        self.last = summary
        return summary

    def dry_run(self, **options: Any) -> DryRun:
        self._take_graph()
        return run.dry_run(self.settings, **options)

    def _take_graph(self) -> None:
        nodes = ordered([*BRONZE, *self.graph.values()])
        self.patch.setattr(registry, "all_nodes", lambda: nodes | {table.name: table for table in OPS_TABLES})
        # It looks at files alone, and these graphs are in memory.
        self.patch.setattr(run, "known_up_to_date", lambda settings: 0)

    def deliver(self, name: str, *hours: int) -> Path:
        records = [extended(f"2025-05-01T{hour:02d}:00:00Z") for hour in hours]
        return write_json(self.settings.import_dir / f"Streaming_History_Audio_{name}.json", records)

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_uri, self.spark)

    def plays(self, name: str) -> list[tuple[Any, ...]]:
        return rows(self.lake.read(self.graph[name]), "track_id", "play_count")

    def versions(self) -> dict[str, int]:
        return {name: DeltaTable(self.lake.location(table)).version() for name, table in self.graph.items()}

    def recorded(self, table: Table) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = DeltaTable(self.lake.location(table)).to_pyarrow_table().to_pylist()
        return sorted(found, key=lambda row: str(row.get("started_at")))


def outcomes(summary: RunSummary) -> dict[str, tuple[str, str]]:
    return {build.table.name: (build.status, build.reason) for build in summary.builds if build.table.name in GRAPH}


def statuses(summary: RunSummary) -> dict[str, str]:
    return {name: status for name, (status, _) in outcomes(summary).items()}


def broken(message: str) -> Callable[..., Any]:
    def transform(*frames: DataFrame, **settings: str) -> DataFrame:
        raise ValueError(message)

    return transform


def damage(small: SmallRun, table: Table) -> Path:
    """Cut a table's newest commit off in its middle; returns the table's folder."""
    folder = small.settings.lake_path / table.location
    newest = max((folder / "_delta_log").glob("*.json"))
    newest.write_bytes(newest.read_bytes()[:-100])
    return folder
