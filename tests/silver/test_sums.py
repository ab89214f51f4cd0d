"""Figures of values from their sums."""

import numpy as np
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from silver.sums import added, deviation, sums_of
from tests.frames import only


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], None),
        ([0.3], None),
        ([0.1] * 7, 0.0),
        ([0.25, 0.75, None], np.std([0.25, 0.75], ddof=1)),
        ([120.5, 121.25, 90.0, 180.125], np.std([120.5, 121.25, 90.0, 180.125], ddof=1)),
    ],
)
def test_the_deviation_is_that_of_the_values(
    values: list[float | None], expected: float | None, spark: SparkSession
) -> None:
    frame = spark.createDataFrame([(i % 2, value) for i, value in enumerate(values)], "part int, value double")
    count = F.count("value")
    at_once = frame.agg(deviation(count, sums_of(F.col("value"))).alias("found"))
    parts = frame.groupBy("part").agg(count.alias("count"), sums_of(F.col("value")).alias("sums"))
    of_parts = parts.agg(deviation(F.coalesce(F.sum("count"), F.lit(0)), added(F.col("sums"))).alias("found"))
    for found in (only(at_once)["found"], only(of_parts)["found"]):
        assert found == (expected if expected is None else pytest.approx(expected, rel=1e-12))


def test_a_value_can_be_there_several_times(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(0.5, 3), (1.0, 1)], "value double, times int")
    row = only(frame.select("value", "times").agg(sums_of(F.col("value"), F.col("times")).alias("sums")))["sums"]
    assert (row["total"], row["squares"], row["least"], row["most"]) == (2.5, 1.75, 0.5, 1.0)
