"""How energetic does each measured play sound, by a model that never heard its recording?

This is not a forecast of the future (for that see mood_outlook): energy is known for these plays, and the prediction
shows how much of it follows from the other features.
"""

from pyspark.sql import DataFrame

from gold.learning.feature_scores import predicted_plays
from gold.learning.model_parameters import ENERGY
from gold.shared.caveats import PREDICTED
from lakehouse.contract import expression, in_range, table
from lakehouse.models.artifacts import Artifact

COLUMNS = (
    "listener play_id played_at date hour_of_day day_of_week energy predicted_energy lower_90 upper_90 tempo "
    "danceability feature_source fold model_version"
)


@table(
    grain="One row per measured play of a listener; it is scored by the model trained without the recording's fold.",
    key="listener play_id",
    columns=COLUMNS,
    checks=[
        in_range("predicted_energy", 0, 1),
        expression("bounds hold the prediction", "predicted_energy BETWEEN lower_90 AND upper_90"),
    ],
    caveats=PREDICTED,
)
def energy_forecasts(
    listening_with_features: DataFrame, measured_tracks: DataFrame, energy_model: Artifact
) -> DataFrame:
    """Predictions fitted to the listener's tracks of other artists; the bounds hold 90 % of their measured energies.

    Null where no model was trained, or where a track matches recordings of several folds.
    """
    plays = predicted_plays(listening_with_features, measured_tracks, energy_model, ENERGY)
    return plays.select(*COLUMNS.split())
