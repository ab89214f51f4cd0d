"""What does a play say about its track?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from silver.rules.counted_plays import counted_plays
from silver.rules.recording_key import NAME_SEPARATOR, name_key

SPELLING = ("track_name", "artist_name", "album_name")
FACTS = (*SPELLING, "isrc", "duration_ms")


def track_key() -> Column:
    """Key of a listened track in the history: its id, else its normalised name, else the name as it is."""
    own_name = F.concat_ws(NAME_SEPARATOR, "artist_name", "track_name")
    return F.coalesce("track_id", name_key(F.col("artist_name"), F.col("track_name")), own_name)


def of_few_plays(tracks: DataFrame, plays: DataFrame) -> DataFrame:
    """The tracks (rows with a track_key) of a few plays, whose keys are broadcast."""
    keys = plays.select(track_key().alias("track_key")).distinct()
    return tracks.join(F.broadcast(keys), on="track_key", how="left_semi")


def plain_isrc() -> Column:
    """The ISRC in upper case and without hyphens, as sources differ in both."""
    return F.nullif(F.upper(F.regexp_replace("isrc", r"[\s-]", "")), F.lit(""))


def plays_with_new_facts(history: DataFrame, matches: DataFrame) -> DataFrame:
    """Counted plays with facts that `feature_matches` lacks: of a new track, or another name, ISRC or length."""
    plays = counted_plays(history).withColumn("track_key", track_key()).withColumn("isrc", plain_isrc())
    # First narrowed to the few tracks that were played, because a join with all tracks would sort them.
    played = matches.join(plays.select("track_key"), on="track_key", how="left_semi")
    is_known = F.col("known").isNotNull()
    for name in FACTS:
        is_known &= F.col(name).isNull() | F.col(name).eqNullSafe(F.col(f"known.{name}"))
    return plays.join(played.select("track_key", F.struct(*FACTS).alias("known")), on="track_key", how="left").where(
        ~is_known
    )
