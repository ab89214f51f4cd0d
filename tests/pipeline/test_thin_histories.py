"""Whatever little was heard: every table of the registry is made of it and keeps its contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from lakehouse.contract import Model
from lakehouse.lake.checks import collect_with_checks, evaluate_rows
from lakehouse.lake.schema import conform, schema_of
from lakehouse.models.artifacts import Artifact
from lakehouse.settings import Settings
from pipeline.registry import all_models, pipeline_nodes, pipeline_tables
from silver.catalogue_tracks import catalogue_tracks
from tests.gold.learning.small_catalogue import small_catalogue
from tests.gold.learning.small_models import as_artifact
from tests.support.frames import frame_of

Rows = list[dict[str, Any]]

MOST_ROWS = 10_000
IMPORTED = {"source_file": "file", "ingested_at": datetime(2026, 2, 1, tzinfo=UTC)}


@dataclass(frozen=True)
class Catalogue:
    """A catalogue's rows of bronze, and every model of the registry, trained on it."""

    rows: Rows
    models: Mapping[str, Artifact]


def trained_on(spark: SparkSession, rows: Rows) -> Catalogue:
    tracks = catalogue_tracks(frame_of(spark, kaggle_tracks_bronze, rows)).toPandas()
    return Catalogue(rows, {name: as_artifact(name, model(tracks)) for name, model in all_models().items()})


@pytest.fixture(scope="module")
def no_catalogue(spark: SparkSession) -> Catalogue:
    return trained_on(spark, [])


@pytest.fixture(scope="module")
def catalogue(spark: SparkSession) -> Catalogue:
    """242 tracks of 40 artists."""
    tracks = small_catalogue(220).drop(columns=["first_artist", "name_key"])
    rows: list[dict[Any, Any]] = tracks.rename(columns={"track_genres": "track_genre"}).to_dict("records")
    return trained_on(spark, [{"row_number": number, **row, **IMPORTED} for number, row in enumerate(rows)])


def heard(at: str, number: int = 0, **values: Any) -> dict[str, Any]:
    """A row of bronze; the catalogue does not know tracks of negative numbers."""
    return {
        "play_id": f"{at} {number}", "track_id": f"t{number:05d}", "played_at": datetime.fromisoformat(f"{at}+00:00"),
        "track_name": f"Song {number}", "artist_name": f"Artist {number % 40 if number >= 0 else number}",
        "album_name": "Album", "ms_played": 180_000, "source": "extended_history", **IMPORTED, **values,
    }  # fmt: skip


HISTORIES: dict[str, tuple[Rows, str]] = {
    "an empty lake": ([], "no_catalogue"),
    "one play": ([heard("2026-01-31 23:59:00")], "catalogue"),
    "plays without features": ([heard(f"2026-01-31 1{i}:00:00", -1 - i) for i in range(5)], "catalogue"),
    "plays of one hour": ([heard(f"2026-01-31 10:0{i}:00") for i in range(9)], "catalogue"),
    "plays without a catalogue": ([heard(f"2026-01-{1 + i:02} 12:00:00", i % 3) for i in range(25)], "no_catalogue"),
}
# Gold tables that have rows even then, and tables that have none of any of these histories.
OF_NO_PLAY = {"model_feature_importance", "model_performance_metrics"}
OF_ONE_PLAY = OF_NO_PLAY | {
    "audio_feature_distributions", "energy_forecasts", "feature_correlations", "feature_source_coverage",
    "listening_patterns_by_time", "mood_classifications", "mood_outlook", "mood_predictions", "mood_time_correlations",
    "part_of_day_drivers", "temporal_trends", "top_tracks_by_mood", "weekend_vs_weekday",
}  # fmt: skip
NEEDS_MORE = {table.name for table in pipeline_tables().values() if table.group == "prescriptive"} | {
    "recommendation_backtest"
}
EXPECTED = {"an empty lake": OF_NO_PLAY, "one play": OF_ONE_PLAY}


@pytest.mark.parametrize("history", HISTORIES)
def test_every_table_keeps_its_contract(request: pytest.FixtureRequest, spark: SparkSession, history: str) -> None:
    plays, catalogue = HISTORIES[history]
    counts = rows_of_every_table(spark, request.getfixturevalue(catalogue), plays)
    filled = {name for name, count in counts.items() if count and pipeline_nodes()[name].layer == "gold"}
    assert filled == EXPECTED.get(history, filled)
    assert filled.isdisjoint(NEEDS_MORE)


def rows_of_every_table(spark: SparkSession, catalogue: Catalogue, plays: Rows) -> dict[str, int]:
    """Make every table, inputs first, and check it as the writer does; how many rows each has.

    Raises:
        ContractViolation: a table breaks its contract.
    """
    settings = Settings(_env_file=None)
    imported = {"kaggle_tracks_bronze": catalogue.rows, "listening_history_bronze": plays}
    made: dict[str, DataFrame | Artifact] = {}
    counts = {}
    for name, node in pipeline_nodes().items():
        if isinstance(node, Model):
            made[name] = catalogue.models[name]
            continue
        if node.transform is None:
            frame = frame_of(spark, node, imported.get(name, []))
        else:
            frame = node(*(made[each] for each in node.inputs), **node.taken_from(settings))
        rows = collect_with_checks(node, conform(node, frame), MOST_ROWS)
        assert rows is not None
        counts[name] = evaluate_rows(node, rows).rows
        made[name] = spark.createDataFrame(rows.select([column.name for column in node.columns]), schema_of(node))
    return counts
