"""What does a play say about its track?"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from silver.rules.recording_key import NAME_SEPARATOR, name_key

# Identifies a track of a listener's history.
TRACK = ("listener", "track_key")
SPELLING = ("track_name", "artist_name", "album_name")


def track_key() -> Column:
    """Key of a listened track in the history: its id, else its normalised name, else the name as it is."""
    own_name = F.concat_ws(NAME_SEPARATOR, "artist_name", "track_name")
    return F.coalesce("track_id", name_key(F.col("artist_name"), F.col("track_name")), own_name)


def plain_isrc() -> Column:
    """The ISRC in upper case and without hyphens, as sources differ in both."""
    return F.nullif(F.upper(F.regexp_replace("isrc", r"[\s-]", "")), F.lit(""))
