"""Which mood does each measured play have, by a model that knows neither its valence nor its energy?

The mood is known for these plays: the prediction does not fill a gap, it shows how much of it follows from the other
features.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.learning.feature_scores import measured_plays, predicted_moods
from gold.shared.caveats import PREDICTED
from lakehouse.contract import accepted_values, in_range, table
from lakehouse.models.artifacts import Artifact
from silver.rules.feature_source import MOODS
from silver.rules.track_facts import TRACK


@table(
    grain="One row per measured play of a listener; it is scored by the model trained without the recording's fold.",
    key="listener play_id",
    columns=(
        "listener play_id played_at date hour_of_day day_of_week mood_label predicted_mood_label predicted_mood "
        "confidence mood_probability feature_source fold model_version"
    ),
    checks=[
        in_range("mood_label", 0, len(MOODS) - 1),
        in_range("predicted_mood_label", 0, len(MOODS) - 1),
        accepted_values("predicted_mood", *MOODS),
        in_range("confidence", 0, 1),
        in_range("mood_probability", 0, 1),
    ],
    caveats=PREDICTED,
)
def mood_classifications(
    listening_with_features: DataFrame,
    measured_tracks: DataFrame,
    mood_class_model: Artifact,
) -> DataFrame:
    """Rare moods are favoured a little, else they would never be predicted; confidence is the unadjusted probability.

    Null where no model was trained, or where a track matches recordings of several folds; mood_label and
    mood_probability are null where valence or energy is.
    """
    scores = predicted_moods(measured_tracks, mood_class_model)
    plays = measured_plays(listening_with_features).join(scores, on=list(TRACK), how="left")
    return plays.select(
        "listener", "play_id", "played_at", "date", "hour_of_day", "day_of_week", _label().alias("mood_label"),
        "predicted_mood_label", _name().alias("predicted_mood"), "confidence", "mood_probability",
        "feature_source", "fold", F.lit(mood_class_model.version).alias("model_version"),
    )  # fmt: skip


def _label() -> Column:
    """Position of the play's mood in `MOODS`."""
    place = F.array_position(F.lit(list(MOODS)), F.col("mood_category"))
    return (place - 1).cast("int")


def _name() -> Column:
    return F.get(F.lit(list(MOODS)), F.col("predicted_mood_label"))
