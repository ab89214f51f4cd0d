"""Figures of many values from what they add up to, where looking at each value again would take longer."""

from pyspark.sql import Column
from pyspark.sql import functions as F


def sums_of(value: Column, times: Column | int = 1) -> Column:
    """What the values of a group, each so many times, add up to.

    Returns:
        A struct of total, squares (the sum of the squares), least and most; all null without a value.
    """
    return F.struct(
        F.sum(value * times).alias("total"),
        F.sum(value * value * times).alias("squares"),
        F.min(value).alias("least"),
        F.max(value).alias("most"),
    )


def added(sums: Column) -> Column:
    """The sums of all values of a group of such structs."""
    return F.struct(
        F.sum(sums["total"]).alias("total"),
        F.sum(sums["squares"]).alias("squares"),
        F.min(sums["least"]).alias("least"),
        F.max(sums["most"]).alias("most"),
    )


def deviation(count: Column, sums: Column) -> Column:
    """The standard deviation, as of a sample, of so many values with these sums; null below two."""
    spread = F.greatest(sums["squares"] - sums["total"] * sums["total"] / count, F.lit(0.0))
    # Equal values do not deviate by what the sums are rounded.
    spread = F.when(sums["least"] < sums["most"], spread).otherwise(0.0)
    return F.when(count > 1, F.sqrt(spread / (count - 1)))
