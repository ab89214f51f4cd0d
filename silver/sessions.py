"""Plays in sessions: a gap of 30 minutes between the ends of two counted plays starts a new one."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

SESSION_GAP_SECONDS = 30 * 60


def with_session_id(plays: DataFrame) -> DataFrame:
    """Add `session_id`: the unix seconds of the session's first `played_at`.

    Windows run within a UTC day; what a day needs of the days before it, its last play and its last session start,
    comes from one row per day. So no window ever holds all plays.
    """
    in_day = Window.partitionBy("utc_day").orderBy("played_at", "play_id")
    by_day = plays.withColumn("utc_day", F.to_date("played_at"))
    last_plays = by_day.groupBy("utc_day").agg(F.max("played_at").alias("last_played_at"))
    days = Window.orderBy("utc_day")
    before = last_plays.select("utc_day", F.lag("last_played_at").over(days).alias("played_before"))
    previous = F.coalesce(F.lag("played_at").over(in_day), "played_before")
    gap = (F.unix_micros("played_at") - F.unix_micros(previous)) / 1_000_000
    starts = by_day.join(F.broadcast(before), on="utc_day", how="inner").withColumn(
        "start", F.when(previous.isNull() | (gap >= SESSION_GAP_SECONDS), F.unix_timestamp("played_at"))
    )
    last_starts = starts.groupBy("utc_day").agg(F.max("start").alias("last_start"))
    earlier_days = days.rowsBetween(Window.unboundedPreceding, -1)
    carried = last_starts.select("utc_day", F.last("last_start", ignorenulls=True).over(earlier_days).alias("carried"))
    so_far = in_day.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    session = F.coalesce(F.last("start", ignorenulls=True).over(so_far), "carried")
    return (
        starts.join(F.broadcast(carried), on="utc_day", how="inner")
        .withColumn("session_id", session)
        .drop("utc_day", "played_before", "start", "carried")
    )
