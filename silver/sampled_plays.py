"""Which measured plays do intervals and tests use?"""

from pyspark.sql import DataFrame

from lakehouse.contract import in_range, table
from silver.rules.bounded import sample_each
from silver.rules.feature_source import is_measured

COLUMNS = (
    "listener play_id recording_key date hour_of_day part_of_day is_weekend danceability energy key loudness mode "
    "speechiness acousticness instrumentalness liveness valence tempo time_signature"
)
# With more plays, intervals would be narrower than any reader needs.
MAX_PLAYS = 50_000


@table(
    grain="One row per measured play, of a listener's more than 50,000 a fixed random sample of that size.",
    key="listener play_id",
    columns=COLUMNS,
    checks=[in_range("hour_of_day", 0, 23)],
    caveats=["features_from_catalogue", "measured_only", "track_not_listener"],
)
def sampled_plays(listening_with_features: DataFrame) -> DataFrame:
    """The plays with the smallest hashes of their ids, so that each run samples the same plays."""
    measured = listening_with_features.where(is_measured()).select(*COLUMNS.split())
    return sample_each(measured, ["play_id"], MAX_PLAYS)
