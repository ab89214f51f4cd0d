"""Which inputs do the models depend on, for the listener's own tracks?"""

import pandas as pd
from pyspark.sql import DataFrame

from gold.learning.model_parameters import ENERGY, MOOD, MOOD_CLASS, PARAMETERS
from lakehouse.contract import table
from lakehouse.models.artifacts import Artifact
from silver.rules.bounded import in_pandas

# Shuffling scores every track a few hundred times; more tracks would not change the ranking.
MAX_TRACKS = 3_000


@table(
    grain="One row per listener, model and input.",
    key="listener model_name feature_name",
    columns="listener model_name feature_name importance importance_std model_version",
    caveats=["trained_on_catalogue", "measured_only", "single_listener"],
)
def model_feature_importance(
    feature_matches: DataFrame,
    measured_tracks: DataFrame,
    mood_model: Artifact,
    energy_model: Artifact,
    mood_class_model: Artifact,
) -> DataFrame:
    """Permutation importance on at most 3,000 measured tracks, a fixed random sample; see `feature_importance`.

    The drop of R2 (mood, energy) or rise of log-loss (mood class) when the input is shuffled among the tracks; null for
    an input that the model could not use, and where nothing can be scored.
    """
    models = ((MOOD, mood_model), (ENERGY, energy_model), (MOOD_CLASS, mood_class_model))

    def importance(measured: pd.DataFrame) -> pd.DataFrame:
        from gold.learning.feature_importance import importance_rows
        from gold.learning.folds import with_folds
        from gold.learning.model_building import main_model
        from silver.artists.recording_groups import RecordingFolds

        rows = []
        for spec, model in models:
            folded = with_folds(measured, RecordingFolds.from_state(model.parts["recordings"]), PARAMETERS)
            of_model = importance_rows(main_model(model.parts), spec, folded, PARAMETERS)
            rows += [row | {"model_version": model.version} for row in of_model]
        return pd.DataFrame(rows)

    return in_pandas(
        measured_tracks, importance,
        "model_name string, feature_name string, importance double, importance_std double, model_version string",
        key="track_key", max_rows=MAX_TRACKS, listeners=feature_matches,
    )  # fmt: skip
