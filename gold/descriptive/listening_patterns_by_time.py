"""When in the week does the listener play music, and how does it sound then?"""

from pyspark.sql import DataFrame

from gold.shared.caveats import AVERAGES
from lakehouse.contract import expression, in_range, table
from silver.plays_by_hour import HOUR, mean, plays
from silver.rules.feature_source import is_featured

AVERAGED_FEATURES = ("valence", "energy", "danceability", "acousticness", "tempo")


@table(
    grain="One row per listener, local weekday and hour with at least one play.",
    key="listener day_of_week hour_of_day",
    columns=(
        "listener hour_of_day day_of_week day_name part_of_day is_weekend play_count featured_play_count "
        "avg_valence avg_energy avg_danceability avg_acousticness avg_tempo"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("day_of_week", 0, 6),
        expression("featured plays are plays", "featured_play_count <= play_count"),
    ],
    caveats=AVERAGES,
)
def listening_patterns_by_time(plays_by_hour: DataFrame) -> DataFrame:
    """Counts are of all plays, averages of the featured ones; an hour without featured plays has null averages."""
    return plays_by_hour.groupBy(*HOUR).agg(
        plays().alias("play_count"),
        plays(is_featured()).alias("featured_play_count"),
        *(mean(feature).alias(f"avg_{feature}") for feature in AVERAGED_FEATURES),
    )
