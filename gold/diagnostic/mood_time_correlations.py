"""How does the music's mood go with the hour of the day, and how sure is that?

Hours whose intervals lie apart differ; those whose intervals overlap may or may not.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold import cluster_robust
from lakehouse.bounded import in_pandas
from lakehouse.contract import expression, in_range, table
from silver.feature_source import is_featured, is_measured


@table(
    grain="One row per local hour with at least one play.",
    key="hour_of_day",
    columns=(
        "hour_of_day avg_valence avg_energy avg_danceability avg_acousticness featured_play_count sample_size "
        "measured_valence valence_stddev energy_stddev valence_ci_low valence_ci_high"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("avg_valence", 0, 1),
        in_range("avg_energy", 0, 1),
        expression("interval is not upside down", "valence_ci_low <= valence_ci_high"),
    ],
    caveats=[
        "features_from_catalogue",
        "features_estimated",
        "tests_measured_only",
        "clock_time_weak",
        "track_not_listener",
    ],
)
def mood_time_correlations(listening_with_features: DataFrame) -> DataFrame:
    """Averages rest on featured plays; measured_valence, spread and interval on measured ones.

    Estimates lie too close together for a spread. The interval is that of `gold.cluster_robust.of_mean` within the
    hour, cut to 0..1.
    """
    by_hour = listening_with_features.groupBy("hour_of_day").agg(
        *(F.avg(name).alias(f"avg_{name}") for name in ("valence", "energy", "danceability", "acousticness")),
        F.count_if(is_featured()).alias("featured_play_count"),
        F.count_if(is_measured()).alias("sample_size"),
        F.avg(F.when(is_measured(), F.col("valence"))).alias("measured_valence"),
        *(F.stddev_samp(F.when(is_measured(), F.col(name))).alias(f"{name}_stddev") for name in ("valence", "energy")),
    )
    intervals = in_pandas(
        listening_with_features.where(is_measured()).select(
            "play_id", "hour_of_day", "recording_key", "date", "valence"
        ),
        lambda plays: cluster_robust.of_means(plays, ["valence"], by="hour_of_day"),
        "hour_of_day int, valence_ci_low double, valence_ci_high double",
        key="play_id",
        max_rows=cluster_robust.MAX_PLAYS,
    )
    return by_hour.join(intervals, on="hour_of_day", how="left").select(
        "hour_of_day", "avg_valence", "avg_energy", "avg_danceability", "avg_acousticness", "featured_play_count",
        "sample_size", "measured_valence", "valence_stddev", "energy_stddev", "valence_ci_low", "valence_ci_high",
    )  # fmt: skip
