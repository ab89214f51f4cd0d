"""Mean and spread of many values from those of their parts, where looking at each value again would take longer.

The rule is that of Chan, Golub and LeVeque 1979, "Updating Formulae and a Pairwise Algorithm for Computing Sample
Variances": unlike sums of squares it loses nothing where values lie close together.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

_NOTHING = "struct(0L AS count, 0D AS mean, 0D AS squares, double(null) AS least, double(null) AS most)"


def moments(count: Column, mean: Column, squares: Column, least: Column, most: Column) -> Column:
    """A struct of these: how many values there are, their mean, squared deviations from it in sum, and extremes."""
    given = {"count": count, "mean": mean, "squares": squares, "least": least, "most": most}
    return F.when(count > 0, F.struct(*(column.alias(name) for name, column in given.items())))


def moments_of(value: Column) -> Column:
    """The moments of a group's values; null where none is known."""
    return moments(F.count(value), F.avg(value), squares_of(value), F.min(value), F.max(value))


def squares_of(value: Column) -> Column:
    """The sum of the squared deviations of a group's values from their mean; null where none is known."""
    return F.var_pop(value) * F.count(value)


def merged(parts: Column) -> Column:
    """The moments of all values of a group's rows, which have moments each, or null."""
    return F.aggregate(F.collect_list(parts), F.expr(_NOTHING), _both)


def deviation(of: Column) -> Column:
    """The standard deviation as of a sample, null below two values."""
    return F.when(of["count"] > 1, F.sqrt(of["squares"] / (of["count"] - 1)))


def _both(one: Column, other: Column) -> Column:
    count = one["count"] + other["count"]
    apart = other["mean"] - one["mean"]
    squares = one["squares"] + other["squares"] + apart * apart * one["count"] * other["count"] / count
    least, most = F.least(one["least"], other["least"]), F.greatest(one["most"], other["most"])
    return F.struct(
        count.alias("count"),
        (one["mean"] + apart * other["count"] / count).alias("mean"),
        # Means of equal values differ by what their sums are rounded.
        F.when(least < most, squares).otherwise(0.0).alias("squares"),
        least.alias("least"),
        most.alias("most"),
    )
