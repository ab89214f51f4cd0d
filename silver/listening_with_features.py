"""Every counted play once, in the listener's local time, with its recording, session and audio features."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import accepted_values, in_range, table
from lakehouse.contract.columns import AUDIO_FEATURES, UNIT_FEATURES
from lakehouse.listeners import ByListener
from silver.artist_estimates import BOUNDED_FEATURES
from silver.rules.counted_plays import counted_plays, distinct_plays
from silver.rules.feature_source import (
    ESTIMATED_SOURCE,
    FEATURE_SOURCES,
    IMPUTED_FEATURES,
    MOODS,
    is_measured,
    mood_category,
)
from silver.rules.sessions import with_session_id
from silver.rules.track_facts import TRACK, track_key

BOUNDS = tuple(f"{name}_{bound}_90" for name in BOUNDED_FEATURES for bound in ("lower", "upper"))
# First local hour of each part of the day; before the first it is still night.
PARTS_OF_DAY = ((6, "morning"), (12, "afternoon"), (18, "evening"), (23, "night"))


@table(
    grain="One row per counted play of a listener; a play that several sources report appears once.",
    key="listener play_id",
    columns=(
        "listener play_id played_at played_at_local date hour_of_day day_of_week day_name is_weekend part_of_day "
        "session_id track_id recording_key track_name artist_name album_name track_genre duration_ms ms_played source "
        "danceability energy key loudness mode speechiness acousticness instrumentalness liveness valence tempo "
        "time_signature feature_source valence_lower_90 valence_upper_90 energy_lower_90 energy_upper_90 "
        "danceability_lower_90 danceability_upper_90 mood_category"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("day_of_week", 0, 6),
        accepted_values("feature_source", *FEATURE_SOURCES),
        accepted_values("mood_category", *MOODS),
        *(in_range(feature, 0, 1) for feature in UNIT_FEATURES),
    ],
    caveats=["features_from_catalogue", "features_estimated", "track_not_listener"],
)
def listening_with_features(
    listening_history_bronze: DataFrame,
    feature_matches: DataFrame,
    artist_estimates: DataFrame,
    *,
    listener_time_zone: ByListener,
) -> DataFrame:
    """Counted plays, with reports of the same play merged, joined with their track."""
    counted = counted_plays(listening_history_bronze).withColumn("track_key", track_key())
    reported = counted.select("listener", "play_id", "track_key", "played_at", "ms_played", "source")
    # Few columns are sorted and grouped; the others are joined afterwards.
    recordings = feature_matches.select(*TRACK, "recording_key")
    plays = reported.join(recordings, on=list(TRACK), how="inner")
    in_sessions = with_session_id(distinct_plays(plays)).drop("recording_key")
    # Names and genre come from the track, so that each track has one spelling.
    in_sessions = in_sessions.join(_tracks(feature_matches, artist_estimates), on=list(TRACK), how="inner")
    local = F.from_utc_timestamp("played_at", _time_zone(listener_time_zone)).cast("timestamp_ntz")
    return (
        in_sessions.withColumn("played_at_local", local)
        .withColumn("hour_of_day", F.hour("played_at_local"))
        .withColumn("day_of_week", F.dayofweek("played_at_local") - 1)
        .select(
            "listener", "play_id", "played_at", "played_at_local", F.to_date("played_at_local").alias("date"),
            "hour_of_day", "day_of_week", F.date_format("played_at_local", "EEEE").alias("day_name"),
            F.col("day_of_week").isin(0, 6).alias("is_weekend"), _part_of_day().alias("part_of_day"), "session_id",
            "track_id", "recording_key", "track_name", "artist_name", "album_name", "track_genre", "duration_ms",
            "ms_played", "source", *AUDIO_FEATURES, "feature_source", *BOUNDS,
            F.when(is_measured(), mood_category(F.col("valence"), F.col("energy"))).alias("mood_category"),
        )
    )  # fmt: skip


def _tracks(feature_matches: DataFrame, artist_estimates: DataFrame) -> DataFrame:
    """The listened tracks; estimates replace unknown and synthetic features, as a whole."""
    estimate = F.struct(*artist_estimates.columns).alias("estimate")
    tracks = feature_matches.join(artist_estimates.select(*TRACK, estimate), on=list(TRACK), how="left")
    is_estimated = ~is_measured() & F.col("estimate").isNotNull()
    features = {
        name: F.when(is_estimated, F.col(f"estimate.{name}") if name in IMPUTED_FEATURES else None).otherwise(
            F.col(name)
        )
        for name in AUDIO_FEATURES
    }
    source = F.when(is_estimated, ESTIMATED_SOURCE).otherwise(F.col("feature_source"))
    bounds = {name: F.when(is_estimated, F.col(f"estimate.{name}")) for name in BOUNDS}
    return tracks.withColumns({**features, "feature_source": source, **bounds})


def _time_zone(zones: ByListener) -> Column:
    """The time zone of the row's listener."""
    zone = F.lit(zones.default)
    for other, listeners in zones.listeners_by_value().items():
        zone = F.when(F.col("listener").isin(*listeners), other).otherwise(zone)
    return zone


def _part_of_day() -> Column:
    part = F.when(F.col("hour_of_day") >= PARTS_OF_DAY[-1][0], PARTS_OF_DAY[-1][1])
    for first_hour, name in reversed(PARTS_OF_DAY[:-1]):
        part = part.when(F.col("hour_of_day") >= first_hour, name)
    return part.otherwise(PARTS_OF_DAY[-1][1])
