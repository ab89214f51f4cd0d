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
    of_api, of_account = F.col("source") == "spotify_api", F.col("source") == "account_history"
    reports = plays.select("play_id", "recording_key", "played_at", "source")
    of_export = reports.where(~F.coalesce(of_api | of_account, F.lit(False)))
    apart = F.abs(_seconds("better") - _seconds("worse"))
    api_repeats = _repeats(reports.where(of_api), of_export, apart <= SAME_PLAY_SECONDS)
    # The account form may agree with the API's time where the export's differs: all three are one play.
    by_api = (
        reports.where(of_api)
        .join(api_repeats, on="play_id", how="left")
        .withColumn("play_id", F.coalesce("repeats", "play_id"))
        .drop("repeats")
    )
    same_minute = F.date_trunc("minute", "better.played_at") == F.date_trunc("minute", "worse.played_at")
    account_repeats = _repeats(reports.where(of_account), of_export.unionByName(by_api), same_minute)
    return plays.join(api_repeats.unionByName(account_repeats), on="play_id", how="left_anti")


def _repeats(plays: DataFrame, better: DataFrame, close: Column) -> DataFrame:
    """The plays that a better source reports too, with the play that each `repeats`."""
    pairs = (
        plays.alias("worse")
        .join(
            better.alias("better"),
            on=(F.col("worse.recording_key") == F.col("better.recording_key")) & close,
            how="inner",
        )
        .select(
            F.col("worse.recording_key").alias("recording_key"),
            F.struct(
                F.abs(_seconds("better") - _seconds("worse")).alias("seconds_apart"),
                F.col("worse.played_at").alias("worse_played_at"),
                F.col("better.played_at").alias("better_played_at"),
                F.col("better.play_id").alias("better"),
                F.col("worse.play_id").alias("worse"),
            ).alias("pair"),
        )
    )
    nearest_first = F.array_sort(F.collect_list("pair"))
    paired = pairs.groupBy("recording_key").agg(F.explode(_paired(nearest_first)).alias("pair"))
    return paired.select(F.col("pair.worse").alias("play_id"), F.col("pair.better").alias("repeats"))


def _paired(pairs: Column) -> Column:
    """The pairs that are taken one to one in the given order, as structs of `better` and `worse`."""
    nothing = F.array().cast("array<struct<better:string,worse:string>>")

    def take(taken: Column, pair: Column) -> Column:
        is_free = ~F.exists(
            taken, lambda other: (other["better"] == pair["better"]) | (other["worse"] == pair["worse"])
        )
        found = F.array(F.struct(pair["better"].alias("better"), pair["worse"].alias("worse")))
        return F.when(is_free, F.concat(taken, found)).otherwise(taken)

    return F.aggregate(pairs, nothing, take)


def _seconds(side: str) -> Column:
    return F.unix_micros(f"{side}.played_at") / 1_000_000
