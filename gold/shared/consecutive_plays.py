"""Which measured play follows which within a session?"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.wording import rounded
from silver.rules.feature_source import is_measured


def with_new_pairs(
    known: DataFrame, aggregate: Callable[[DataFrame], DataFrame], plays: DataFrame, new_plays: DataFrame
) -> DataFrame:
    """Update sums over pairs: the sessions with new plays add their new sums and subtract their previous ones.

    Args:
        known: sums over the pairs of all plays but the new ones: two key columns, the number of pairs, any other sums.
        aggregate: computes such a frame from plays.
        plays: all plays.
        new_plays: the plays that are missing from `known`.
    """
    sessions = F.broadcast(new_plays.select("session_id").distinct())
    recent = plays.where(F.col("session_id") >= new_plays.agg(F.min("session_id")).scalar())
    complete = recent.join(sessions, on="session_id", how="left_semi")
    before = complete.join(new_plays.select("play_id"), on="play_id", how="left_anti")
    key, sums = known.columns[:2], known.columns[2:]
    previous = aggregate(before).select(*key, *(-F.col(name) for name in sums))
    both = known.unionAll(aggregate(complete)).unionAll(previous).groupBy(*key)
    return both.agg(*(F.sum(name).alias(name) for name in sums)).where(F.col(sums[0]) > 0)


def consecutive_measured_plays(listening_with_features: DataFrame) -> DataFrame:
    """Pairs of consecutive measured plays of a session; its last measured play begins no pair.

    Plays without measured valence and energy are skipped and do not separate their neighbours: a pair says how the
    known music of a session moves on, with or without unknown music in between.

    Returns:
        One row per pair: play_id (unique), recording_key, date and hour_of_day of the later play, mood_category,
        next_mood_category, valence_change and energy_change (later minus earlier).
    """
    known = is_measured() & F.col("valence").isNotNull() & F.col("energy").isNotNull()
    in_session = Window.partitionBy("session_id").orderBy("played_at", "play_id")

    def following(column: str) -> Column:
        return F.lead(column).over(in_session)

    return (
        listening_with_features.where(known)
        .select(
            *(following(name).alias(name) for name in ("play_id", "recording_key", "date", "hour_of_day")),
            "mood_category",
            following("mood_category").alias("next_mood_category"),
            rounded(following("valence") - F.col("valence")).alias("valence_change"),
            rounded(following("energy") - F.col("energy")).alias("energy_change"),
        )
        .where("hour_of_day IS NOT NULL")
    )
