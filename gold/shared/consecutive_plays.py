"""Which measured play follows which within a session?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.wording import rounded
from silver.rules.feature_source import is_measured


def consecutive_measured_plays(listening_with_features: DataFrame) -> DataFrame:
    """Pairs of consecutive measured plays of a listener's session; its last measured play begins no pair.

    Plays without measured valence and energy are skipped and do not separate their neighbours: a pair says how the
    known music of a session moves on, with or without unknown music in between.

    Returns:
        One row per pair: listener, play_id (unique with it), recording_key, date and hour_of_day of the later play,
        mood_category, next_mood_category, valence_change and energy_change (later minus earlier).
    """
    known = is_measured() & F.col("valence").isNotNull() & F.col("energy").isNotNull()
    in_session = Window.partitionBy("listener", "session_id").orderBy("played_at", "play_id")

    def following(column: str) -> Column:
        return F.lead(column).over(in_session)

    return (
        listening_with_features.where(known)
        .select(
            "listener",
            *(following(name).alias(name) for name in ("play_id", "recording_key", "date", "hour_of_day")),
            "mood_category",
            following("mood_category").alias("next_mood_category"),
            rounded(following("valence") - F.col("valence")).alias("valence_change"),
            rounded(following("energy") - F.col("energy")).alias("energy_change"),
        )
        .where("hour_of_day IS NOT NULL")
    )
