"""On which of the listener's tracks can a model be evaluated, and what does the catalogue say about them?"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.contract import table
from lakehouse.contract.columns import AUDIO_FEATURES
from silver.rules.feature_source import is_measured

FROM_CATALOGUE = ("artists", "track_genres", "explicit")


@table(
    grain="One row per listener and listened track with measured features.",
    key="listener track_key",
    columns=(
        "listener track_key track_id matched_track_id name_key artist_name track_genre duration_ms danceability energy "
        "key loudness mode speechiness acousticness instrumentalness liveness valence tempo time_signature artists "
        "track_genres explicit"
    ),
    caveats=["measured_only", "single_listener"],
)
def measured_tracks(feature_matches: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """Estimates and synthetic features are not ground truth: such tracks are left out.

    Artists, genres and explicit come from the matched catalogue track, else from the one with this id, else from the
    recording's most popular release; null where the catalogue has none.
    """
    facts = F.struct(*FROM_CATALOGUE)
    by_id = catalogue_tracks.select(F.col("track_id").alias("id"), facts.alias("facts"))
    best_first = Window.partitionBy("name_key").orderBy(F.col("popularity").desc_nulls_last(), "track_id")
    by_name = catalogue_tracks.where("name_key IS NOT NULL").withColumn("order", F.row_number().over(best_first))
    by_name = by_name.where("order = 1").select("name_key", facts.alias("of_name"))
    tracks = (
        feature_matches.where(is_measured())
        .join(by_id.toDF("matched_track_id", "of_match"), on="matched_track_id", how="left")
        .join(by_id.toDF("track_id", "of_id"), on="track_id", how="left")
        .join(by_name, on="name_key", how="left")
        .withColumn("facts", F.coalesce("of_match", "of_id", "of_name"))
    )
    return tracks.select(
        "listener", "track_key", "track_id", "matched_track_id", "name_key", "artist_name", "track_genre",
        "duration_ms", *AUDIO_FEATURES, *(F.col(f"facts.{name}").alias(name) for name in FROM_CATALOGUE),
    )  # fmt: skip
