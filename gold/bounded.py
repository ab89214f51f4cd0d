"""Statistics in pandas on a bounded number of rows: the one way a transform leaves Spark's own expressions."""

from collections.abc import Callable

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def in_pandas(
    frame: DataFrame, compute: Callable[[pd.DataFrame], pd.DataFrame], schema: str, *, key: str, max_rows: int
) -> DataFrame:
    """Compute rows from the whole frame in pandas, lazily, in one task.

    Above `max_rows` the rows with the smallest hash of their key are taken: a random sample that is the same in every
    run, whatever the order of rows and the number of partitions.

    Args:
        frame: the rows; only the columns that `compute` needs.
        compute: gets all rows sorted by `key`; not called when there are none.
        schema: what `compute` returns, as Spark DDL: "feature string, effect double".
        key: the column that orders and samples the rows; unique.
        max_rows: most rows that are taken.
    """
    sampled = frame.orderBy(F.xxhash64(key), key).limit(max_rows)

    def whole(rows: pd.DataFrame) -> pd.DataFrame:
        return compute(rows.sort_values(key, ignore_index=True))

    return sampled.groupBy(F.lit(0).alias("all_rows")).applyInPandas(whole, schema)
