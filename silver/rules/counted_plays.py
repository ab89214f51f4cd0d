"""Which reported plays count, and which are reports of the same play?"""

from collections.abc import Callable

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from bronze.delivered.plays import SHORTEST_COUNTED_MS

SAME_PLAY_SECONDS = 60
MICROS = 1_000_000
OF_API, OF_ACCOUNT = "spotify_api", "account_history"


def counted_plays(history: DataFrame) -> DataFrame:
    """Plays of at least 30 s, or of unknown length; bronze holds tracks only."""
    return history.where(F.col("ms_played").isNull() | (F.col("ms_played") >= SHORTEST_COUNTED_MS))


def distinct_plays(plays: DataFrame) -> DataFrame:
    """Each play of a listener once, however many report it: the export's row, else the API's, else the account form's.

    Two reports are the same play when they are of the same recording and ended within 60 s of each other, or within
    the same minute for the account form, which knows no seconds. Pairs are made one to one, nearest first. Two plays
    of one source never merge.

    Reports of the same play always lie in one chain: reports of a recording, each at most 60 s after the one before. So
    only the few rows of a chain are compared with each other, and the history is read once.

    Args:
        plays: with listener, play_id, recording_key, played_at and source.
    """
    by_time = Window.partitionBy("listener", "recording_key").orderBy("played_at", "play_id")
    chain = Window.partitionBy("listener", "recording_key", "chain")
    report = F.struct(F.col("source"), F.unix_micros("played_at").alias("micros"), "play_id")
    gap = F.unix_micros("played_at") - F.unix_micros(F.lag("played_at").over(by_time))
    chained = plays.withColumn("follows", F.coalesce(gap <= SAME_PLAY_SECONDS * MICROS, F.lit(False)))
    chained = chained.withColumn("chain", F.count_if(~F.col("follows")).over(by_time))
    chained = chained.withColumn("reports", F.collect_list(report).over(chain))
    has_sources = F.size(F.array_distinct(F.col("reports.source"))) > 1
    is_repeat = has_sources & F.array_contains(_repeats(F.col("reports")), F.col("play_id"))
    return chained.where(~is_repeat).select(*plays.columns)


def _repeats(reports: Column) -> Column:
    """Ids of the chain's reports that repeat a report of a better source."""
    of_api = F.filter(reports, lambda report: report["source"] == OF_API)
    of_account = F.filter(reports, lambda report: report["source"] == OF_ACCOUNT)
    # Everything else counts as the export, so that reports of an unknown source are never dropped.
    of_export = F.filter(reports, lambda report: ~F.coalesce(report["source"].isin(OF_API, OF_ACCOUNT), F.lit(False)))
    api_pairs = _pair_nearest(of_api, of_export, _within_a_minute)

    def as_its_play(report: Column) -> Column:
        """Match the account form against the API's time, too, where it differs from the export's: all are one play."""
        partner = F.get(F.filter(api_pairs, lambda pair: pair["worse"] == report["play_id"]), F.lit(0))["better"]
        return report.withField("play_id", F.coalesce(partner, report["play_id"]))

    better = F.concat(of_export, F.transform(of_api, as_its_play))
    pairs = F.concat(api_pairs, _pair_nearest(of_account, better, _in_the_same_minute))
    return F.transform(pairs, lambda pair: pair["worse"])


def _pair_nearest(worse: Column, better: Column, is_close: Callable[[Column, Column], Column]) -> Column:
    """Pairs of close reports, one to one and nearest first, as structs of their play ids."""

    def pairs_of(report: Column) -> Column:
        close = F.filter(better, lambda other: is_close(report, other))
        return F.transform(
            close,
            lambda other: F.struct(
                F.abs(report["micros"] - other["micros"]).alias("apart"),
                report["micros"].alias("worse_micros"),
                other["micros"].alias("better_micros"),
                other["play_id"].alias("better"),
                report["play_id"].alias("worse"),
            ),
        )

    def take(taken: Column, pair: Column) -> Column:
        found = F.array(F.struct(pair["better"].alias("better"), pair["worse"].alias("worse")))
        is_taken = F.exists(
            taken, lambda other: (other["better"] == pair["better"]) | (other["worse"] == pair["worse"])
        )
        return F.when(is_taken, taken).otherwise(F.concat(taken, found))

    nothing = F.array().cast("array<struct<better:string,worse:string>>")
    return F.aggregate(F.array_sort(F.flatten(F.transform(worse, pairs_of))), nothing, take)


def _within_a_minute(one: Column, other: Column) -> Column:
    return F.abs(one["micros"] - other["micros"]) <= SAME_PLAY_SECONDS * MICROS


def _in_the_same_minute(one: Column, other: Column) -> Column:
    minute = 60 * MICROS
    return F.floor(one["micros"] / minute) == F.floor(other["micros"] / minute)
