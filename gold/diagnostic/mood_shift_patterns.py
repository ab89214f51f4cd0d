"""At which hours does the mood of the music stay, and at which does it jump from one play to the next?"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.consecutive_plays import consecutive_measured_plays
from lakehouse.contract import accepted_values, in_range, table

STABLE_UP_TO = 0.2
MINOR_UP_TO = 0.5


@table(
    grain="One row per hour and shift_magnitude; a shift joins two consecutive measured plays of one session.",
    key="hour_of_day shift_magnitude",
    columns=("hour_of_day shift_magnitude shift_count shift_probability lift avg_valence_change avg_energy_change"),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("shift_probability", 0, 1),
        accepted_values("shift_magnitude", "Stable", "Minor_Shift", "Major_Shift"),
    ],
    caveats=["features_from_catalogue", "measured_only", "track_not_listener"],
)
def mood_shift_patterns(listening_with_features: DataFrame) -> DataFrame:
    """Shifts by the hour of the later play; see `gold.consecutive_plays` for what a pair is.

    shift_probability is the share of the hour's shifts; lift is that share over the one of all hours together, so 1
    where magnitude and hour are independent.
    """
    change = F.greatest(F.abs("valence_change"), F.abs("energy_change"))
    magnitude = (
        F.when(change <= STABLE_UP_TO, "Stable").when(change <= MINOR_UP_TO, "Minor_Shift").otherwise("Major_Shift")
    )
    shifts = (
        consecutive_measured_plays(listening_with_features)
        .groupBy("hour_of_day", magnitude.alias("shift_magnitude"))
        .agg(
            F.count(F.lit(1)).alias("shift_count"),
            F.avg("valence_change").alias("avg_valence_change"),
            F.avg("energy_change").alias("avg_energy_change"),
        )
    )
    of_hour, of_magnitude, of_all = (
        F.sum("shift_count").over(Window.partitionBy(*columns))
        for columns in (["hour_of_day"], ["shift_magnitude"], [])
    )
    return (
        shifts.withColumn("shift_probability", F.col("shift_count") / of_hour)
        .withColumn("lift", F.col("shift_probability") / (of_magnitude / of_all))
        .select(
            "hour_of_day", "shift_magnitude", "shift_count", "shift_probability", "lift", "avg_valence_change",
            "avg_energy_change",
        )
    )  # fmt: skip
