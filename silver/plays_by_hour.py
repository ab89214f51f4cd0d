"""What do the plays of each hour of the week add up to, by where their audio features come from?

Gold tables that count and average by hour, weekday or part of the day aggregate these rows with `plays`, `total`,
`mean` and `deviation`.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import accepted_values, expression, in_range, table
from lakehouse.contract.columns import UNIT_FEATURES
from silver.rules import moments
from silver.rules.feature_source import FEATURE_SOURCES, HIGH, LOW

FEATURES = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "tempo")
HOUR = ("listener", "hour_of_day", "day_of_week", "day_name", "part_of_day", "is_weekend")


@table(
    grain="One row per listener, local weekday, hour and feature source with at least one play, and audio feature.",
    key="listener day_of_week hour_of_day feature_source feature_name",
    columns=(
        "listener day_of_week hour_of_day day_name part_of_day is_weekend feature_source feature_name play_count "
        "known_plays low_plays high_plays value_sum square_sum min max"
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
    """Sums are null where no play has a known value; play_count is the same for all features of an hour and source."""
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
    by_hour = listening_with_features.groupBy(*HOUR, "feature_source").agg(
        F.count(F.lit(1)).alias("play_count"), F.array(*of_features).alias("features")
    )
    return by_hour.select(*HOUR, "feature_source", "play_count", F.inline("features"))


def _count_if_unit(feature: str, condition: Column) -> Column:
    """Null for features that do not range from 0 to 1: low and high are defined for those alone."""
    return F.count_if(condition) if feature in UNIT_FEATURES else F.lit(None).cast("bigint")


def plays(where: Column | None = None) -> Column:
    """Number of plays in the aggregated rows.

    Args:
        where: condition on the key columns, or on columns derived from them; None for all rows.
    """
    # Each play is counted in the rows of all features, so one feature is enough.
    return F.coalesce(total("play_count", FEATURES[0], where), F.lit(0))


def total(column: str, feature: str, where: Column | None = None) -> Column:
    """Sum of a column over the rows of a feature; null without rows."""
    return F.sum(F.when(_is_of(feature, where), F.col(column)))


def mean(feature: str, where: Column | None = None) -> Column:
    """Mean of a feature over the plays with a known value; null if there are none."""
    return F.try_divide(total("value_sum", feature, where), total("known_plays", feature, where))


def deviation(feature: str, where: Column | None = None) -> Column:
    """Sample standard deviation of a feature; null below two plays with a known value."""
    return moments.deviation(moments.merged(F.when(_is_of(feature, where), _moments())))


def _moments() -> Column:
    """Moments of the values that a row summarises."""
    count, total = F.col("known_plays"), F.col("value_sum")
    return moments.moments(count, total / count, F.col("square_sum"), F.col("min"), F.col("max"))


def _is_of(feature: str, where: Column | None) -> Column:
    is_of = F.col("feature_name") == feature
    return is_of if where is None else is_of & where
