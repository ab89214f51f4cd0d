"""At which hours did the listener play music that is unusual for that hour?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.caveats import MEASURED
from gold.shared.wording import ENOUGH_PLAYS, comparison, number, rounded, sentence
from lakehouse.contract import accepted_values, in_range, table
from silver.rules.feature_source import is_measured

# The modified z-score: 0.6745 (deviation from the median) / MAD; beyond 3.5 is an outlier (Iglewicz and Hoaglin 1993,
# "How to Detect and Handle Outliers"). 0.6745 puts the MAD of a normal distribution at one standard deviation.
MAD_OF_NORMAL = 0.6745
UNUSUAL = 3.5
SEVERITIES = ((2 * UNUSUAL, "High"), (1.5 * UNUSUAL, "Medium"))
MILD = "Low"


@table(
    grain="One row per listener and local hour with at least one unusual play.",
    key="listener hour_of_day",
    columns=(
        "listener hour_of_day anomaly_count sample_size avg_valence_deviation avg_energy_deviation anomaly_severity "
        "interpretation example_track"
    ),
    checks=[
        in_range("hour_of_day", 0, 23),
        in_range("avg_valence_deviation", -1, 1),
        in_range("avg_energy_deviation", -1, 1),
        accepted_values("anomaly_severity", *(name for _, name in SEVERITIES), MILD),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def listening_anomalies(listening_with_features: DataFrame) -> DataFrame:
    """Measured plays whose valence or energy has a modified z-score above 3.5 among the listener's plays at that hour.

    Hours with fewer than 20 measured plays are left out. Where at least half of the plays have the same value, the MAD
    is 0 and that feature makes no play unusual. The most unusual play gives severity and example.
    """
    unusual = _with_scores(listening_with_features).where(f"score > {UNUSUAL} AND sample_size >= {ENOUGH_PLAYS}")
    return (
        unusual.groupBy("listener", "hour_of_day")
        .agg(
            F.count(F.lit(1)).alias("anomaly_count"),
            F.first("sample_size").alias("sample_size"),
            F.avg("valence_deviation").alias("avg_valence_deviation"),
            F.avg("energy_deviation").alias("avg_energy_deviation"),
            F.first("usual_valence").alias("usual_valence"),
            F.first("usual_energy").alias("usual_energy"),
            F.max("score").alias("largest_score"),
            F.max_by(F.concat_ws(" – ", "artist_name", "track_name"), F.struct("score", "played_at", "play_id")).alias(
                "example_track"
            ),
        )
        .select(
            "listener", "hour_of_day", "anomaly_count", "sample_size", "avg_valence_deviation", "avg_energy_deviation",
            _severity().alias("anomaly_severity"), _interpretation().alias("interpretation"), "example_track",
        )
    )  # fmt: skip


def _with_scores(plays: DataFrame) -> DataFrame:
    """Measured plays with the usual values of their hour and the larger of their two scores."""
    at_hour = Window.partitionBy("listener", "hour_of_day")
    scored = plays.where(is_measured() & F.col("valence").isNotNull() & F.col("energy").isNotNull())
    for name in ("valence", "energy"):
        deviation = F.col(f"{name}_deviation")
        mad = F.nullif(rounded(F.median(F.abs(deviation)).over(at_hour)), F.lit(0.0))
        scored = (
            scored.withColumn(f"usual_{name}", F.median(name).over(at_hour))
            .withColumn(f"{name}_deviation", F.col(name) - F.col(f"usual_{name}"))
            .withColumn(f"{name}_score", rounded(MAD_OF_NORMAL * F.abs(deviation) / mad))
        )
    return scored.withColumn("score", F.greatest("valence_score", "energy_score")).withColumn(
        "sample_size", F.count(F.lit(1)).over(at_hour)
    )


def _severity() -> Column:
    severity = F.when(F.lit(False), None)
    for least, name in SEVERITIES:
        severity = severity.when(F.col("largest_score") >= least, name)
    return severity.otherwise(MILD)


def _interpretation() -> Column:
    return sentence(
        "Unusual at %02d:00: %s of %s measured plays, on average with a valence %s the usual %s and an energy %s the "
        "usual %s. Furthest off: %s, at %s robust deviations (unusual is above %s).",
        F.col("hour_of_day"),
        F.col("anomaly_count"),
        F.col("sample_size"),
        comparison(F.col("avg_valence_deviation")),
        number(F.col("usual_valence")),
        comparison(F.col("avg_energy_deviation")),
        number(F.col("usual_energy")),
        F.col("example_track"),
        number(F.col("largest_score")),
        F.lit(UNUSUAL),
    )
