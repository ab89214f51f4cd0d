"""Plays in sessions: a gap of 30 minutes between the ends of two counted plays of a listener starts a new one."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from silver.rules.counted_plays import MICROS

SESSION_GAP_SECONDS = 30 * 60


def with_session_id(plays: DataFrame) -> DataFrame:
    """Add `session_id`: the unix seconds of the session's first `played_at`."""
    by_time = Window.partitionBy("listener").orderBy("played_at", "play_id")
    so_far = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    before = F.lag("played_at").over(by_time)
    gap = F.unix_micros("played_at") - F.unix_micros(before)
    starts = before.isNull() | (gap >= SESSION_GAP_SECONDS * MICROS)
    marked = plays.withColumn("start", F.when(starts, F.unix_timestamp("played_at")))
    return marked.withColumn("session_id", F.last("start", ignorenulls=True).over(so_far)).drop("start")
