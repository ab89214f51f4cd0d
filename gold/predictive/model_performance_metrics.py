"""How good are the models, on the catalogue and on the listener's own tracks, and do they beat the baselines?

mood, energy and mood_class predict what is already known: they are a test bench and a sanity check. Plays without
features get theirs from artist_estimate_..., whose rows say how good the imputed features are.
"""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.learning.feature_scores import measured_plays
from gold.learning.model_parameters import ENERGY, MOOD, MOOD_CLASS, PARAMETERS
from gold.shared.caveats import PREDICTED
from lakehouse.contract import in_range, table
from lakehouse.models.artifacts import Artifact
from silver.rules.bounded import EVERYBODY, in_pandas
from silver.rules.track_facts import TRACK

COLUMN_NAMES = (
    "model_name model_type training_approach evaluation segment train_size test_size test_tracks r2 rmse mae accuracy "
    "f1 log_loss ece coverage_90 skill primary_metric ci_low ci_high baseline_score beats_baseline note model_version "
    "trained_at"
)
# With more tracks, intervals would be narrower than any reader needs.
MAX_TRACKS = 20_000


@table(
    grain="One row per listener, model, evaluation and segment; baselines are models of their own.",
    key="listener model_name evaluation segment",
    columns=f"listener {COLUMN_NAMES}",
    checks=[in_range(name, 0, 1) for name in ("mae", "accuracy", "f1", "ece", "coverage_90")],
    caveats=PREDICTED,
)
def model_performance_metrics(
    listening_with_features: DataFrame,
    measured_tracks: DataFrame,
    mood_model: Artifact,
    energy_model: Artifact,
    mood_class_model: Artifact,
    artist_model: Artifact,
) -> DataFrame:
    """The headline of a model is evaluation 'listener', segment 'per_play'; 'per_track' counts each track once.

    Figures on the catalogue ('cv_recording', 'cv_artist'; listener '*') were measured when the model was trained. On
    a listener at most 20,000 measured tracks, a fixed random sample, each scored by the model that never saw its
    recording; for 'artist_unseen' by one that never saw its artist. Intervals are 95 %, by bootstrap over artists; a
    model beats its baseline when its whole interval does.
    """
    plays = measured_plays(listening_with_features).groupBy(*TRACK).agg(F.count(F.lit(1)).alias("plays"))
    tracks = measured_tracks.join(plays, on=list(TRACK), how="inner")
    models = ((MOOD, mood_model), (ENERGY, energy_model), (MOOD_CLASS, mood_class_model))

    def metrics(measured: pd.DataFrame) -> pd.DataFrame:
        from gold.learning.model_metrics import artist_rows, model_rows

        rows = [row for spec, model in models for row in model_rows(model, spec, measured, PARAMETERS)]
        rows += artist_rows(artist_model, measured, PARAMETERS)
        return pd.DataFrame(rows)[COLUMN_NAMES.split()]

    listener, *others = model_performance_metrics.columns
    schema = ", ".join(f"{column.name} {column.type}" for column in others)
    of_listeners = in_pandas(
        tracks, metrics, schema, key="track_key", max_rows=MAX_TRACKS, listeners=listening_with_features
    )
    on_catalogue = _on_catalogue([model for _, model in models])
    spark = listening_with_features.sparkSession
    return of_listeners.unionByName(spark.createDataFrame(on_catalogue, f"{listener.name} string, {schema}"))


def _on_catalogue(models: Sequence[Artifact]) -> pa.Table:
    from gold.learning.model_metrics import catalogue_rows

    rows = [row for model in models for row in catalogue_rows(model)]
    figures = pd.DataFrame(rows, columns=["listener", *COLUMN_NAMES.split()]).assign(listener=EVERYBODY)
    return pa.Table.from_pandas(figures, preserve_index=False)
