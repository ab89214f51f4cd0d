"""What does a play tell of its track?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from silver.rules.counted_plays import counted_plays
from silver.rules.recording_key import NAME_SEPARATOR, name_key

SPELLING = ("track_name", "artist_name", "album_name")
TOLD = (*SPELLING, "isrc", "duration_ms")


def track_key() -> Column:
    """What identifies a listened track in the history: its id, else its normalised name, else the name as it is."""
    own_name = F.concat_ws(NAME_SEPARATOR, "artist_name", "track_name")
    return F.coalesce("track_id", name_key(F.col("artist_name"), F.col("track_name")), own_name)


def of_few_plays(tracks: DataFrame, plays: DataFrame) -> DataFrame:
    """The tracks, rows with a track_key, that any of few plays is of; their keys are sent to every task."""
    keys = plays.select(track_key().alias("track_key")).distinct()
    return tracks.join(F.broadcast(keys), on="track_key", how="left_semi")


def plain_isrc() -> Column:
    """The code without the hyphens and in the case that some sources write."""
    return F.nullif(F.upper(F.regexp_replace("isrc", r"[\s-]", "")), F.lit(""))


def untold_plays(history: DataFrame, matches: DataFrame) -> DataFrame:
    """Counted plays that tell of their track what `feature_matches` does not: a new one, or another name or length."""
    plays = counted_plays(history).withColumn("track_key", track_key()).withColumn("isrc", plain_isrc())
    # The few tracks that were played first: the join with all of them would sort them.
    played = matches.join(plays.select("track_key"), on="track_key", how="left_semi")
    is_told = F.col("told").isNotNull()
    for name in TOLD:
        is_told &= F.col(name).isNull() | F.col(name).eqNullSafe(F.col(f"told.{name}"))
    return plays.join(played.select("track_key", F.struct(*TOLD).alias("told")), on="track_key", how="left").where(
        ~is_told
    )
