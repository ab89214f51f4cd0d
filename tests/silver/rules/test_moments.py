"""Mean and spread of values from those of their parts."""

from statistics import stdev

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from silver.rules.moments import deviation, merged, moments_of
from tests.support.frames import only, small_frame

CLOSE = [0.715] * 2_000 + [0.716]
FAR = [120.5, 121.25, 90.0, 180.125]


@pytest.mark.parametrize("parts", [1, 2, 50])
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([0.3], None, id="one"),
        pytest.param([0.1] * 7, 0.0, id="equal"),
        pytest.param([0.25, None, 0.75], stdev([0.25, 0.75]), id="one is unknown"),
        pytest.param(FAR, stdev(FAR), id="far apart"),
        pytest.param(CLOSE, stdev(CLOSE), id="close together"),
    ],
)
def test_the_deviation_is_that_of_all_values(
    values: list[float | None], expected: float | None, parts: int, spark: SparkSession
) -> None:
    frame = small_frame(spark, [(i % parts, value) for i, value in enumerate(values)], "part int, value double")
    of_parts = frame.groupBy("part").agg(moments_of(F.col("value")).alias("moments"))
    found = only(of_parts.agg(merged(F.col("moments")).alias("all")).select(deviation(F.col("all"))))[0]
    assert found == (expected if not expected else pytest.approx(expected, rel=1e-12))
