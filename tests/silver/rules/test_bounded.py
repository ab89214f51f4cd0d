"""Of more rows than the bound the same ones are taken in every run, whatever their order and partitions."""

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from silver.rules.bounded import in_pandas, sample
from tests.support.frames import rows, small_frame

NUMBERS = [(f"row {i}", i) for i in range(200)]
SCHEMA = "name string, number bigint"


def taken(frame: DataFrame, max_rows: int) -> DataFrame:
    """The rows that `compute` gets, in its order."""
    return in_pandas(
        frame,
        lambda got: got.assign(place=range(len(got))),
        f"{SCHEMA}, place bigint",
        key="name",
        max_rows=max_rows,
    )


@pytest.mark.parametrize("partitions", [1, 7])
@pytest.mark.parametrize("step", [1, -1])
def test_the_same_rows_in_the_same_order(spark: SparkSession, step: int, partitions: int) -> None:
    first = rows(taken(small_frame(spark, NUMBERS, SCHEMA), 50), "name", "number", "place")
    frame = small_frame(spark, NUMBERS[::step], SCHEMA).repartition(partitions)
    again = rows(taken(frame, 50), "name", "number", "place")
    assert len(again) == 50
    assert again == first
    assert [name for name, _, _ in sorted(again, key=lambda row: row[2])] == sorted(name for name, _, _ in again)


def test_the_sample_is_no_first_so_many(spark: SparkSession) -> None:
    numbers = [row["number"] for row in sample(small_frame(spark, NUMBERS, SCHEMA), ["name"], 50).collect()]
    assert 70 < sum(numbers) / 50 < 130


def test_below_the_bound_all_rows_are_taken(spark: SparkSession) -> None:
    assert taken(small_frame(spark, NUMBERS, SCHEMA), 200).count() == 200


@pytest.mark.parametrize(("also_empty", "counts"), [(True, [0]), (False, [])])
def test_no_rows_are_computed_only_where_asked_for(spark: SparkSession, also_empty: bool, counts: list[int]) -> None:
    found = in_pandas(
        small_frame(spark, [], SCHEMA),
        lambda got: pd.DataFrame({"count": [len(got)]}),
        "count bigint",
        key="name",
        max_rows=5,
        also_empty=also_empty,
    )
    assert [row["count"] for row in found.collect()] == counts
