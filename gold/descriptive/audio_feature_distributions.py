"""How is each audio feature spread over the plays, compared with the catalogue?

A play counts once for each feature whose value is known, so a track that is often played weighs more; in the catalogue
every track weighs the same. Key and mode are described as the numbers they are coded as.
"""

from pyspark.sql import DataFrame, GroupedData
from pyspark.sql import functions as F

from lakehouse.columns import AUDIO_FEATURES
from lakehouse.contract import accepted_values, expression, table

PERCENTILES = {"p25": 0.25, "median": 0.5, "p75": 0.75}


@table(
    grain="One row per audio feature; none as long as there are neither plays nor a catalogue.",
    key="feature_name",
    columns="feature_name play_count mean std_dev min p25 median p75 max catalogue_mean catalogue_std_dev",
    checks=[
        accepted_values("feature_name", *AUDIO_FEATURES),
        expression("a mean exactly where there are plays", "(play_count > 0) = (mean IS NOT NULL)"),
    ],
    caveats=["features_from_catalogue", "features_estimated", "synthetic_features", "track_not_listener"],
)
def audio_feature_distributions(listening_with_features: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """Percentiles are exact, by linear interpolation; deviations are of a sample, null below two values."""
    of_plays = _by_feature(listening_with_features).agg(
        F.count("value").alias("play_count"),
        F.avg("value").alias("mean"),
        F.stddev_samp("value").alias("std_dev"),
        F.min("value").alias("min"),
        F.percentile("value", list(PERCENTILES.values())).alias("percentiles"),
        F.max("value").alias("max"),
    )
    of_catalogue = _by_feature(catalogue_tracks).agg(
        F.avg("value").alias("catalogue_mean"), F.stddev_samp("value").alias("catalogue_std_dev")
    )
    return of_plays.join(of_catalogue, on="feature_name", how="full").select(
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


def _by_feature(frame: DataFrame) -> GroupedData:
    """One `value` per row of the frame and audio feature, null where unknown, grouped by `feature_name`."""
    features = [F.col(feature).cast("double") for feature in AUDIO_FEATURES]
    long = frame.select(*features).unpivot([], list(AUDIO_FEATURES), "feature_name", "value")
    return long.groupBy("feature_name")
