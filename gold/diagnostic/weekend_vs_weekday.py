"""Does the listener play other music at weekends than on weekdays, or more of it?"""

import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared import cluster_robust
from gold.shared.caveats import TESTED_BY_TIME
from lakehouse.contract import accepted_values, in_range, table
from silver.plays_by_hour import deviation, mean, plays
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_featured, is_measured
from silver.sampled_plays import MAX_PLAYS

WEEKEND, WEEKDAY = "Weekend", "Weekday"
AVERAGED = ("valence", "energy", "danceability", "tempo", "acousticness")
TEST = ("valence_p_value", "valence_difference_ci_low", "valence_difference_ci_high")


@table(
    grain="One row per listener and period that has plays: 'Weekday' and 'Weekend'.",
    key="listener period",
    columns=(
        "listener period total_plays plays_per_day avg_valence avg_energy avg_danceability avg_tempo avg_acousticness "
        "featured_play_count sample_size measured_valence valence_stddev energy_stddev valence_difference "
        "valence_p_value valence_difference_ci_low valence_difference_ci_high"
    ),
    checks=[accepted_values("period", WEEKDAY, WEEKEND), in_range("valence_p_value", 0, 1)],
    caveats=TESTED_BY_TIME,
)
def weekend_vs_weekday(
    listening_with_features: DataFrame, plays_by_hour: DataFrame, sampled_plays: DataFrame
) -> DataFrame:
    """Averages and their difference use featured plays, everything else measured ones alone.

    So p-value and interval belong to the difference between the two values of measured_valence. The test is
    `cluster_robust.of_difference`. plays_per_day counts the calendar dates from the first play to the last, also
    those without plays.
    """
    by_period = plays_by_hour.groupBy("listener", _period(F.col("is_weekend")).alias("period")).agg(
        plays().alias("total_plays"),
        *(mean(name).alias(f"avg_{name}") for name in AVERAGED),
        plays(is_featured()).alias("featured_play_count"),
        plays(is_measured()).alias("sample_size"),
        mean("valence", is_measured()).alias("measured_valence"),
        *(deviation(name, is_measured()).alias(f"{name}_stddev") for name in ("valence", "energy")),
    )
    test = in_pandas(
        sampled_plays.select("listener", "play_id", "is_weekend", "recording_key", "date", "valence"),
        _test,
        f"period string, {', '.join(f'{name} double' for name in TEST)}",
        key="play_id",
        max_rows=MAX_PLAYS,
    )
    both_rows = Window.partitionBy("listener")
    weekend, weekday = (
        F.max(F.when(F.col("period") == period, F.col("avg_valence"))).over(both_rows) for period in (WEEKEND, WEEKDAY)
    )
    return (
        by_period.withColumn("valence_difference", weekend - weekday)
        .join(_calendar_dates(listening_with_features), on=["listener", "period"], how="inner")
        .join(test, on=["listener", "period"], how="left")
        .select(
            "listener", "period", "total_plays", (F.col("total_plays") / F.col("date_count")).alias("plays_per_day"),
            *(f"avg_{name}" for name in AVERAGED), "featured_play_count", "sample_size", "measured_valence",
            "valence_stddev", "energy_stddev", "valence_difference", *TEST,
        )
    )  # fmt: skip


def _period(is_weekend: Column) -> Column:
    return F.when(is_weekend, WEEKEND).otherwise(WEEKDAY)


def _calendar_dates(plays: DataFrame) -> DataFrame:
    """The number of dates of each period from a listener's first play to the last."""
    span = plays.groupBy("listener").agg(F.min("date").alias("first"), F.max("date").alias("last"))
    dates = span.select("listener", F.explode(F.sequence("first", "last")).alias("date"))
    return dates.groupBy("listener", _period(F.weekday("date") >= 5).alias("period")).agg(
        F.count(F.lit(1)).alias("date_count")
    )


def _test(plays: pd.DataFrame) -> pd.DataFrame:
    """The same test on both rows."""
    found = cluster_robust.of_difference(plays, "valence", plays["is_weekend"])
    values = (found.p_value, found.ci_low, found.ci_high)
    return pd.DataFrame([(WEEKDAY, *values), (WEEKEND, *values)], columns=["period", *TEST])
