"""Statistics in pandas on a bounded number of rows: the one way a transform leaves Spark's own expressions."""

from collections.abc import Callable, Sequence

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

HASH = "_hash"


def in_pandas(
    frame: DataFrame,
    compute: Callable[[pd.DataFrame], pd.DataFrame],
    schema: str,
    *,
    key: str | Sequence[str],
    max_rows: int,
    also_empty: bool = False,
) -> DataFrame:
    """Compute rows from the whole frame in pandas, lazily, in one task.

    Above `max_rows` the rows with the smallest hash of their key are taken: a random sample that is the same in every
    run, whatever the order of rows and the number of partitions.

    Args:
        frame: the rows; only the columns that `compute` needs.
        compute: gets all rows sorted by `key`.
        schema: what `compute` returns, as Spark DDL: "feature string, effect double".
        key: the column or columns that order and sample the rows; unique.
        max_rows: most rows that are taken.
        also_empty: whether `compute` is called when there are no rows; otherwise the result is empty then.
    """
    keys = [key] if isinstance(key, str) else list(key)

    def whole(rows: pd.DataFrame) -> pd.DataFrame:
        return compute(rows.sort_values(keys, ignore_index=True))

    def whole_beside(rows: pd.DataFrame, _: pd.DataFrame) -> pd.DataFrame:
        return whole(rows)

    together = sample(frame, keys, max_rows).groupBy(F.lit(0).alias("all_rows"))
    if not also_empty:
        return together.applyInPandas(whole, schema)
    # An aggregate without grouping has one row, also of nothing: it calls `compute` where there are no rows.
    one_row = frame.limit(0).agg(F.count(F.lit(1)).alias("rows"))
    return together.cogroup(one_row.groupBy(F.lit(0).alias("all_rows"))).applyInPandas(whole_beside, schema)


def sample(frame: DataFrame, key: Sequence[str], max_rows: int) -> DataFrame:
    """The rows with the smallest hashes of their key, at most `max_rows`; see `in_pandas`."""
    # As a column: as an expression it would be worked out anew for each comparison.
    hashed = frame.withColumn(HASH, F.xxhash64(*key))
    return hashed.orderBy(HASH, *key).limit(max_rows).drop(HASH)
