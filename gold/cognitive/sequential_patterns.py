"""Which mood of music follows which within a session, and more often than by chance?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.consecutive_plays import consecutive_measured_plays
from gold.wording import number, percent, sentence, steady
from lakehouse.contract import accepted_values, in_range, table
from silver.feature_source import MOODS

# A lift this far from 1, or its reciprocal, is called a pattern.
NOTABLE_LIFT = 1.25
# Where neither so many occurred nor were to be expected by chance, a lift is noise (Cochran 1954 on small cells).
ENOUGH_OCCURRENCES = 5
FAVOURED, AVOIDED, EXPECTED, TOO_FEW = "Favoured", "Avoided", "Expected", "Too few"
REPEAT, CHANGE = "repeat", "change"
KINDS = tuple(f"{leaning} {kind}" for leaning in (FAVOURED, AVOIDED, EXPECTED, TOO_FEW) for kind in (REPEAT, CHANGE))


@table(
    grain="One row per ordered pair of moods of consecutive measured plays within a session.",
    key="mood_category next_mood_category",
    columns=(
        "mood_category next_mood_category pattern_type occurrence_count transition_probability lift behavioral_insight"
    ),
    checks=[
        accepted_values("mood_category", *MOODS),
        accepted_values("next_mood_category", *MOODS),
        accepted_values("pattern_type", *KINDS),
        in_range("transition_probability", 0, 1),
    ],
    caveats=["features_from_catalogue", "measured_only", "track_not_listener", "single_listener"],
)
def sequential_patterns(listening_with_features: DataFrame) -> DataFrame:
    """Transitions of a first-order Markov chain; see `gold.consecutive_plays` for what a pair is.

    transition_probability is the pair's share of all transitions from its first mood (the maximum-likelihood estimate;
    Anderson and Goodman 1957, "Statistical Inference about Markov Chains"). lift is that share over the second mood's
    share of all next plays, so 1 where the next play does not depend on this one. No test is made: songs recur, so
    transitions are not independent.
    """
    pairs = (
        consecutive_measured_plays(listening_with_features)
        .groupBy("mood_category", "next_mood_category")
        .agg(F.count(F.lit(1)).alias("occurrence_count"))
    )
    from_mood, to_mood, in_all = (
        F.sum("occurrence_count").over(Window.partitionBy(*columns))
        for columns in (["mood_category"], ["next_mood_category"], [])
    )
    return (
        pairs.withColumn("from_mood", from_mood)
        .withColumn("next_share", to_mood / in_all)
        .withColumn("transition_probability", F.col("occurrence_count") / F.col("from_mood"))
        .withColumn("lift", F.col("transition_probability") / F.col("next_share"))
        .withColumn("kind", F.when(F.expr("mood_category = next_mood_category"), REPEAT).otherwise(CHANGE))
        .select(
            "mood_category", "next_mood_category", F.concat_ws(" ", _leaning(), "kind").alias("pattern_type"),
            "occurrence_count", "transition_probability", "lift", _insight().alias("behavioral_insight"),
        )
    )  # fmt: skip


def _leaning() -> Column:
    lift = steady(F.col("lift"))
    expected = steady(F.col("from_mood") * F.col("next_share"))
    return (
        F.when(F.greatest("occurrence_count", expected) < ENOUGH_OCCURRENCES, TOO_FEW)
        .when(lift >= NOTABLE_LIFT, FAVOURED)
        .when(lift <= 1 / NOTABLE_LIFT, AVOIDED)
        .otherwise(EXPECTED)
    )


def _insight() -> Column:
    meaning = (
        F.when(_leaning() == FAVOURED, F.concat(F.lit("a "), "kind", F.lit(" made more often than by chance")))
        .when(_leaning() == AVOIDED, F.concat(F.lit("a "), "kind", F.lit(" made less often than by chance")))
        .when(_leaning() == EXPECTED, "about what a shuffled order would give")
        .otherwise("too few to call it a pattern")
    )
    return sentence(
        "After %s the next known play was %s in %s of %s cases (%s), against %s of all next plays: %s times as often, "
        "%s.",
        F.col("mood_category"),
        F.col("next_mood_category"),
        F.col("occurrence_count"),
        F.col("from_mood"),
        percent(F.col("transition_probability")),
        percent(F.col("next_share")),
        number(F.col("lift")),
        meaning,
    )
