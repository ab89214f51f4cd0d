"""Made-up audio features for trying the stack out; empty unless ALLOW_SYNTHETIC is on.

The values depend on the track id alone, so that every run gives the same ones.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import in_range, table
from lakehouse.contract.columns import UNIT_FEATURES

HASH_RANGE = 2**32


@table(
    grain="One row per listened track; empty unless synthetic features are switched on.",
    key="track_id",
    columns=(
        "track_id danceability energy key loudness mode speechiness acousticness instrumentalness liveness valence "
        "tempo time_signature generated_at"
    ),
    checks=[in_range(feature, 0, 1) for feature in UNIT_FEATURES],
    caveats=["synthetic_features"],
)
def my_tracks_features_bronze_synthetic(listening_history_bronze: DataFrame, *, allow_synthetic: bool) -> DataFrame:
    """Uniform draws per track and feature, from a hash of both."""
    tracks = listening_history_bronze.where(F.lit(allow_synthetic) & F.col("track_id").isNotNull())
    return (
        tracks.groupBy("track_id")
        .agg(F.min("ingested_at").alias("generated_at"))
        .select(
            "track_id",
            *(_uniform(name).alias(name) for name in ("danceability", "energy")),
            F.floor(_uniform("key") * 12).cast("int").alias("key"),
            (_uniform("loudness") * 30 - 30).alias("loudness"),
            F.floor(_uniform("mode") * 2).cast("int").alias("mode"),
            *(
                _uniform(name).alias(name)
                for name in ("speechiness", "acousticness", "instrumentalness", "liveness", "valence")
            ),
            (_uniform("tempo") * 120 + 60).alias("tempo"),
            (F.floor(_uniform("time_signature") * 3) + 3).cast("int").alias("time_signature"),
            "generated_at",
        )
    )


def _uniform(feature: str) -> Column:
    """A number in [0, 1) fixed by the track and the feature."""
    return F.pmod(F.xxhash64(F.col("track_id"), F.lit(feature)), F.lit(HASH_RANGE)) / HASH_RANGE
