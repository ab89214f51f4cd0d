"""Where a play's audio features come from, which values mean unknown, and which mood they stand for."""

from pyspark.sql import Column
from pyspark.sql import functions as F

MEASURED_SOURCES = ("spotify", "reccobeats", "kaggle", "kaggle_recording")
ESTIMATED_SOURCE = "imputed_artist"
SYNTHETIC_SOURCE = "synthetic"
NO_SOURCE = "none"
FEATURE_SOURCES = (*MEASURED_SOURCES, ESTIMATED_SOURCE, SYNTHETIC_SOURCE, NO_SOURCE)
# Features that can be estimated from an artist's other tracks; tempo cannot.
IMPUTED_FEATURES = ("valence", "energy", "danceability", "acousticness", "instrumentalness")

HIGH = 0.6
LOW = 0.4
# In the order of mood_label, 0 to 4.
MOODS = ("Happy & Energetic", "Happy & Calm", "Sad & Energetic", "Sad & Calm", "Neutral")

# What Spotify's analysis, which the catalogue copies, writes where it failed.
_MEANS_UNKNOWN = {
    **dict.fromkeys(("tempo", "danceability", "speechiness", "valence"), 0.0), "time_signature": 0, "key": -1,
}  # fmt: skip


def known(feature: str) -> Column:
    """A delivered audio feature, null where its value says that the analysis failed."""
    if feature not in _MEANS_UNKNOWN:
        return F.col(feature)
    return F.nullif(feature, F.lit(_MEANS_UNKNOWN[feature])).alias(feature)


def is_measured() -> Column:
    """Whether a play's features were measured on its recording, not estimated or made up."""
    return F.col("feature_source").isin(*MEASURED_SOURCES)


def is_featured() -> Column:
    """Whether a play has features of any origin."""
    return F.col("feature_source") != NO_SOURCE


def mood_category(valence: Column, energy: Column) -> Column:
    """The mood by the thresholds of the contract; null where either is null."""
    happy, sad = valence >= HIGH, valence < LOW
    energetic, calm = energy >= HIGH, energy < LOW
    corners = (happy & energetic, happy & calm, sad & energetic, sad & calm)
    mood = F.when(valence.isNull() | energy.isNull(), None)
    for corner, name in zip(corners, MOODS[:4], strict=True):
        mood = mood.when(corner, name)
    return mood.otherwise(MOODS[4])
