"""From the catalogue to an artifact: split, train, evaluate, and describe the model in its card."""

from typing import Any

import pandas as pd

from gold.learning.folds import catalogue_folds
from gold.learning.model_building import TrainedModel, build
from gold.learning.model_metrics import cross_validation_rows
from gold.learning.model_parameters import PARAMETERS, ModelParameters, ModelSpec
from gold.learning.training_set import split
from lakehouse.models.artifacts import TrainingResult
from silver.catalogue_tracks import DATA, LICENCE

PURPOSE = {
    "mood": "Predict a track's valence from its other audio features, genre and artist. Features come as one block, "
    "so this fills no gap: it shows how much of the mood lies in the sound, and is a sanity check.",
    "energy": "Predict a track's energy from its other audio features, genre and artist. It fills no gap, like mood.",
    "mood_class": "Predict a track's mood class without knowing its valence and energy. It fills no gap, like mood.",
}
CAVEATS = [
    "Valence and energy are Spotify's estimates of a track, not a listener's mood.",
    "Two releases of a song agree to R2 .91 (valence), .87 (energy), 86 % (mood class): no model can do more.",
    "The catalogue's music is not the listener's: figures on the catalogue overstate what a listener gets.",
    "Mood classes are thresholds; near a threshold the class is a coin toss.",
]


def trained_on(catalogue: pd.DataFrame, spec: ModelSpec, parameters: ModelParameters = PARAMETERS) -> TrainingResult:
    """Train and evaluate a model with its variants and baselines on the catalogue, without any data of the listener.

    Args:
        catalogue: rows of catalogue_tracks; there may be none.
        spec: what to predict.
        parameters: folds, seed and estimators.
    """
    training = split(catalogue, catalogue_folds(catalogue, parameters), parameters)
    trained = build(training, spec, parameters)
    figures = cross_validation_rows(trained, training, spec, parameters)
    return TrainingResult(trained.parts(), model_card(spec, trained, parameters, figures), len(training.rows))


def model_card(
    spec: ModelSpec,
    trained: TrainedModel,
    parameters: ModelParameters,
    figures: list[dict[str, Any]],
) -> dict[str, Any]:
    """The card of a model, to be saved with it.

    Args:
        spec: what it predicts.
        trained: result of `model_building.build`.
        parameters: what it was trained with.
        figures: result of `model_metrics.cross_validation_rows`; read back instead of computing them again.
    """
    model = trained.by_recording
    return {
        "purpose": PURPOSE[spec.name],
        "target": spec.target,
        "data": DATA,
        "licence": LICENCE,
        "training_recordings_per_fold": {str(fold): saved.train_size for fold, saved in model.folds.items()},
        "features": list(model.features),
        "features_left_out": model.unused,
        "not_trained_because": model.reason,
        "parameters": parameters.as_dict(),
        "figures": figures,
        "caveats": CAVEATS,
    }
