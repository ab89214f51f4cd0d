"""Into which slices does the listener's music fall by how it sounds?

The music is a continuum: the clusters are slices of it, not natural types.
"""

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.wording import comparison, number, percent, rounded, sentence
from lakehouse.contract import expression, in_range, table
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_measured
from silver.rules.moments import deviation, merged, moments_of

# Each clustered feature with the words for high and low; valence first, because it orders the clusters.
FEATURE_WORDS = {
    "valence": ("bright", "dark"),
    "energy": ("energetic", "calm"),
    "danceability": ("danceable", "undanceable"),
    "acousticness": ("acoustic", "electric"),
    "instrumentalness": ("instrumental", "sung"),
    "speechiness": ("wordy", "melodic"),
    "loudness": ("loud", "quiet"),
    "tempo": ("fast", "slow"),
}
# Features that crowd near 0 are clustered by their logarithm; the offset keeps 0 finite.
LOGARITHMIC = ("acousticness", "instrumentalness", "speechiness")
LOG_OFFSET = 0.001
# Silhouettes compare all recordings with one another: their cost grows with the square.
MAX_RECORDINGS = 3_000
ENOUGH_RECORDINGS = 20
CLUSTER_COLUMNS = ("cluster", "mood_state_name", "set_apart", "silhouette")
AVERAGED = ("valence", "energy", "danceability", "acousticness", "instrumentalness")
VARYING = ("valence", "energy")


@table(
    grain="One row per listener and cluster of measured plays, brightest first.",
    key="listener cluster",
    columns=(
        "listener cluster mood_state_name member_count track_count avg_valence avg_energy avg_danceability "
        "avg_acousticness avg_instrumentalness valence_variability energy_variability silhouette cluster_description"
    ),
    checks=[
        in_range("cluster", 0, 7),
        in_range("silhouette", -1, 1),
        *(in_range(f"avg_{name}", 0, 1) for name in AVERAGED),
        expression("a cluster has plays", "member_count > 0"),
    ],
    caveats=["features_from_catalogue", "measured_only", "slices_not_types", "track_not_listener"],
)
def mood_state_clusters(listening_with_features: DataFrame) -> DataFrame:
    """Recordings are clustered by `cluster_models.fit_clusters` on 8 standardised features; their plays are counted.

    The fit takes at most 3,000 recordings, a fixed random sample; below 20 there are no clusters. Every recording then
    goes to the nearest centre. Plays without all 8 features are left out.
    """
    complete = listening_with_features.where(is_measured()).dropna(subset=list(FEATURE_WORDS))
    # Plays are aggregated once: the figures of a cluster are sums over its recordings. Both uses below read all
    # columns, else Spark would not share the aggregation between them.
    recordings = complete.groupBy("listener", "recording_key").agg(
        *(rounded(F.avg(_clustered_value(name))).alias(name) for name in FEATURE_WORDS),
        F.count(F.lit(1)).alias("plays"),
        *(F.sum(name).alias(f"total_{name}") for name in AVERAGED),
        *(moments_of(F.col(name)).alias(f"{name}_moments") for name in VARYING),
    )
    centres = in_pandas(
        recordings,
        _centres,
        "cluster int, mood_state_name string, set_apart string, silhouette double, centre array<double>, "
        "scale array<double>",
        key="recording_key",
        max_rows=MAX_RECORDINGS,
    )
    clusters = (
        _assign_to_nearest(recordings, centres)
        .groupBy("listener", *CLUSTER_COLUMNS)
        .agg(
            F.sum("plays").alias("member_count"),
            F.count(F.lit(1)).alias("track_count"),
            *((F.sum(f"total_{name}") / F.sum("plays")).alias(f"avg_{name}") for name in AVERAGED),
            *(deviation(merged(F.col(f"{name}_moments"))).alias(f"{name}_variability") for name in VARYING),
        )
    )
    return clusters.select(
        "listener", "cluster", "mood_state_name", "member_count", "track_count", *(f"avg_{name}" for name in AVERAGED),
        "valence_variability", "energy_variability", "silhouette", _description().alias("cluster_description"),
    )  # fmt: skip


def _clustered_value(name: str) -> Column:
    return F.log(F.col(name) + LOG_OFFSET) if name in LOGARITHMIC else F.col(name)


def _centres(recordings: pd.DataFrame) -> pd.DataFrame:
    """One row per cluster: its name and its centre, in the units of the recordings; none below enough recordings."""
    # Imported here: scikit-learn takes seconds to load, and only the task that fits needs it.
    from gold.learning.cluster_models import cluster_names, distinguishing_features, fit_clusters

    values = recordings[list(FEATURE_WORDS)].to_numpy()
    varies = np.ptp(values, axis=0) > 0
    if len(values) < ENOUGH_RECORDINGS or not varies.any():
        return pd.DataFrame(columns=[*CLUSTER_COLUMNS, "centre", "scale"])
    means, scale = values.mean(axis=0), np.where(varies, values.std(axis=0), 1.0)
    found = fit_clusters((values - means) / scale)
    return pd.DataFrame(
        {
            "cluster": range(len(found.centres)),
            "mood_state_name": cluster_names(found.centres, list(FEATURE_WORDS.values())),
            "set_apart": distinguishing_features(found.centres, list(FEATURE_WORDS)),
            "silhouette": found.silhouettes,
            "centre": list(found.centres * scale + means),
            "scale": [scale] * len(found.centres),
        }
    )


def _assign_to_nearest(recordings: DataFrame, centres: DataFrame) -> DataFrame:
    """The recordings with the cluster nearest in standard deviations; among equals the first."""
    gaps = [(F.col(name) - F.col("centre")[i]) / F.col("scale")[i] for i, name in enumerate(FEATURE_WORDS)]
    distance = rounded(sum((gap * gap for gap in gaps), start=F.lit(0.0)))
    return (
        recordings.join(F.broadcast(centres), on="listener", how="inner")
        # Grouped by all columns, which saves a join.
        .groupBy(*recordings.columns)
        .agg(F.min_by(F.struct(*CLUSTER_COLUMNS), F.struct(distance, "cluster")).alias("nearest"))
        .select("*", "nearest.*")
    )


def _description() -> Column:
    """What sets the cluster apart from all measured plays, in its numbers."""
    everything = Window.partitionBy("listener")
    plays = F.sum("member_count").over(everything)

    def against_all(name: str) -> Column:
        column = F.col(f"avg_{name}")
        overall = F.sum(column * F.col("member_count")).over(everything) / plays
        return sentence("%s %s (%s the mean of all)", F.lit(name), number(column), comparison(column - overall))

    return sentence(
        "%s of %s measured plays (%s), %s tracks, set apart by their %s: %s. A slice of a continuum, not a type: "
        "silhouette %s, where 1 is set apart and 0 is not.",
        F.col("member_count"), plays, percent(F.col("member_count") / plays), F.col("track_count"), F.col("set_apart"),
        F.concat_ws(", ", *(against_all(name) for name in AVERAGED)), number(F.col("silhouette")),
    )  # fmt: skip
