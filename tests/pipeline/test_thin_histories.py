"""Every table of the registry keeps its contract, whatever little was heard, and listeners do not touch each other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import DataFrame, SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from lakehouse.lake.checks import collect_with_checks, evaluate_rows
from lakehouse.lake.schema import conform, schema_of
from lakehouse.models.artifacts import Artifact
from lakehouse.settings import Settings
from pipeline.registry import all_models, pipeline_nodes, pipeline_tables
from silver.catalogue_tracks import catalogue_tracks
from silver.rules.bounded import EVERYBODY
from tests.gold.learning.small_catalogue import small_catalogue
from tests.gold.learning.small_models import as_artifact
from tests.support.frames import LISTENER, frame_of

Rows = list[dict[str, Any]]
# The rows of every table, by its name.
Made = dict[str, pa.Table]

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


# Plays by listener: however little each heard, and one who heard more.
HISTORIES: dict[str, Rows] = {
    "one_play": [heard("2026-01-31 23:59:00")],
    "no_features": [heard(f"2026-01-31 1{i}:00:00", -1 - i) for i in range(5)],
    "one_hour": [heard(f"2026-01-31 10:0{i}:00") for i in range(9)],
    "usual": [
        heard(f"2026-{1 + i // 28:02}-{1 + i % 28:02} {8 + i % 15:02}:{i % 60:02}:00", i % 60) for i in range(120)
    ],
}
# Gold tables that have rows of one play, and tables that have none of a thin history.
OF_ONE_PLAY = {
    "audio_feature_distributions", "energy_forecasts", "feature_correlations", "feature_source_coverage",
    "listener_affinity",
    "listening_patterns_by_time", "model_feature_importance", "model_performance_metrics", "mood_classifications",
    "mood_outlook", "mood_predictions", "mood_time_correlations", "part_of_day_drivers", "temporal_trends",
    "top_tracks_by_mood", "weekend_vs_weekday",
}  # fmt: skip
NEEDS_MORE = {table.name for table in pipeline_tables().values() if table.group == "prescriptive"} | {
    "recommendation_backtest"
}


@pytest.fixture(scope="module")
def household(spark: SparkSession, catalogue: Catalogue) -> Made:
    """All listeners in one lake."""
    return every_table(spark, catalogue, HISTORIES)


@pytest.mark.parametrize("listener", HISTORIES)
def test_every_table_keeps_its_contract(household: Made, listener: str) -> None:
    filled = filled_gold(household, listener)
    if listener == "one_play":
        assert filled == OF_ONE_PLAY
    if listener != "usual":
        assert filled.isdisjoint(NEEDS_MORE)


@pytest.mark.parametrize("listener", ["one_play", "usual"])
def test_a_listener_s_rows_are_those_of_a_lake_with_that_listener_alone(
    household: Made, spark: SparkSession, catalogue: Catalogue, listener: str
) -> None:
    alone = every_table(spark, catalogue, {listener: HISTORIES[listener]})
    for name, rows in alone.items():
        if pipeline_tables()[name].compares_listeners:
            continue
        assert_same(name, of_listener(household[name], listener), of_listener(rows, listener))
        assert_same(name, of_listener(household[name], EVERYBODY), of_listener(rows, EVERYBODY))


@pytest.mark.parametrize("plays", [[], [heard(f"2026-01-{1 + i:02} 12:00:00", i % 3) for i in range(25)]])
def test_without_a_catalogue_every_table_keeps_its_contract(
    spark: SparkSession, no_catalogue: Catalogue, plays: Rows
) -> None:
    made = every_table(spark, no_catalogue, {LISTENER: plays})
    assert filled_gold(made, EVERYBODY) == {"model_performance_metrics"}
    filled = filled_gold(made, LISTENER)
    assert filled.isdisjoint(NEEDS_MORE)
    assert bool(filled) == bool(plays)


def filled_gold(made: Made, listener: str) -> set[str]:
    """Gold tables with rows of a listener."""
    nodes = pipeline_nodes()
    return {name for name, rows in made.items() if nodes[name].layer == "gold" and len(of_listener(rows, listener))}


def of_listener(rows: pa.Table, listener: str) -> pa.Table:
    """The rows of a listener; all of a table that is not about listeners."""
    return rows.filter(pc.field("listener") == listener) if "listener" in rows.column_names else rows


def assert_same(name: str, found: pa.Table, expected: pa.Table) -> None:
    """The same rows, doubles within what `equal` of the contract allows."""
    order = [(key, "ascending") for key in pipeline_tables()[name].key]
    one, other = (table.sort_by(order).to_pandas() for table in (found, expected))
    pd.testing.assert_frame_equal(one, other, rtol=1e-9, atol=0, obj=name)


def every_table(spark: SparkSession, catalogue: Catalogue, histories: Mapping[str, Rows]) -> Made:
    """The rows of every table, made inputs first and checked as the writer does.

    Raises:
        ContractViolation: a table breaks its contract.
    """
    settings = Settings(_env_file=None)
    plays = [{"listener": listener, **row} for listener, rows in histories.items() for row in rows]
    imported = {"kaggle_tracks_bronze": catalogue.rows, "listening_history_bronze": plays}
    inputs: dict[str, DataFrame | Artifact] = {**catalogue.models}
    made = {}
    for name, table in pipeline_tables().items():
        if table.transform is None:
            frame = frame_of(spark, table, imported.get(name, []))
        else:
            frame = table(*(inputs[each] for each in table.inputs), **table.taken_from(settings))
        rows = collect_with_checks(table, conform(table, frame), MOST_ROWS)
        assert rows is not None
        evaluate_rows(table, rows)
        made[name] = rows.select([column.name for column in table.columns])
        inputs[name] = spark.createDataFrame(made[name], schema_of(table))
    return made
