"""How do listening and the mood of the music change from date to date?

Tracks are counted by recording: another release of a known song is not a new track. Figures over 7 dates weight every
play the same, so a date with few plays changes them little; `total_plays_7d` is a sum. For the first 6 dates they cover
fewer than 7.
"""

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.caveats import AVERAGES
from gold.shared.text_hash import text_hash
from lakehouse.contract import expression, table

MS_PER_MINUTE = 60_000
DATE = ("listener", "date")
ROLLING_DATES = 7
AVERAGED = ("valence", "energy", "tempo")
ROLLING_FEATURES = ("valence", "energy")
ZERO_WITHOUT_PLAYS = (
    "total_plays", "minutes_played", "distinct_tracks", "distinct_artists", "new_tracks", "weekend_plays",
)  # fmt: skip


@table(
    grain="One row per listener and local date from the first play to the last, also dates without plays.",
    key="listener date",
    columns=(
        "listener date total_plays minutes_played distinct_tracks distinct_artists new_tracks avg_valence avg_energy "
        "avg_tempo weekend_plays avg_valence_7d avg_energy_7d total_plays_7d"
    ),
    checks=[
        expression("tracks are at most plays", "distinct_tracks <= total_plays"),
        expression("new tracks are tracks", "new_tracks <= distinct_tracks"),
        expression("7 dates include this one", "total_plays_7d >= total_plays"),
    ],
    caveats=AVERAGES,
)
def temporal_trends(listening_with_features: DataFrame) -> DataFrame:
    """A date without plays has counts of 0 and averages of null."""
    plays = listening_with_features
    daily = (
        _calendar(plays)
        .join(_by_date(plays), on=list(DATE), how="left")
        .join(_new_tracks(plays), on=list(DATE), how="left")
        .fillna(0, subset=list(ZERO_WITHOUT_PLAYS))
    )
    # Every date has its row, so rows are dates.
    week = Window.partitionBy("listener").orderBy("date").rowsBetween(1 - ROLLING_DATES, Window.currentRow)
    rolling_means = (
        F.try_divide(F.sum(f"{name}_sum").over(week), F.sum(f"{name}_plays").over(week)).alias(f"avg_{name}_7d")
        for name in ROLLING_FEATURES
    )
    return daily.select(
        *DATE,
        "total_plays",
        "minutes_played",
        "distinct_tracks",
        "distinct_artists",
        "new_tracks",
        "avg_valence",
        "avg_energy",
        "avg_tempo",
        "weekend_plays",
        *rolling_means,
        F.sum("total_plays").over(week).cast("double").alias("total_plays_7d"),
    )


def _calendar(plays: DataFrame) -> DataFrame:
    """Every date from a listener's first play to the last."""
    span = plays.groupBy("listener").agg(F.sequence(F.min("date"), F.max("date")).alias("dates"))
    return span.select("listener", F.explode("dates").alias("date"))


def _by_date(plays: DataFrame) -> DataFrame:
    """Figures of the dates with plays, and the sums and counts for means over several dates."""
    sums = plays.groupBy(*DATE).agg(
        F.count(F.lit(1)).alias("total_plays"),
        (F.sum("ms_played") / MS_PER_MINUTE).alias("minutes_played"),
        F.count_if("is_weekend").alias("weekend_plays"),
        *(F.avg(name).alias(f"avg_{name}") for name in AVERAGED),
        *(F.sum(name).alias(f"{name}_sum") for name in ROLLING_FEATURES),
        *(F.count(name).alias(f"{name}_plays") for name in ROLLING_FEATURES),
    )
    # Each distinct count is a query of its own: in one aggregation Spark would duplicate the plays for each.
    for name, of in {"distinct_tracks": "recording_key", "distinct_artists": "artist_name"}.items():
        counts = plays.groupBy(*DATE).agg(F.count_distinct(text_hash(F.col(of))).alias(name))
        sums = sums.join(counts, on=list(DATE), how="inner")
    return sums


def _new_tracks(plays: DataFrame) -> DataFrame:
    """The number of recordings first heard on each date, for dates with any."""
    first_heard = plays.groupBy("listener", text_hash(F.col("recording_key"))).agg(F.min("date").alias("date"))
    return first_heard.groupBy(*DATE).agg(F.count("*").alias("new_tracks"))
