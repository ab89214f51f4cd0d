"""What do the plays of each hour of the week add up to, by where their audio features come from?

Tables of gold that count and average by hour, weekday or part of the day sum these rows up, by the aggregates `plays`,
`total`, `mean` and `deviation`.
"""

from dataclasses import replace

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import Update, accepted_values, expression, in_range, table
from lakehouse.contract.columns import UNIT_FEATURES
from silver.rules import moments
from silver.rules.feature_source import FEATURE_SOURCES, HIGH, LOW

FEATURES = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "tempo")
HOUR = ("hour_of_day", "day_of_week", "day_name", "part_of_day", "is_weekend")
SUMS = ("play_count", "known_plays", "low_plays", "high_plays", "value_sum")


@table(
    grain="One row per local weekday, hour and feature source with at least one play, and audio feature.",
    key="day_of_week hour_of_day feature_source feature_name",
    columns=(
        "day_of_week hour_of_day day_name part_of_day is_weekend feature_source feature_name play_count known_plays "
        "low_plays high_plays value_sum square_sum min max"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("day_of_week", 0, 6),
        accepted_values("feature_source", *FEATURE_SOURCES),
        accepted_values("feature_name", *FEATURES),
        expression("known plays are plays", "known_plays <= play_count"),
        expression("low and high plays are known plays", "low_plays + high_plays <= known_plays"),
    ],
    caveats=["features_from_catalogue", "features_estimated", "synthetic_features", "track_not_listener"],
)
def plays_by_hour(listening_with_features: DataFrame) -> DataFrame:
    """Sums are null where no play's value is known; play_count is the same for all features of an hour and source."""
    return _sums(listening_with_features)


def _sums(plays: DataFrame) -> DataFrame:
    of_features = (
        F.struct(
            F.lit(name).alias("feature_name"),
            F.count(name).alias("known_plays"),
            _count_if_unit(name, F.col(name) < LOW).alias("low_plays"),
            _count_if_unit(name, F.col(name) >= HIGH).alias("high_plays"),
            F.sum(name).alias("value_sum"),
            moments.squares_of(F.col(name)).alias("square_sum"),
            F.min(name).alias("min"),
            F.max(name).alias("max"),
        )
        for name in FEATURES
    )
    by_hour = plays.groupBy(*HOUR, "feature_source").agg(
        F.count(F.lit(1)).alias("play_count"), F.array(*of_features).alias("features")
    )
    return by_hour.select(*HOUR, "feature_source", "play_count", F.inline("features"))


def _count_if_unit(feature: str, condition: Column) -> Column:
    """Only what goes from 0 to 1 is low or high."""
    return F.count_if(condition) if feature in UNIT_FEATURES else F.lit(None).cast("bigint")


def plays(where: Column | None = None) -> Column:
    """How many plays the aggregated rows stand for.

    Args:
        where: which rows count, all if None; may look at the keys and what follows from them.
    """
    # Each play stands in the rows of all features.
    return F.coalesce(total("play_count", FEATURES[0], where), F.lit(0))


def total(column: str, feature: str, where: Column | None = None) -> Column:
    """The sum of a column over the aggregated rows of a feature; null without rows."""
    return F.sum(F.when(_is_of(feature, where), F.col(column)))


def mean(feature: str, where: Column | None = None) -> Column:
    """The mean of a feature over the plays whose value is known; null without any."""
    return F.try_divide(total("value_sum", feature, where), total("known_plays", feature, where))


def deviation(feature: str, where: Column | None = None) -> Column:
    """The standard deviation of a feature, as of a sample; null below two plays whose value is known."""
    return moments.deviation(moments.merged(F.when(_is_of(feature, where), _moments())))


def _moments() -> Column:
    """Of the values that a row stands for."""
    count, total = F.col("known_plays"), F.col("value_sum")
    return moments.moments(count, total / count, F.col("square_sum"), F.col("min"), F.col("max"))


def _is_of(feature: str, where: Column | None) -> Column:
    is_of = F.col("feature_name") == feature
    return is_of if where is None else is_of & where


def with_new_plays(known: DataFrame, plays: DataFrame, new_plays: DataFrame) -> DataFrame:
    """Add new plays to the sums; all plays are not looked at."""
    both = known.unionByName(_sums(new_plays))
    added = both.groupBy(*HOUR, "feature_source", "feature_name").agg(
        *(F.sum(name).alias(name) for name in SUMS), moments.merged(_moments()).alias("all")
    )
    squares = F.when(F.col("known_plays") > 0, F.col("all.squares"))
    extremes = {"min": F.col("all.least"), "max": F.col("all.most")}
    return added.withColumns({"square_sum": squares, **extremes}).drop("all")


plays_by_hour = replace(plays_by_hour, update=Update("listening_with_features", with_new_plays))
