"""How does the listener listen, overall and in each part of weekdays and weekends?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.wording import ENOUGH_PLAYS, comparison, number, percent, rounded, sentence
from lakehouse.contract import in_range, table
from silver.plays_by_hour import deviation, mean, plays, total
from silver.rules.feature_source import HIGH, LOW, is_featured, is_measured

OVERALL = "overall"
# Standard deviations of valence; a uniform distribution has 0.29.
VARIED, EVEN = 0.25, 0.15
AVERAGED = ("valence", "energy", "danceability", "acousticness")


@table(
    grain="One row per listener and segment, 'overall' or a part of day on weekdays or weekends, with at least 20 "
    "measured plays.",
    key="listener segment",
    columns=(
        "listener segment listening_archetype archetype_description wellbeing_recommendation total_listens "
        "featured_play_count sample_size overall_valence overall_energy overall_danceability overall_acousticness "
        "mood_variability energy_variability"
    ),
    checks=[in_range(f"overall_{name}", 0, 1) for name in AVERAGED],
    caveats=[
        "features_from_catalogue",
        "features_estimated",
        "tests_measured_only",
        "track_not_listener",
        "single_listener",
    ],
)
def behavioral_segments(plays_by_hour: DataFrame) -> DataFrame:
    """Averages use featured plays; spread and shares of moods measured ones.

    The archetype follows from the averages by the contract's thresholds of high and low, not from the segment's name.
    """
    day = F.when(F.col("is_weekend"), "weekend").otherwise("weekday")
    segments = F.array(F.lit(OVERALL), F.concat_ws(" ", day, "part_of_day"))
    by_segment = (
        plays_by_hour.withColumn("segment", F.explode(segments))
        .groupBy("listener", "segment")
        .agg(
            plays().alias("total_listens"),
            plays(is_featured()).alias("featured_play_count"),
            plays(is_measured()).alias("sample_size"),
            *(mean(name).alias(f"overall_{name}") for name in AVERAGED),
            deviation("valence", is_measured()).alias("mood_variability"),
            deviation("energy", is_measured()).alias("energy_variability"),
            _share("high_plays", "valence").alias("bright_share"),
            _share("low_plays", "valence").alias("dark_share"),
            _share("low_plays", "energy").alias("calm_share"),
        )
    )
    return (
        by_segment.withColumn("usual_valence", _of_overall("overall_valence"))
        .withColumn("usual_energy", _of_overall("overall_energy"))
        .where(F.col("sample_size") >= ENOUGH_PLAYS)
        .select(
            "listener", "segment", _archetype().alias("listening_archetype"),
            _description().alias("archetype_description"),
            _recommendation().alias("wellbeing_recommendation"), "total_listens", "featured_play_count", "sample_size",
            *(f"overall_{name}" for name in AVERAGED), "mood_variability", "energy_variability",
        )
    )  # fmt: skip


def _share(column: str, feature: str) -> Column:
    """Share among the measured plays with a known value of the feature."""
    return F.try_divide(total(column, feature, is_measured()), total("known_plays", feature, is_measured()))


def _of_overall(column: str) -> Column:
    return F.max(F.when(F.col("segment") == OVERALL, F.col(column))).over(Window.partitionBy("listener"))


def _level(column: str, *, high: str, middle: str | None, low: str) -> Column:
    """A word for a 0..1 average by the contract's thresholds."""
    value = rounded(F.col(column))
    return F.when(value >= HIGH, high).when(value < LOW, low).when(value.isNotNull(), middle)


def _archetype() -> Column:
    """Such as 'Bright, energetic, danceable, varied'; middling values add no word to the first two."""
    acoustic = F.when(rounded(F.col("overall_acousticness")) >= HIGH, "acoustic")
    danceable = F.when(rounded(F.col("overall_danceability")) >= HIGH, "danceable")
    spread = rounded(F.col("mood_variability"))
    return F.concat_ws(
        ", ",
        _level("overall_valence", high="Bright", middle="Mixed", low="Dark"),
        _level("overall_energy", high="energetic", middle="moderate", low="calm"),
        danceable,
        acoustic,
        F.when(spread >= VARIED, "varied").when(spread < EVEN, "even"),
    )


def _description() -> Column:
    numbers = sentence(
        "%s plays, %s of them measured: valence %s (spread %s), energy %s (spread %s), danceability %s, acousticness "
        "%s; %s of the measured plays are bright, %s dark",
        F.col("total_listens"),
        F.col("sample_size"),
        number(F.col("overall_valence")),
        number(F.col("mood_variability")),
        number(F.col("overall_energy")),
        number(F.col("energy_variability")),
        number(F.col("overall_danceability")),
        number(F.col("overall_acousticness")),
        percent(F.col("bright_share")),
        percent(F.col("dark_share")),
    )
    against_overall = sentence(
        "; valence is %s and energy %s the listener's overall",
        comparison(F.col("overall_valence") - F.col("usual_valence")),
        comparison(F.col("overall_energy") - F.col("usual_energy")),
    )
    return F.concat(numbers, F.when(F.col("segment") == OVERALL, "").otherwise(against_overall), F.lit("."))


def _recommendation() -> Column:
    """A tip on the music, which states how much of the suggested music the segment already has."""
    valence, energy = rounded(F.col("overall_valence")), rounded(F.col("overall_energy"))
    brighter = sentence(
        "The music here is dark (valence %s, %s of plays bright); for a change, a few bright tracks lighten it.",
        number(F.col("overall_valence")),
        percent(F.col("bright_share")),
    )
    calmer = sentence(
        "The music here is driving (energy %s, %s of plays calm); for winding down, a few calm tracks are a change.",
        number(F.col("overall_energy")),
        percent(F.col("calm_share")),
    )
    livelier = sentence(
        "The music here is calm (energy %s, %s of plays calm); it suits quiet hours, and livelier tracks are a change.",
        number(F.col("overall_energy")),
        percent(F.col("calm_share")),
    )
    either_way = sentence(
        "The music here is in the middle (valence %s, energy %s): %s of plays bright, %s calm; it can go either way.",
        number(F.col("overall_valence")),
        number(F.col("overall_energy")),
        percent(F.col("bright_share")),
        percent(F.col("calm_share")),
    )
    return (
        F.when(valence < LOW, brighter).when(energy >= HIGH, calmer).when(energy < LOW, livelier).otherwise(either_way)
    )
