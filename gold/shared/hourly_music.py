"""How does the music of each local hour compare with the listener's usual, and how sure is that?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.shared import cluster_robust
from gold.shared.wording import ENOUGH_PLAYS, number, rounded, sentence
from silver.plays_by_hour import mean, plays, total
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_measured
from silver.sampled_plays import MAX_PLAYS

ABOVE, BELOW, USUAL = "above", "below", "usual"


def music_by_hour(plays_by_hour: DataFrame, sampled_plays: DataFrame) -> DataFrame:
    """The measured music of each listener's local hours with at least 20 measured plays.

    An hour differs from the usual where the 95 % interval of its mean (`cluster_robust.of_mean`: clustered by recording
    and date) does not contain the mean of all measured plays; by chance alone that happens to one hour in 20. An hour
    without an interval counts as usual.

    Args:
        plays_by_hour: rows of that table.
        sampled_plays: rows of that table, for the intervals.

    Returns:
        One row per listener and hour: listener, hour_of_day, total_plays (counted), sample_size (measured),
        low_mood_count, avg_valence and avg_energy of featured plays, and for valence and energy the measured mean
        (`hour_valence`), that of all hours (`usual_valence`), valence_ci_low, valence_ci_high and valence_is: 'above',
        'below' or 'usual'.
    """
    by_hour = plays_by_hour.groupBy("listener", "hour_of_day").agg(
        plays().alias("total_plays"),
        plays(is_measured()).alias("sample_size"),
        F.coalesce(total("low_plays", "valence", is_measured()), F.lit(0)).alias("low_mood_count"),
        *(mean(name).alias(f"avg_{name}") for name in ("valence", "energy")),
        *(rounded(mean(name, is_measured())).alias(f"hour_{name}") for name in ("valence", "energy")),
    )
    usual = plays_by_hour.groupBy("listener").agg(
        *(rounded(mean(name, is_measured())).alias(f"usual_{name}") for name in ("valence", "energy"))
    )
    intervals = in_pandas(
        sampled_plays.select("listener", "play_id", "hour_of_day", "recording_key", "date", "valence", "energy"),
        lambda rows: cluster_robust.of_means(rows, ("valence", "energy"), by="hour_of_day"),
        "hour_of_day int, valence_ci_low double, valence_ci_high double, energy_ci_low double, energy_ci_high double",
        key="play_id",
        max_rows=MAX_PLAYS,
    )
    return (
        by_hour.where(F.col("sample_size") >= ENOUGH_PLAYS)
        .join(intervals, on=["listener", "hour_of_day"], how="left")
        .join(F.broadcast(usual), on="listener", how="inner")
        .withColumns({f"{name}_is": _compare_with_usual(name) for name in ("valence", "energy")})
    )


def numbers(name: str) -> Column:
    """The hour's mean with its interval and the usual mean: 'valence 0.62 (0.55 to 0.69; usual 0.65)'."""
    low, high = number(F.col(f"{name}_ci_low")), number(F.col(f"{name}_ci_high"))
    return sentence(f"{name} %s (%s to %s; usual %s)", number(_hour(name)), low, high, number(_usual(name)))


def _compare_with_usual(name: str) -> Column:
    return (
        F.when(rounded(F.col(f"{name}_ci_low")) > _usual(name), ABOVE)
        .when(rounded(F.col(f"{name}_ci_high")) < _usual(name), BELOW)
        .otherwise(USUAL)
    )


def _hour(name: str) -> Column:
    return F.col(f"hour_{name}")


def _usual(name: str) -> Column:
    return F.col(f"usual_{name}")
