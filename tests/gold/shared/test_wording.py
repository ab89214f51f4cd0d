"""Numbers in sentences."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from gold.shared.wording import comparison, number, percent
from tests.support.frames import only


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.625, "0.63"), (0.62499999999999, "0.63"), (0.0, "0.00"), (1.0, "1.00"), (None, "unknown")],
)
def test_number(spark: SparkSession, value: float | None, words: str) -> None:
    assert only(spark.range(1).select(number(F.lit(value).cast("double"))))[0] == words


def test_percent(spark: SparkSession) -> None:
    assert only(spark.range(1).select(percent(F.lit(0.125))))[0] == "13 %"


@pytest.mark.parametrize(
    ("difference", "words"),
    [
        (0.08, "0.08 above"),
        (-0.08, "0.08 below"),
        (0.004, "level with"),
        (-0.004, "level with"),
        (0.0, "level with"),
        (None, "not comparable with"),
    ],
)
def test_compared(spark: SparkSession, difference: float | None, words: str) -> None:
    assert only(spark.range(1).select(comparison(F.lit(difference).cast("double"))))[0] == words
