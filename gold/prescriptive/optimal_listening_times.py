"""Which activity does the music of each hour suit, and does it differ from the listener's usual?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.shared.caveats import TESTED_BY_TIME
from gold.shared.hourly_music import ABOVE, BELOW, USUAL, music_by_hour, numbers
from gold.shared.song_lists import MOOD_LIFT
from gold.shared.wording import sentence
from lakehouse.contract import expression, in_range, table
from silver.rules.feature_source import HIGH, LOW


@table(
    grain="One row per listener and local hour with at least 20 measured plays.",
    key="listener hour_of_day",
    columns=(
        "listener hour_of_day mood_state predicted_valence avg_energy sample_size valence_ci_low valence_ci_high "
        "recommended_activity wellbeing_tip"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("predicted_valence", 0, 1),
        in_range("avg_energy", 0, 1),
        expression("interval is not upside down", "valence_ci_low <= valence_ci_high"),
    ],
    caveats=(*TESTED_BY_TIME, "single_listener"),
)
def optimal_listening_times(
    plays_by_hour: DataFrame, sampled_plays: DataFrame, mood_predictions: DataFrame
) -> DataFrame:
    """Words and interval use measured plays (see `hourly_music`), avg_energy featured ones.

    predicted_valence is the mood model's mean prediction for the hour's plays, null where it has none.
    """
    predicted = mood_predictions.groupBy("listener", "hour_of_day").agg(
        F.avg("predicted_valence").alias("predicted_valence")
    )
    by_hour = music_by_hour(plays_by_hour, sampled_plays).join(predicted, on=["listener", "hour_of_day"], how="left")
    return by_hour.select(
        "listener", "hour_of_day", _mood_state().alias("mood_state"), "predicted_valence", "avg_energy", "sample_size",
        "valence_ci_low", "valence_ci_high", _activity().alias("recommended_activity"), _tip().alias("wellbeing_tip"),
    )  # fmt: skip


def _level(name: str, high: str, middle: str, low: str) -> Column:
    value = F.col(f"hour_{name}")
    return F.when(value >= HIGH, high).when(value < LOW, low).otherwise(middle)


def _is_usual() -> Column:
    return (F.col("valence_is") == USUAL) & (F.col("energy_is") == USUAL)


def _mood_state() -> Column:
    """Such as 'Bright & energetic, as usual' or 'Mixed & calm, calmer than usual'."""
    level = F.concat(
        _level("valence", "Bright", "Mixed", "Dark"),
        F.lit(" & "),
        _level("energy", "energetic", "moderate", "calm"),
    )
    differences = F.concat_ws(
        " and ",
        F.when(F.col("valence_is") == ABOVE, "brighter").when(F.col("valence_is") == BELOW, "darker"),
        F.when(F.col("energy_is") == ABOVE, "livelier").when(F.col("energy_is") == BELOW, "calmer"),
    )
    return F.when(_is_usual(), F.concat(level, F.lit(", as usual"))).otherwise(
        F.concat(level, F.lit(", "), differences, F.lit(" than usual"))
    )


def _activity() -> Column:
    goes_with = _level("energy", "moving: exercise, chores or a walk", "everyday things", "winding down or reading")
    compared = (
        F.when(F.col("energy_is") == ABOVE, "livelier than usual")
        .when(F.col("energy_is") == BELOW, "calmer than usual")
        .otherwise("no different from usual")
    )
    return sentence("Music for %s; its %s is %s.", goes_with, numbers("energy"), compared)


def _tip() -> Column:
    measured = sentence(
        "Music between %s:00 and %s:59 has %s over %s measured plays",
        F.col("hour_of_day"), F.col("hour_of_day"), numbers("valence"), F.col("sample_size"),
    )  # fmt: skip
    advice = (
        F.when(F.col("valence_is") == ABOVE, "brighter than usual, a good hour to keep for music that lifts.")
        .when(
            F.col("valence_is") == BELOW,
            f"darker than usual; if you would like brighter music then, start from the playlist {MOOD_LIFT.name}.",
        )
        .otherwise("no different from usual: choose the music by what you do, not by the clock.")
    )
    return F.concat_ws(": ", measured, advice)
