"""Finds exports that two listeners delivered, of which one is likely a mistake."""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from bronze.delivered import spotify_api
from bronze.delivered.delivered_files import printable

# Ids of plays are made of second, track and length: different listeners share hardly any.
MOST_SHARED = 0.5
# Of more plays a part is compared, the same of every listener's.
MOST_COMPARED = 500_000


def find_shared_exports(plays: DataFrame, known: DataFrame, count: int) -> list[str]:
    """A warning for each export of which another listener has most plays.

    Args:
        plays: the records of an import; answers of the Web API are passed over, as nobody can mix those up.
        known: what bronze holds of the same time.
        count: about how many records there are.
    """
    is_compared = F.crc32("play_id") % (1 + count // MOST_COMPARED) == 0
    exported = plays.where(is_compared & (F.col("source") != spotify_api.SOURCE))
    exported = exported.select("source_file", "listener", "play_id")
    others = exported.select("listener", "play_id")
    others = others.unionByName(known.where(is_compared).select("listener", "play_id")).distinct()
    counted = exported.withColumn("records", F.count("*").over(Window.partitionBy("source_file")))
    shared = (
        counted.join(others.withColumnRenamed("listener", "other"), on="play_id", how="inner")
        .where(F.col("other") != F.col("listener"))
        .groupBy("source_file", "listener", "other", "records")
        .agg(F.count("*").alias("shared"))
        .where(F.col("shared") > F.col("records") * MOST_SHARED)
        .orderBy("source_file", "other")
    )
    return [
        f"most plays in {printable(row.source_file)} are {row.other}'s as well: is it {row.listener}'s export?"
        for row in shared.collect()  # a few per file
    ]
