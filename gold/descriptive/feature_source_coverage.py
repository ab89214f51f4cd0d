"""For how many plays are audio features known, and where do they come from?"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.text_hash import text_hash
from lakehouse.contract import accepted_values, in_range, table
from silver.rules.feature_source import FEATURE_SOURCES


@table(
    grain="One row per listener and feature source that occurs.",
    key="listener feature_source",
    columns="listener feature_source record_count percentage track_count",
    checks=[accepted_values("feature_source", *FEATURE_SOURCES), in_range("percentage", 0, 100)],
)
def feature_source_coverage(listening_with_features: DataFrame) -> DataFrame:
    """Tracks are counted by id, because each release has its own source; by recording where there is no id."""
    track = text_hash(F.coalesce("track_id", "recording_key"))
    counts = listening_with_features.groupBy("listener", "feature_source").agg(
        F.count("*").alias("record_count"), F.count_distinct(track).alias("track_count")
    )
    all_plays = F.sum("record_count").over(Window.partitionBy("listener"))
    percentage = (100 * F.col("record_count") / all_plays).alias("percentage")
    return counts.select("listener", "feature_source", "record_count", percentage, "track_count")
