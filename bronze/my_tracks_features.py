"""Audio features fetched for the listener's own tracks, by provider."""

from lakehouse.columns import UNIT_FEATURES
from lakehouse.contract import accepted_values, in_range, source_table

my_tracks_features_bronze = source_table(
    "my_tracks_features_bronze",
    __name__,
    grain="One row per track and provider.",
    key="track_id provider",
    columns=(
        "track_id provider isrc danceability energy key loudness mode speechiness acousticness instrumentalness "
        "liveness valence tempo time_signature fetched_at"
    ),
    checks=[accepted_values("provider", "spotify", "reccobeats"), *(in_range(f, 0, 1) for f in UNIT_FEATURES)],
)
