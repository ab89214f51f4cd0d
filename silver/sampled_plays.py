"""Which measured plays do intervals and tests use?"""

from dataclasses import replace

from pyspark.sql import DataFrame

from lakehouse.contract import Update, in_range, table
from silver.rules.bounded import sample
from silver.rules.feature_source import is_measured

COLUMNS = (
    "play_id recording_key date hour_of_day part_of_day is_weekend danceability energy key loudness mode speechiness "
    "acousticness instrumentalness liveness valence tempo time_signature"
)
# With more plays, intervals would be narrower than any reader needs.
MAX_PLAYS = 50_000


@table(
    grain="One row per measured play, of more than 50,000 a fixed random sample of that size.",
    key="play_id",
    columns=COLUMNS,
    checks=[in_range("hour_of_day", 0, 23)],
    caveats=["features_from_catalogue", "measured_only", "track_not_listener"],
)
def sampled_plays(listening_with_features: DataFrame) -> DataFrame:
    """The plays with the smallest hashes of their ids, so that each run samples the same plays."""
    return sample(_measured_plays(listening_with_features), ["play_id"], MAX_PLAYS)


def _measured_plays(plays: DataFrame) -> DataFrame:
    return plays.where(is_measured()).select(*COLUMNS.split())


def with_new_plays(sampled: DataFrame, plays: DataFrame, new_plays: DataFrame) -> DataFrame:
    """Sample the old sample together with the new plays: that is the sample of all plays."""
    return sample(sampled.unionByName(_measured_plays(new_plays)), ["play_id"], MAX_PLAYS)


sampled_plays = replace(sampled_plays, update=Update("listening_with_features", with_new_plays))
