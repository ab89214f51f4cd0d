"""Which recordings does the listener play most in each mood of music?

Plays are counted per mood and recording. A recording whose releases were measured differently can be in two moods, with
the plays that it has in each.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.caveats import MEASURED
from lakehouse.contract import accepted_values, in_range, table
from silver.rules.feature_source import MOODS

RECORDINGS_PER_MOOD = 50
SHOWN = ("track_id", "track_name", "artist_name", "valence", "energy", "danceability", "tempo")


@table(
    grain="One row per listener, mood and rank, the 50 most played recordings of each mood.",
    key="listener mood_category rank_in_category",
    columns=(
        "listener track_id track_name artist_name mood_category valence energy danceability tempo play_count "
        "rank_in_category"
    ),
    checks=[
        accepted_values("mood_category", *MOODS),
        in_range("rank_in_category", 1, RECORDINGS_PER_MOOD),
    ],
    caveats=MEASURED,
)
def top_tracks_by_mood(listening_with_features: DataFrame) -> DataFrame:
    """Of equally often played recordings the smaller `recording_key` comes first.

    Id, names and features are those of one release, so that they match each other and the mood: the most played one
    with an id; among equals, the one with the smallest id.
    """
    with_mood = listening_with_features.where("mood_category IS NOT NULL")
    releases = with_mood.groupBy("listener", "mood_category", "recording_key", *SHOWN).agg(
        F.count("*").alias("release_plays")
    )
    recording = Window.partitionBy("listener", "mood_category", "recording_key")
    releases_first = recording.orderBy(
        F.col("track_id").isNull(), F.desc("release_plays"), "track_id", "track_name", "artist_name"
    )
    recordings_first = Window.partitionBy("listener", "mood_category").orderBy(F.desc("play_count"), "recording_key")
    recordings = (
        releases.withColumn("play_count", F.sum("release_plays").over(recording))
        .withColumn("release_rank", F.row_number().over(releases_first))
        .where("release_rank = 1")
    )
    return (
        recordings.withColumn("rank_in_category", F.row_number().over(recordings_first))
        .where(F.col("rank_in_category") <= RECORDINGS_PER_MOOD)
        .select(
            "listener",
            "track_id",
            "track_name",
            "artist_name",
            "mood_category",
            "valence",
            "energy",
            "danceability",
            "tempo",
            "play_count",
            "rank_in_category",
        )
    )
