"""The catalogue with one row per track, zeros that mean "analysis failed" read as null.

The catalogue file repeats a track once per genre; joining it as delivered would multiply plays.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.columns import AUDIO_FEATURES, UNIT_FEATURES
from lakehouse.contract import in_range, table
from silver.recording_key import ARTIST_SEPARATOR, name_key

ZERO_MEANS_MISSING = ("tempo", "time_signature", "danceability", "speechiness", "valence")


@table(
    grain="One row per track of the catalogue.",
    key="track_id",
    columns=(
        "track_id artists first_artist album_name track_name name_key popularity duration_ms explicit "
        "danceability energy key loudness mode speechiness acousticness instrumentalness liveness valence tempo "
        "time_signature track_genre track_genres row_number"
    ),
    checks=[in_range(feature, 0, 1) for feature in UNIT_FEATURES],
)
def catalogue_tracks(kaggle_tracks_bronze: DataFrame) -> DataFrame:
    """For one track only popularity and genre differ between rows: the highest, and the first by row number."""
    by_row = Window.partitionBy("track_id").orderBy("row_number")
    whole_track = Window.partitionBy("track_id")
    genres = F.array_join(F.array_sort(F.collect_set("track_genre").over(whole_track)), f"{ARTIST_SEPARATOR} ")
    features = [
        F.nullif(F.col(name), F.lit(0).cast(dict(kaggle_tracks_bronze.dtypes)[name])).alias(name)
        if name in ZERO_MEANS_MISSING
        else F.col(name)
        for name in AUDIO_FEATURES
    ]
    return (
        kaggle_tracks_bronze.withColumn("popularity", F.max("popularity").over(whole_track))
        .withColumn("track_genres", genres)
        .withColumn("order", F.row_number().over(by_row))
        .where("order = 1")
        .select(
            "track_id",
            "artists",
            F.trim(F.substring_index("artists", ARTIST_SEPARATOR, 1)).alias("first_artist"),
            "album_name",
            "track_name",
            name_key(F.col("artists"), F.col("track_name")).alias("name_key"),
            "popularity",
            "duration_ms",
            "explicit",
            *features,
            "track_genre",
            "track_genres",
            "row_number",
        )
    )
