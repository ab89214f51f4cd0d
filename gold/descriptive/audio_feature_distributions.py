"""How is each audio feature spread over the plays, compared with the catalogue?

A play counts once for each feature whose value is known, so a track that is often played weighs more; in the catalogue
every track weighs the same. Key and mode are described by their numeric codes.
"""

from pyspark.sql import Column, DataFrame, GroupedData
from pyspark.sql import functions as F

from gold.shared.caveats import AVERAGES
from lakehouse.contract import accepted_values, expression, table
from lakehouse.contract.columns import AUDIO_FEATURES

PERCENTILES = {"p25": 0.25, "median": 0.5, "p75": 0.75}


@table(
    grain="One row per listener and audio feature.",
    key="listener feature_name",
    columns="listener feature_name play_count mean std_dev min p25 median p75 max catalogue_mean catalogue_std_dev",
    checks=[
        accepted_values("feature_name", *AUDIO_FEATURES),
        expression("a mean exactly where there are plays", "(play_count > 0) = (mean IS NOT NULL)"),
    ],
    caveats=AVERAGES,
)
def audio_feature_distributions(listening_with_features: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """Percentiles are exact, with linear interpolation; std_dev is of a sample, null below two values."""
    by_feature = _by_feature(listening_with_features).agg(
        _count().alias("play_count"),
        _mean().alias("mean"),
        _deviation().alias("std_dev"),
        F.min("value").alias("min"),
        F.percentile("value", list(PERCENTILES.values()), F.col("times")).alias("percentiles"),
        F.max("value").alias("max"),
    )
    return by_feature.join(_catalogue_figures(catalogue_tracks), on="feature_name", how="left").select(
        "listener",
        "feature_name",
        F.coalesce("play_count", F.lit(0)).alias("play_count"),
        "mean",
        "std_dev",
        "min",
        *(F.col("percentiles")[position].alias(name) for position, name in enumerate(PERCENTILES)),
        "max",
        "catalogue_mean",
        "catalogue_std_dev",
    )


def _catalogue_figures(tracks: DataFrame) -> DataFrame:
    """Mean and deviation of each audio feature; no rows without tracks."""
    features = [
        F.struct(
            F.lit(name).alias("feature_name"),
            F.avg(name).alias("catalogue_mean"),
            F.stddev_samp(name).alias("catalogue_std_dev"),
        )
        for name in AUDIO_FEATURES
    ]
    found = tracks.agg(F.array(*features).alias("features"), F.count(F.lit(1)).alias("tracks"))
    return found.where("tracks > 0").select(F.inline("features"))


def _by_feature(plays: DataFrame) -> GroupedData:
    """Values of each audio feature, null where unknown, with their number of `times`, by listener and feature.

    Plays with the same features, such as those of a track, are counted first, which leaves fewer values to aggregate.
    """
    features = [F.col(feature).cast("double").alias(feature) for feature in AUDIO_FEATURES]
    counted = plays.groupBy("listener", *features).agg(F.count(F.lit(1)).alias("times"))
    return counted.unpivot(["listener", "times"], list(AUDIO_FEATURES), "feature_name", "value").groupBy(
        "listener", "feature_name"
    )


def _count() -> Column:
    return F.sum(F.when(F.col("value").isNotNull(), F.col("times")))


def _mean() -> Column:
    return F.try_divide(F.sum(F.col("value") * F.col("times")), _count())


def _deviation() -> Column:
    squares = F.sum(F.col("value") * F.col("value") * F.col("times")) - _mean() * _mean() * _count()
    # Rounding of the sums must not make equal values deviate.
    spread = F.when(F.min("value") < F.max("value"), F.greatest(squares, F.lit(0.0))).otherwise(0.0)
    return F.sqrt(F.try_divide(spread, F.nullif(_count() - 1, F.lit(0))))
