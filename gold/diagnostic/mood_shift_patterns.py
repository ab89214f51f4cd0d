"""At which hours does the mood of the music stay, and at which does it jump from one play to the next?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.caveats import MEASURED
from gold.shared.consecutive_plays import consecutive_measured_plays
from gold.shared.wording import DIGITS
from lakehouse.contract import accepted_values, in_range, table

STABLE_UP_TO = 0.2
MINOR_UP_TO = 0.5
KEY = ("listener", "hour_of_day", "shift_magnitude")
CHANGES = ("valence_change", "energy_change")
# Changes cancel one another: as whole numbers of the last digit, they have the same sum in any order.
WHOLE = 10**DIGITS


@table(
    grain="One row per listener, hour and shift_magnitude; a shift joins two consecutive measured plays of a session.",
    key="listener hour_of_day shift_magnitude",
    columns=(
        "listener hour_of_day shift_magnitude shift_count shift_probability lift avg_valence_change avg_energy_change"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("shift_probability", 0, 1),
        accepted_values("shift_magnitude", "Stable", "Minor_Shift", "Major_Shift"),
    ],
    caveats=MEASURED,
)
def mood_shift_patterns(listening_with_features: DataFrame) -> DataFrame:
    """Shifts by the hour of the later play; see `gold.shared.consecutive_plays` for what a pair is.

    shift_probability is the share of the hour's shifts; lift is that share over the share in all hours together, so 1
    where magnitude and hour are independent.
    """
    change = F.greatest(*(F.abs(name) for name in CHANGES))
    magnitude = (
        F.when(change <= STABLE_UP_TO, "Stable").when(change <= MINOR_UP_TO, "Minor_Shift").otherwise("Major_Shift")
    )
    shifts = (
        consecutive_measured_plays(listening_with_features)
        .withColumn("shift_magnitude", magnitude)
        .groupBy(*KEY)
        .agg(
            F.count(F.lit(1)).alias("shift_count"),
            *(F.sum(_in_billionths(F.col(name))).alias(name) for name in CHANGES),
        )
    )
    of_hour, of_magnitude, of_all = (
        F.sum("shift_count").over(Window.partitionBy("listener", *columns))
        for columns in (["hour_of_day"], ["shift_magnitude"], [])
    )
    return (
        shifts.withColumn("shift_probability", F.col("shift_count") / of_hour)
        .withColumn("lift", F.col("shift_probability") / (of_magnitude / of_all))
        .select(
            *KEY, "shift_count", "shift_probability", "lift",
            *((F.col(name) / WHOLE / F.col("shift_count")).alias(f"avg_{name}") for name in CHANGES),
        )
    )  # fmt: skip


def _in_billionths(change: Column) -> Column:
    return F.round(change * WHOLE).cast("bigint")
