"""Statistics in pandas on a bounded number of rows: the only way in which transforms leave Spark's own expressions."""

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

    Of more than `max_rows` rows, those with the smallest hashes of their key are used: a random sample that is the same
    in every run and does not depend on the order of rows or the number of partitions.

    Args:
        frame: the rows; only the columns that `compute` needs.
        compute: gets all rows sorted by `key`.
        schema: what `compute` returns, as Spark DDL: "feature string, effect double".
        key: the column or columns that order and sample the rows; unique.
        max_rows: the most rows to use.
        also_empty: whether to call `compute` when there are no rows; otherwise the result is then empty.
    """
    keys = [key] if isinstance(key, str) else list(key)

    def compute_sorted(rows: pd.DataFrame) -> pd.DataFrame:
        return compute(rows.sort_values(keys, ignore_index=True))

    def compute_left(rows: pd.DataFrame, _: pd.DataFrame) -> pd.DataFrame:
        return compute_sorted(rows)

    one_group = sample(frame, keys, max_rows).groupBy(F.lit(0).alias("all_rows"))
    if not also_empty:
        return one_group.applyInPandas(compute_sorted, schema)
    # A global aggregate has one row even without input, so the cogroup calls `compute` where there are no rows.
    one_row = frame.limit(0).agg(F.count(F.lit(1)).alias("rows"))
    return one_group.cogroup(one_row.groupBy(F.lit(0).alias("all_rows"))).applyInPandas(compute_left, schema)


def sample(frame: DataFrame, key: Sequence[str], max_rows: int) -> DataFrame:
    """The rows with the smallest hashes of their key, at most `max_rows`; see `in_pandas`."""
    # A column, because a sort would evaluate an expression again for each comparison.
    hashed = frame.withColumn(HASH, F.xxhash64(*key))
    return hashed.orderBy(HASH, *key).limit(max_rows).drop(HASH)
