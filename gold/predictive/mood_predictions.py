"""How positive does each measured play sound, by a model that never heard its recording?

Valence is known for these plays: the prediction fills no gap, it shows how much of it lies in the other features.
"""

from dataclasses import replace

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.learning.feature_scores import predicted_features
from gold.learning.measured_plays import measured_plays
from gold.learning.model_parameters import MOOD
from lakehouse.contract import Growth, expression, in_range, table
from lakehouse.models.artifacts import Artifact
from silver.rules.track_facts import of_few_plays


@table(
    grain="One row per measured play; it is scored by the model trained without the recording's fold.",
    key="play_id",
    columns=(
        "play_id played_at date hour_of_day day_of_week track_name artist_name valence predicted_valence lower_90 "
        "upper_90 energy tempo feature_source fold model_version"
    ),
    checks=[
        in_range("predicted_valence", 0, 1),
        expression("bounds hold the prediction", "predicted_valence BETWEEN lower_90 AND upper_90"),
    ],
    caveats=["trained_on_catalogue", "measured_only", "track_not_listener", "single_listener"],
)
def mood_predictions(listening_with_features: DataFrame, measured_tracks: DataFrame, mood_model: Artifact) -> DataFrame:
    """Fitted to the listener's tracks of other artists; the bounds hold 90 % of their measured valences.

    Null where no model was trained, or where a track's links lead to recordings of several folds.
    """
    return _predicted(listening_with_features, predicted_features(measured_tracks, mood_model, MOOD), mood_model)


def _predicted(listening_with_features: DataFrame, scores: DataFrame, mood_model: Artifact) -> DataFrame:
    plays = measured_plays(listening_with_features).join(scores, on="track_key", how="left")
    return plays.select(
        "play_id", "played_at", "date", "hour_of_day", "day_of_week", "track_name", "artist_name", "valence",
        F.col("predicted").alias("predicted_valence"), "lower_90", "upper_90", "energy", "tempo", "feature_source",
        "fold", F.lit(mood_model.version).alias("model_version"),
    )  # fmt: skip


def _of_few_plays(listening_with_features: DataFrame, measured_tracks: DataFrame, mood_model: Artifact) -> DataFrame:
    """Of all tracks only the plays' own are scored."""
    wanted = of_few_plays(measured_tracks, listening_with_features)
    scores = predicted_features(measured_tracks, mood_model, MOOD, wanted=wanted)
    return _predicted(listening_with_features, scores, mood_model)


mood_predictions = replace(
    mood_predictions, growth=Growth("listening_with_features", "played_at", of_few=_of_few_plays)
)
