"""Of more rows than the bound the same ones are taken in every run, whatever their order and partitions."""

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from silver.rules.bounded import in_pandas, sample, sample_each
from tests.support.frames import rows, small_frame

NUMBERS = [(listener, f"row {i}", i) for listener in ("ann", "ben") for i in range(200)]
SCHEMA = "listener string, name string, number bigint"


def taken(frame: DataFrame, max_rows: int) -> DataFrame:
    """The rows that `compute` gets, in its order."""
    return in_pandas(
        frame,
        lambda got: got.assign(place=range(len(got))),
        "name string, number bigint, place bigint",
        key="name",
        max_rows=max_rows,
    )


@pytest.mark.parametrize("partitions", [1, 7])
@pytest.mark.parametrize("step", [1, -1])
def test_the_same_rows_in_the_same_order(spark: SparkSession, step: int, partitions: int) -> None:
    first = rows(taken(small_frame(spark, NUMBERS, SCHEMA), 50))
    frame = small_frame(spark, NUMBERS[::step], SCHEMA).repartition(partitions)
    again = rows(taken(frame, 50))
    assert len(again) == 2 * 50
    assert again == first
    assert [name for *_, name, _, _ in sorted(again, key=lambda row: (row[0], row[3]))] == [row[1] for row in again]


def test_a_listener_s_rows_do_not_depend_on_others(spark: SparkSession) -> None:
    both, alone = (
        rows(taken(small_frame(spark, part, SCHEMA), 50).where("listener = 'ann'")) for part in (NUMBERS, NUMBERS[:200])
    )
    assert both == alone


def test_the_sample_is_no_first_so_many(spark: SparkSession) -> None:
    numbers = small_frame(spark, NUMBERS[:200], SCHEMA)
    for sampled in (sample(numbers, ["name"], 50), sample_each(numbers, ["name"], 50)):
        assert 70 < sum(row["number"] for row in sampled.collect()) / 50 < 130


def test_both_samples_are_the_same(spark: SparkSession) -> None:
    numbers = small_frame(spark, NUMBERS[:200], SCHEMA)
    assert rows(sample(numbers, ["name"], 50)) == rows(sample_each(numbers, ["name"], 50))


def test_below_the_bound_all_rows_are_taken(spark: SparkSession) -> None:
    assert taken(small_frame(spark, NUMBERS, SCHEMA), 200).count() == 400


@pytest.mark.parametrize(
    ("listeners", "counts"), [(["ben", "ben", "ann"], [("ann", 1), ("ben", 0)]), ([], [("ann", 1)])]
)
def test_no_rows_are_computed_only_where_asked_for(
    spark: SparkSession, listeners: list[str], counts: list[tuple[str, int]]
) -> None:
    found = in_pandas(
        small_frame(spark, NUMBERS[:1], SCHEMA),
        lambda got: pd.DataFrame({"count": [len(got)]}),
        "count bigint",
        key="name",
        max_rows=5,
        listeners=small_frame(spark, [(name,) for name in listeners], "listener string") if listeners else None,
    )
    assert rows(found) == counts
