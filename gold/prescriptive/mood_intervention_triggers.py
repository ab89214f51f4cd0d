"""At which hours is the listener's music darker than usual, so that a change of music may be welcome?"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.shared.caveats import TESTED_BY_TIME
from gold.shared.hourly_music import BELOW, music_by_hour, numbers
from gold.shared.song_lists import DISCOVERY, ENERGY, MOOD_LIFT, RELAXATION
from gold.shared.wording import percent, sentence
from lakehouse.contract import accepted_values, expression, in_range, table
from silver.rules.feature_source import HIGH, LOW

HIGH_PRIORITY, MEDIUM_PRIORITY, LOW_PRIORITY = "High Priority", "Medium Priority", "Low Priority"


@table(
    grain="One row per listener and local hour with at least 20 measured plays.",
    key="listener hour_of_day",
    columns=(
        "listener hour_of_day avg_valence avg_energy low_mood_count total_plays sample_size valence_ci_low "
        "valence_ci_high intervention_needed suggested_intervention mood_support_playlist"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("avg_valence", 0, 1),
        in_range("avg_energy", 0, 1),
        accepted_values("intervention_needed", HIGH_PRIORITY, MEDIUM_PRIORITY, LOW_PRIORITY),
        expression("measured plays are counted plays", "low_mood_count <= sample_size AND sample_size <= total_plays"),
    ],
    caveats=(*TESTED_BY_TIME, "single_listener"),
)
def mood_intervention_triggers(plays_by_hour: DataFrame, sampled_plays: DataFrame) -> DataFrame:
    """About the music, not about the listener; `hourly_music` says how an hour is compared with the usual.

    High priority: the music of the hour is darker than usual and dark (mean valence below 0.4). Medium: one of the two.
    Low: neither. Averages use featured plays, everything else measured ones.
    """
    return music_by_hour(plays_by_hour, sampled_plays).select(
        "listener", "hour_of_day", "avg_valence", "avg_energy", "low_mood_count", "total_plays", "sample_size",
        "valence_ci_low", "valence_ci_high", _priority().alias("intervention_needed"),
        _suggestion().alias("suggested_intervention"), _playlist().alias("mood_support_playlist"),
    )  # fmt: skip


def _is_darker() -> Column:
    return F.col("valence_is") == BELOW


def _is_dark() -> Column:
    return F.col("hour_valence") < LOW


def _priority() -> Column:
    both, either = _is_darker() & _is_dark(), _is_darker() | _is_dark()
    return F.when(both, HIGH_PRIORITY).when(either, MEDIUM_PRIORITY).otherwise(LOW_PRIORITY)


def _playlist() -> Column:
    """Brighter music where it is dark, else music like the hour's own energy, or something new."""
    return (
        F.when(_is_darker() | _is_dark(), MOOD_LIFT.name)
        .when(F.col("hour_energy") >= HIGH, ENERGY.name)
        .when(F.col("hour_energy") < LOW, RELAXATION.name)
        .otherwise(DISCOVERY.name)
    )


def _suggestion() -> Column:
    measured = sentence(
        "Of %s measured plays %s (%s) are of dark music; %s",
        F.col("sample_size"), F.col("low_mood_count"), percent(F.col("low_mood_count") / F.col("sample_size")),
        numbers("valence"),
    )  # fmt: skip
    advice = (
        F.when(_is_darker(), sentence("darker than usual; for brighter music try %s.", _playlist()))
        .when(
            _is_dark(),
            sentence("dark, but no different from usual; if you would like brighter music, try %s.", _playlist()),
        )
        .when(
            F.col("valence_is") == "above", sentence("brighter than usual; for more music like it try %s.", _playlist())
        )
        .otherwise(sentence("no different from usual, nothing to change; for more music try %s.", _playlist()))
    )
    return F.concat_ws(": ", measured, advice)
