"""The catalogue with one row per track, zeros that mean "analysis failed" read as null.

The catalogue file repeats a track once per genre; joining it as delivered would multiply plays.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.contract import in_range, table
from lakehouse.contract.columns import AUDIO_FEATURES, UNIT_FEATURES
from silver.rules.feature_source import known
from silver.rules.recording_key import ARTIST_SEPARATOR, name_key

# Stated in the cards of the models that are trained on it.
DATA = (
    "Spotify Tracks Dataset, Maharshi Pandya, Kaggle maharshipandya/-spotify-tracks-dataset, "
    "doi 10.34740/KAGGLE/DSV/4372070"
)
LICENCE = "of the data: ODbL 1.0 on Kaggle, bsd on its Hugging Face card; credit it, do not relicense it"
# Most rows used for training: the Kaggle catalogue has 90,000, a larger one is sampled.
MAX_CATALOGUE_ROWS = 200_000


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
    """Rows of one track differ only in popularity and genre: the highest and the first by row number are kept."""
    # One window for everything is cheaper than a row number or a grouping of whole rows.
    track = Window.partitionBy("track_id").orderBy("row_number")
    track = track.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    tracks = kaggle_tracks_bronze.select(
        *(name for name in kaggle_tracks_bronze.columns if name != "popularity"),
        F.max("popularity").over(track).alias("popularity"),
        F.collect_set("track_genre").over(track).alias("genres"),
        F.min("row_number").over(track).alias("first_row"),
    )
    return tracks.where("row_number = first_row").select(
        "track_id",
        "artists",
        F.trim(F.substring_index("artists", ARTIST_SEPARATOR, 1)).alias("first_artist"),
        "album_name",
        "track_name",
        name_key(F.col("artists"), F.col("track_name")).alias("name_key"),
        "popularity",
        "duration_ms",
        "explicit",
        *(known(feature) for feature in AUDIO_FEATURES),
        "track_genre",
        F.array_join(F.array_sort("genres"), f"{ARTIST_SEPARATOR} ").alias("track_genres"),
        "row_number",
    )
