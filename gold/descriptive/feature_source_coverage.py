"""For how many plays are audio features known, and where do they come from?"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.text_hash import text_hash
from lakehouse.contract import accepted_values, in_range, table
from silver.feature_source import FEATURE_SOURCES


@table(
    grain="One row per feature source that occurs.",
    key="feature_source",
    columns="feature_source record_count percentage track_count",
    checks=[accepted_values("feature_source", *FEATURE_SOURCES), in_range("percentage", 0, 100)],
)
def feature_source_coverage(listening_with_features: DataFrame) -> DataFrame:
    """Tracks are counted by id, as each release has a source of its own; by recording where there is no id."""
    sources = listening_with_features.groupBy("feature_source").agg(
        F.count("*").alias("record_count"),
        F.count_distinct(text_hash(F.coalesce("track_id", "recording_key"))).alias("track_count"),
    )
    all_plays = F.sum("record_count").over(Window.partitionBy())
    return sources.select(
        "feature_source",
        "record_count",
        (100 * F.col("record_count") / all_plays).alias("percentage"),
        "track_count",
    )
