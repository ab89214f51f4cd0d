"""Which audio features go together in the listener's music, and do they in music at large?"""

from itertools import combinations

import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.shared import cluster_robust
from gold.shared.caveats import MEASURED
from gold.shared.wording import DIGITS
from lakehouse.contract import accepted_values, expression, in_range, table
from lakehouse.contract.columns import AUDIO_FEATURES
from silver.rules.bounded import EVERYBODY, in_pandas
from silver.sampled_plays import MAX_PLAYS

PAIRS = list(combinations(AUDIO_FEATURES, 2))
PAIR = ("feature1", "feature2")
# Cohen 1988, section 3.2: |r| of 0.1 is small, 0.3 medium, 0.5 large.
STRENGTHS = ((0.5, "Strong"), (0.3, "Moderate"), (0.1, "Weak"))
NEGLIGIBLE = "Negligible"
MAX_CATALOGUE_TRACKS = 200_000


@table(
    grain="One row per listener and unordered pair of audio features, feature1 before feature2 in their fixed order.",
    key="listener feature1 feature2",
    columns="listener feature1 feature2 correlation strength sample_size p_value catalogue_correlation",
    checks=[
        in_range("correlation", -1, 1),
        in_range("catalogue_correlation", -1, 1),
        in_range("p_value", 0, 1),
        accepted_values("strength", *(name for _, name in STRENGTHS), NEGLIGIBLE),
        expression("a p-value comes with a correlation", "p_value IS NULL OR correlation IS NOT NULL"),
    ],
    caveats=MEASURED,
)
def feature_correlations(plays_by_hour: DataFrame, sampled_plays: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """Pearson's r over measured plays that have both features, and over all catalogue tracks that have both.

    The p-value is that of the slope of feature1 over feature2 (`cluster_robust.of_slope`); it is for one pair, not
    corrected for testing all of them. Key is circular but is treated as a number: read its rows with care. Of more than
    50,000 plays or 200,000 tracks a fixed random sample is used.
    """
    own = in_pandas(
        sampled_plays.select("listener", "play_id", "recording_key", "date", *AUDIO_FEATURES),
        _own_correlations,
        "feature1 string, feature2 string, correlation double, sample_size bigint, p_value double",
        key="play_id",
        max_rows=MAX_PLAYS,
        listeners=plays_by_hour,
    )
    catalogue = in_pandas(
        catalogue_tracks.select(F.lit(EVERYBODY).alias("listener"), "track_id", *AUDIO_FEATURES),
        _catalogue_correlations,
        "feature1 string, feature2 string, catalogue_correlation double",
        key="track_id",
        max_rows=MAX_CATALOGUE_TRACKS,
    )
    return own.join(catalogue.drop("listener"), on=list(PAIR), how="left").select(
        "listener",
        *PAIR,
        "correlation",
        strength_of(F.col("correlation")).alias("strength"),
        "sample_size",
        "p_value",
        "catalogue_correlation",
    )


def strength_of(correlation: Column) -> Column:
    """The correlation's size in words, null for null."""
    size = F.round(F.abs(correlation), DIGITS)
    strength = F.when(correlation.isNull(), None)
    for least, name in STRENGTHS:
        strength = strength.when(size >= least, name)
    return strength.otherwise(NEGLIGIBLE)


def _own_correlations(plays: pd.DataFrame) -> pd.DataFrame:
    matrix, rows = _pearson(plays), []
    for pair in PAIRS:
        both = plays.dropna(subset=list(pair))
        rows.append((*pair, matrix.loc[pair], len(both), cluster_robust.of_slope(both, *pair).p_value))
    return pd.DataFrame(rows, columns=[*PAIR, "correlation", "sample_size", "p_value"])


def _catalogue_correlations(tracks: pd.DataFrame) -> pd.DataFrame:
    matrix = _pearson(tracks)
    rows = [(*pair, matrix.loc[pair]) for pair in PAIRS]
    return pd.DataFrame(rows, columns=[*PAIR, "catalogue_correlation"])


def _pearson(rows: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of all pairs, each over the rows that have both; NaN where one has no spread."""
    return rows[list(AUDIO_FEATURES)].astype(float).corr().clip(-1, 1)
