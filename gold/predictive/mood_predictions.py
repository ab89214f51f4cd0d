"""How positive does each measured play sound, by a model that never heard its recording?

Valence is known for these plays: the prediction does not fill a gap, it shows how much of valence follows from the
other features.
"""

from pyspark.sql import DataFrame

from gold.learning.feature_scores import predicted_plays
from gold.learning.model_parameters import MOOD
from gold.shared.caveats import PREDICTED
from lakehouse.contract import expression, in_range, table
from lakehouse.models.artifacts import Artifact

COLUMNS = (
    "listener play_id played_at date hour_of_day day_of_week track_name artist_name valence predicted_valence lower_90 "
    "upper_90 energy tempo feature_source fold model_version"
)


@table(
    grain="One row per measured play of a listener; it is scored by the model trained without the recording's fold.",
    key="listener play_id",
    columns=COLUMNS,
    checks=[
        in_range("predicted_valence", 0, 1),
        expression("bounds hold the prediction", "predicted_valence BETWEEN lower_90 AND upper_90"),
    ],
    caveats=PREDICTED,
)
def mood_predictions(listening_with_features: DataFrame, measured_tracks: DataFrame, mood_model: Artifact) -> DataFrame:
    """Predictions fitted to the listener's tracks of other artists; the bounds hold 90 % of their measured valences.

    Null where no model was trained, or where a track matches recordings of several folds.
    """
    plays = predicted_plays(listening_with_features, measured_tracks, mood_model, MOOD)
    return plays.select(*COLUMNS.split())
