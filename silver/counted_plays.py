"""Which reported plays count, and which are reports of the same play?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from bronze.plays import SHORTEST_COUNTED_MS

SAME_PLAY_SECONDS = 60


def counted_plays(history: DataFrame) -> DataFrame:
    """Plays of at least 30 s, or of unknown length; bronze holds tracks only."""
    return history.where(F.col("ms_played").isNull() | (F.col("ms_played") >= SHORTEST_COUNTED_MS))


def distinct_plays(plays: DataFrame) -> DataFrame:
    """Each play once, however many sources report it: the export's row, else the API's, else the account form's.

    Two reports are the same play when they are of the same recording and ended within 60 s of each other, or within
    the same minute for the account form, which knows no seconds. Pairs are made one to one, nearest first. Two plays
    of one source never merge.

    Args:
        plays: with play_id, recording_key, played_at and source.
    """
    of_export = plays.where(F.col("source").isin("extended_history", "demo"))
    of_api = plays.where(F.col("source") == "spotify_api")
    of_account = plays.where(F.col("source") == "account_history")
    apart = F.abs(_seconds("better") - _seconds("worse"))
    kept = of_export.unionByName(_without_repeats(of_api, of_export, apart <= SAME_PLAY_SECONDS))
    same_minute = F.date_trunc("minute", "better.played_at") == F.date_trunc("minute", "worse.played_at")
    return kept.unionByName(_without_repeats(of_account, kept, same_minute))


def _without_repeats(plays: DataFrame, better: DataFrame, close: Column) -> DataFrame:
    """The plays that no play of a better source pairs with."""
    reports = ("play_id", "recording_key", "played_at")
    pairs = (
        plays.select(*reports)
        .alias("worse")
        .join(
            better.select(*reports).alias("better"),
            on=(F.col("worse.recording_key") == F.col("better.recording_key")) & close,
            how="inner",
        )
        .select(
            F.col("worse.recording_key").alias("recording_key"),
            F.struct(
                F.abs(_seconds("better") - _seconds("worse")).alias("seconds_apart"),
                F.col("worse.played_at").alias("worse_played_at"),
                F.col("better.play_id").alias("better"),
                F.col("worse.play_id").alias("worse"),
            ).alias("pair"),
        )
    )
    nearest_first = F.array_sort(F.collect_list("pair"))
    repeats = pairs.groupBy("recording_key").agg(F.explode(_paired(nearest_first)).alias("play_id"))
    return plays.join(repeats, on="play_id", how="left_anti")


def _paired(pairs: Column) -> Column:
    """The worse plays of the pairs taken one to one in the given order."""
    nothing = F.array().cast("array<string>")
    state = F.struct(nothing.alias("taken"), nothing.alias("repeats"))

    def take(taken_so_far: Column, pair: Column) -> Column:
        taken, repeats = taken_so_far["taken"], taken_so_far["repeats"]
        free = ~F.array_contains(taken, pair["better"]) & ~F.array_contains(taken, pair["worse"])
        return F.struct(
            F.when(free, F.concat(taken, F.array(pair["better"], pair["worse"]))).otherwise(taken).alias("taken"),
            F.when(free, F.concat(repeats, F.array(pair["worse"]))).otherwise(repeats).alias("repeats"),
        )

    return F.aggregate(pairs, state, take, lambda end: end["repeats"])


def _seconds(side: str) -> Column:
    return F.unix_micros(f"{side}.played_at") / 1_000_000
