"""Mean and spread of many values, merged from those of their parts instead of read from every value again.

By Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances": unlike
sums of squares, this loses no precision where values lie close together.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

_EMPTY = "struct(0L AS count, 0D AS mean, 0D AS squares, double(null) AS least, double(null) AS most)"


def moments(count: Column, mean: Column, squares: Column, least: Column, most: Column) -> Column:
    """A struct of the number of values, their mean, the sum of squared deviations from it, and the extremes."""
    given = {"count": count, "mean": mean, "squares": squares, "least": least, "most": most}
    return F.when(count > 0, F.struct(*(column.alias(name) for name, column in given.items())))


def moments_of(value: Column) -> Column:
    """Moments of a group's values; null if all are null."""
    return moments(F.count(value), F.avg(value), squares_of(value), F.min(value), F.max(value))


def squares_of(value: Column) -> Column:
    """Sum of squared deviations of a group's values from their mean; null if all are null."""
    return F.var_pop(value) * F.count(value)


def merged(parts: Column) -> Column:
    """Merge the moments (or null) of a group's rows into those of all their values."""
    return F.aggregate(F.collect_list(parts), F.expr(_EMPTY), _merge_two)


def deviation(of: Column) -> Column:
    """Sample standard deviation, null below two values."""
    return F.when(of["count"] > 1, F.sqrt(of["squares"] / (of["count"] - 1)))


def _merge_two(one: Column, other: Column) -> Column:
    count = one["count"] + other["count"]
    apart = other["mean"] - one["mean"]
    squares = one["squares"] + other["squares"] + apart * apart * one["count"] * other["count"] / count
    least, most = F.least(one["least"], other["least"]), F.greatest(one["most"], other["most"])
    return F.struct(
        count.alias("count"),
        (one["mean"] + apart * other["count"] / count).alias("mean"),
        # Means of equal values may differ by rounding, which must not count as spread.
        F.when(least < most, squares).otherwise(0.0).alias("squares"),
        least.alias("least"),
        most.alias("most"),
    )
