"""How does the music's mood go with the hour of the day, and how sure is that?

Hours whose intervals lie apart differ; those whose intervals overlap may or may not.
"""

from pyspark.sql import DataFrame

from gold.shared import cluster_robust
from gold.shared.caveats import TESTED_BY_TIME
from lakehouse.contract import expression, in_range, table
from silver.plays_by_hour import deviation, mean, plays
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_featured, is_measured
from silver.sampled_plays import MAX_PLAYS


@table(
    grain="One row per listener and local hour with at least one play.",
    key="listener hour_of_day",
    columns=(
        "listener hour_of_day avg_valence avg_energy avg_danceability avg_acousticness featured_play_count sample_size "
        "measured_valence valence_stddev energy_stddev valence_ci_low valence_ci_high"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("avg_valence", 0, 1),
        in_range("avg_energy", 0, 1),
        expression("interval is not upside down", "valence_ci_low <= valence_ci_high"),
    ],
    caveats=TESTED_BY_TIME,
)
def mood_time_correlations(plays_by_hour: DataFrame, sampled_plays: DataFrame) -> DataFrame:
    """Averages use featured plays; measured_valence, spread and interval measured ones.

    Estimates vary too little for a spread. The interval is that of `cluster_robust.of_mean` within the
    hour, cut to 0..1.
    """
    by_hour = plays_by_hour.groupBy("listener", "hour_of_day").agg(
        *(mean(name).alias(f"avg_{name}") for name in ("valence", "energy", "danceability", "acousticness")),
        plays(is_featured()).alias("featured_play_count"),
        plays(is_measured()).alias("sample_size"),
        mean("valence", is_measured()).alias("measured_valence"),
        *(deviation(name, is_measured()).alias(f"{name}_stddev") for name in ("valence", "energy")),
    )
    intervals = in_pandas(
        sampled_plays.select("listener", "play_id", "hour_of_day", "recording_key", "date", "valence"),
        lambda tested: cluster_robust.of_means(tested, ["valence"], by="hour_of_day"),
        "hour_of_day int, valence_ci_low double, valence_ci_high double",
        key="play_id",
        max_rows=MAX_PLAYS,
    )
    return by_hour.join(intervals, on=["listener", "hour_of_day"], how="left").select(
        "listener", "hour_of_day", "avg_valence", "avg_energy", "avg_danceability", "avg_acousticness",
        "featured_play_count", "sample_size", "measured_valence", "valence_stddev", "energy_stddev", "valence_ci_low",
        "valence_ci_high",
    )  # fmt: skip
