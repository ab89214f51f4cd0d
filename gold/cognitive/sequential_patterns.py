"""Which mood of music follows which within a session, and more often than by chance?"""

from itertools import product

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared import cluster_robust
from gold.shared.caveats import MEASURED
from gold.shared.consecutive_plays import consecutive_measured_plays
from gold.shared.wording import number, percent, rounded, sentence
from lakehouse.contract import accepted_values, in_range, table
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import MOODS
from silver.sampled_plays import MAX_PLAYS

# A lift of at least this, or at most its reciprocal, is called a pattern if the difference is also significant.
NOTABLE_LIFT = 1.25
SIGNIFICANT = 0.05
# Where fewer occurred, and fewer were expected by chance, a lift is noise (Cochran 1954 on small cells).
ENOUGH_OCCURRENCES = 5
FAVOURED, AVOIDED, EXPECTED, TOO_FEW = "Favoured", "Avoided", "Expected", "Too few"
REPEAT, CHANGE = "repeat", "change"
PAIR = ("mood_category", "next_mood_category")
KINDS = tuple(f"{leaning} {kind}" for leaning in (FAVOURED, AVOIDED, EXPECTED, TOO_FEW) for kind in (REPEAT, CHANGE))


@table(
    grain="One row per listener and ordered pair of moods of consecutive measured plays within a session.",
    key="listener mood_category next_mood_category",
    columns=(
        "listener mood_category next_mood_category pattern_type occurrence_count transition_probability lift p_value "
        "behavioral_insight"
    ),
    checks=[
        accepted_values("mood_category", *MOODS),
        accepted_values("next_mood_category", *MOODS),
        accepted_values("pattern_type", *KINDS),
        in_range("transition_probability", 0, 1),
        in_range("p_value", 0, 1),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def sequential_patterns(listening_with_features: DataFrame) -> DataFrame:
    """Transitions of a first-order Markov chain; see `gold.shared.consecutive_plays` for what a pair is.

    transition_probability is the pair's share of all transitions from its first mood (the maximum-likelihood estimate;
    Anderson and Goodman 1957, "Statistical Inference about Markov Chains"). lift is that share over the second mood's
    share of all next plays, so 1 where the next play does not depend on this one. p_value tests for this pair alone if
    the second mood follows the first as often as it follows others (`cluster_robust.of_difference`, by recording and
    date of the next play). One or two of 25 pairs would fall below 0.05 by chance, so pattern and text use the p-value
    corrected for all (Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure", Scand. J. Stat. 6(2)).
    """
    pairs = consecutive_measured_plays(listening_with_features)
    counts = pairs.groupBy("listener", *PAIR).agg(F.count(F.lit(1)).alias("occurrence_count"))
    tests = in_pandas(
        pairs.select("listener", "play_id", "recording_key", "date", *PAIR),
        _tests,
        f"{PAIR[0]} string, {PAIR[1]} string, p_value double, corrected_p_value double",
        key="play_id",
        max_rows=MAX_PLAYS,
    )
    from_mood, to_mood, in_all = (
        F.sum("occurrence_count").over(Window.partitionBy("listener", *columns))
        for columns in (["mood_category"], ["next_mood_category"], [])
    )
    return (
        counts.join(tests, on=["listener", *PAIR], how="left")
        .withColumn("from_mood", from_mood)
        .withColumn("next_share", to_mood / in_all)
        .withColumn("transition_probability", F.col("occurrence_count") / F.col("from_mood"))
        .withColumn("lift", F.col("transition_probability") / F.col("next_share"))
        .withColumn("kind", F.when(F.expr("mood_category = next_mood_category"), REPEAT).otherwise(CHANGE))
        .select(
            "listener", *PAIR, F.concat_ws(" ", _leaning(), "kind").alias("pattern_type"),
            "occurrence_count", "transition_probability", "lift", "p_value",
            _insight().alias("behavioral_insight"),
        )
    )  # fmt: skip


def _tests(pairs: pd.DataFrame) -> pd.DataFrame:
    """The p-value of every pair of moods, also corrected for all pairs that can be tested."""
    # Imported here: it takes seconds to load, and only the task that tests needs it.
    from statsmodels.stats.multitest import multipletests

    rows = []
    for first, following in product(MOODS, MOODS):
        follows = pairs.assign(follows=(pairs[PAIR[1]] == following).astype(float))
        found = cluster_robust.of_difference(follows, "follows", pairs[PAIR[0]] == first)
        rows.append((first, following, found.p_value))
    tests = pd.DataFrame(rows, columns=[*PAIR, "p_value"]).assign(corrected_p_value=np.nan)
    known = tests["p_value"].notna()
    if known.any():
        tests.loc[known, "corrected_p_value"] = multipletests(tests.loc[known, "p_value"], method="holm")[1]
    return tests


def _leaning() -> Column:
    lift = rounded(F.col("lift"))
    expected = rounded(F.col("from_mood") * F.col("next_share"))
    return (
        F.when(F.greatest("occurrence_count", expected) < ENOUGH_OCCURRENCES, TOO_FEW)
        .when((lift >= NOTABLE_LIFT) & _is_significant(), FAVOURED)
        .when((lift <= 1 / NOTABLE_LIFT) & _is_significant(), AVOIDED)
        .otherwise(EXPECTED)
    )


def _is_significant() -> Column:
    return rounded(F.col("corrected_p_value")) < SIGNIFICANT


def _corrected_p() -> Column:
    p_value = F.col("corrected_p_value")
    exact = F.concat(F.lit("= "), number(p_value, digits=3))
    return F.concat(F.lit("corrected p "), F.when(p_value < 0.001, "< 0.001").otherwise(exact))


def _insight() -> Column:
    meaning = (
        F.when(_leaning() == FAVOURED, F.concat(F.lit("a "), "kind", F.lit(" made more often than by chance")))
        .when(_leaning() == AVOIDED, F.concat(F.lit("a "), "kind", F.lit(" made less often than by chance")))
        .when(_leaning() == TOO_FEW, "too few to call it a pattern")
        .when(_is_significant(), "no chance, but too small a difference to be called a pattern")
        .otherwise("no clear difference from a shuffled order")
    )
    return sentence(
        "After %s the next known play was %s in %s of %s cases (%s), against %s of all next plays: %s times as often "
        "(%s), %s.",
        *(F.col(name) for name in (*PAIR, "occurrence_count", "from_mood")), percent(F.col("transition_probability")),
        percent(F.col("next_share")), number(F.col("lift")), _corrected_p(), meaning,
    )  # fmt: skip
