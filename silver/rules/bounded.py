"""Statistics in pandas on a bounded number of rows: the only way in which transforms leave Spark's own expressions."""

from collections.abc import Callable, Sequence

import pandas as pd
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

HASH = "_hash"
# The `listener` of rows that hold for every listener.
EVERYBODY = "*"


def in_pandas(
    frame: DataFrame,
    compute: Callable[[pd.DataFrame], pd.DataFrame],
    schema: str,
    *,
    key: str | Sequence[str],
    max_rows: int,
    listeners: DataFrame | None = None,
) -> DataFrame:
    """Compute rows from each listener's rows in pandas, lazily, each listener in one task.

    Of more than `max_rows` rows of a listener, those with the smallest hashes of their key are used: a random sample
    that is the same in every run and depends neither on the order of rows, nor on the number of partitions, nor on
    other listeners.

    Args:
        frame: the rows, with `listener`; only the columns that `compute` needs.
        compute: gets one listener's rows, without `listener`, sorted by `key`.
        schema: what `compute` returns, as Spark DDL: "feature string, effect double".
        key: the column or columns that order and sample a listener's rows; unique among these.
        max_rows: the most rows of a listener to use.
        listeners: rows whose listeners `compute` is called for even where `frame` has no rows of theirs; None where
            such a listener gets no rows.

    Returns:
        `listener` and the columns of `schema`.
    """
    keys = [key] if isinstance(key, str) else list(key)

    def compute_sorted(group: tuple[str], rows: pd.DataFrame) -> pd.DataFrame:
        own_rows = rows.drop(columns="listener").sort_values(keys, ignore_index=True)
        computed = compute(own_rows)
        computed.insert(0, "listener", group[0])
        return computed

    def compute_left(group: tuple[str], rows: pd.DataFrame, _: pd.DataFrame) -> pd.DataFrame:
        return compute_sorted(group, rows)

    schema = f"listener string, {schema}"
    by_listener = sample_each(frame, keys, max_rows).groupBy("listener")
    if listeners is None:
        return by_listener.applyInPandas(compute_sorted, schema)
    all_listeners = listeners.select("listener").distinct().groupBy("listener")
    return by_listener.cogroup(all_listeners).applyInPandas(compute_left, schema)


def sample_each(frame: DataFrame, key: Sequence[str], max_rows: int) -> DataFrame:
    """Of each listener the rows with the smallest hashes of their key, at most `max_rows`; see `in_pandas`."""
    by_hash = Window.partitionBy("listener").orderBy(HASH, *key)
    placed = _hashed(frame, key).withColumn("place", F.row_number().over(by_hash))
    return placed.where(F.col("place") <= max_rows).drop(HASH, "place")


def sample(frame: DataFrame, key: Sequence[str], max_rows: int) -> DataFrame:
    """The rows with the smallest hashes of their key, at most `max_rows`: as `sample_each`, of rows of no listener."""
    return _hashed(frame, key).orderBy(HASH, *key).limit(max_rows).drop(HASH)


def _hashed(frame: DataFrame, key: Sequence[str]) -> DataFrame:
    # A column, because a sort would evaluate an expression again for each comparison.
    return frame.withColumn(HASH, F.xxhash64(*key))
