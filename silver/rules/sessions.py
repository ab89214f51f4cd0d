"""Plays in sessions: a gap of 30 minutes between the ends of two counted plays starts a new one."""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from silver.rules.counted_plays import MICROS, SAME_PLAY_SECONDS

SESSION_GAP_SECONDS = 30 * 60
# How far back `settled_before` searches for a pause.
LOOK_BACK_SECONDS = 30 * 86_400


def with_session_id(plays: DataFrame) -> DataFrame:
    """Add `session_id`: the unix seconds of the session's first `played_at`.

    Windows run within a UTC day. Which session is open when a day begins is worked out from one row per day, so no
    window ever holds all plays.
    """
    in_day = Window.partitionBy("utc_day").orderBy("played_at", "play_id")
    by_day = plays.withColumn("utc_day", F.to_date("played_at"))
    # Starts within the day; whether the first play of the day starts a session depends on the days before.
    is_start = _is_gap(F.lag("played_at").over(in_day), F.col("played_at"))
    marked = by_day.withColumn("start", F.when(is_start, F.unix_timestamp("played_at")))
    so_far = in_day.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    session = F.coalesce(F.last("start", ignorenulls=True).over(so_far), "opening")
    return (
        marked.join(F.broadcast(_opening_sessions(marked)), on="utc_day", how="inner")
        .withColumn("session_id", session)
        .select(*plays.columns, "session_id")
    )


def settled_before(plays: DataFrame, earliest: int) -> DataFrame:
    """The watermark of an incremental build: no play or session before it depends on plays from `earliest` on.

    It is the end of a pause between sessions. A report can replace another one of the same play that ended up to
    `SAME_PLAY_SECONDS` earlier or later, so the pause must separate sessions even if both its ends move by that much,
    and the watermark lies that much before the next play.

    Args:
        plays: with played_at and session_id, each play once.
        earliest: the instant, in microseconds since 1970.

    Returns:
        One row, settled_before: microseconds since 1970; null if the month before has no such pause.
    """
    reach = 2 * SAME_PLAY_SECONDS * MICROS
    until, since = earliest - reach, earliest - LOOK_BACK_SECONDS * MICROS
    lately = plays.where(F.col("played_at").between(*(F.timestamp_micros(F.lit(end)) for end in (since, until))))
    ends = F.min(F.unix_micros("played_at")).alias("first"), F.max(F.unix_micros("played_at")).alias("last")
    # This window holds one row per session of a month.
    pause = F.col("first") - F.lag("last").over(Window.orderBy("first"))
    sessions = lately.groupBy("session_id").agg(*ends).withColumn("pause", pause)
    separate = sessions.where(F.col("pause") >= SESSION_GAP_SECONDS * MICROS + reach)
    return separate.agg((F.max("first") - reach).alias("settled_before"))


def _opening_sessions(marked: DataFrame) -> DataFrame:
    """One row per UTC day with `opening`, the session of its first play."""
    days = Window.orderBy("utc_day")
    earlier_days = days.rowsBetween(Window.unboundedPreceding, -1)
    by_day = marked.groupBy("utc_day").agg(
        F.min("played_at").alias("first_play"),
        F.max("played_at").alias("last_play"),
        F.max("start").alias("last_start"),
    )
    before = F.lag("last_play").over(days)
    own = F.when(before.isNull() | _is_gap(before, F.col("first_play")), F.unix_timestamp("first_play"))
    with_own = by_day.withColumn("own", own).withColumn("last_start", F.coalesce("last_start", "own"))
    carried = F.last("last_start", ignorenulls=True).over(earlier_days)
    return with_own.select("utc_day", F.coalesce("own", carried).alias("opening"))


def _is_gap(earlier: Column, later: Column) -> Column:
    return F.unix_micros(later) - F.unix_micros(earlier) >= SESSION_GAP_SECONDS * MICROS
