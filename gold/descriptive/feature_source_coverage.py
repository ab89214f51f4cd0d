"""For how many plays are audio features known, and where do they come from?"""

from dataclasses import replace

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.text_hash import text_hash
from lakehouse.contract import Update, accepted_values, in_range, table
from silver.rules.feature_source import FEATURE_SOURCES


@table(
    grain="One row per feature source that occurs.",
    key="feature_source",
    columns="feature_source record_count percentage track_count",
    checks=[accepted_values("feature_source", *FEATURE_SOURCES), in_range("percentage", 0, 100)],
)
def feature_source_coverage(listening_with_features: DataFrame) -> DataFrame:
    """Tracks are counted by id, because each release has its own source; by recording where there is no id."""
    counts = listening_with_features.groupBy("feature_source").agg(
        F.count("*").alias("record_count"), F.count_distinct(_track()).alias("track_count")
    )
    return _coverage(counts)


def _track() -> Column:
    return text_hash(F.coalesce("track_id", "recording_key"))


def _coverage(counts: DataFrame) -> DataFrame:
    all_plays = F.sum("record_count").over(Window.partitionBy())
    return counts.select(
        "feature_source",
        "record_count",
        (100 * F.col("record_count") / all_plays).alias("percentage"),
        "track_count",
    )


def with_new_plays(coverage: DataFrame, plays: DataFrame, new_plays: DataFrame) -> DataFrame:
    """Add new plays to the counts, and those of their tracks that were not played before."""
    heard_now = new_plays.select("feature_source", _track().alias("track")).distinct()
    of_these = plays.withColumn("track", _track()).join(
        F.broadcast(heard_now), on=["feature_source", "track"], how="left_semi"
    )
    heard_before = of_these.join(new_plays.select("play_id"), on="play_id", how="left_anti")
    first_heard = heard_now.join(heard_before, on=["feature_source", "track"], how="left_anti")
    counts = coverage.select("feature_source", "record_count", "track_count")
    played = new_plays.select("feature_source", F.lit(1), F.lit(0))
    tracks = first_heard.select("feature_source", F.lit(0), F.lit(1))
    both = counts.unionAll(played).unionAll(tracks).groupBy("feature_source")
    return _coverage(both.agg(*(F.sum(name).alias(name) for name in ("record_count", "track_count"))))


feature_source_coverage = replace(feature_source_coverage, update=Update("listening_with_features", with_new_plays))
