"""The demo lake's tables, made once more of rows in another order and in other partitions, are the same."""

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contract import Table
from lakehouse.lake.schema import conform
from lakehouse.models.artifacts import Artifact
from lakehouse.models.trained_models import Models, models_of
from lakehouse.settings import Settings
from pipeline.registry import all_models, pipeline_tables
from tests.support.frames import Tables

TRANSFORMED = [table for table in pipeline_tables().values() if table.transform]
# The demo lake has one listener and no made-up features.
EMPTY = {"my_tracks_features_bronze_synthetic", "listener_affinity"}


@pytest.fixture(scope="module")
def models(demo_lake: Settings) -> Models:
    return models_of(demo_lake)


@pytest.mark.parametrize("table", TRANSFORMED, ids=lambda table: table.name)
def test_rows_depend_neither_on_order_nor_on_partitions_nor_on_the_run(
    table: Table, demo_lake: Settings, demo_table: Tables, models: Models, spark: SparkSession
) -> None:
    def read(name: str) -> DataFrame | Artifact:
        return models.read(all_models()[name], spark) if name in all_models() else shuffled(name, demo_table(name))

    again = sorted_rows(table, conform(table, table(*map(read, table.inputs), **table.taken_from(demo_lake))))
    assert again.empty == (table.name in EMPTY)
    pd.testing.assert_frame_equal(again, sorted_rows(table, demo_table(table.name)), rtol=1e-9, atol=1e-12)


def shuffled(name: str, frame: DataFrame) -> DataFrame:
    """The last rows first, in three partitions."""
    key = pipeline_tables()[name].key
    return frame.repartition(3, key[0]).sortWithinPartitions(*(F.desc(column) for column in key))


def sorted_rows(table: Table, frame: DataFrame) -> pd.DataFrame:
    rows: pd.DataFrame = frame.toArrow().sort_by([(name, "ascending") for name in table.key]).to_pandas()
    return rows
