"""What is told about a saved model: what it is for, what it was made from, how good it is and where it misleads."""

from typing import Any

from gold.learning.model_building import TrainedModel
from gold.learning.model_parameters import ModelParameters, ModelSpec
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


def model_card(
    spec: ModelSpec,
    trained: TrainedModel,
    parameters: ModelParameters,
    figures: list[dict[str, Any]],
) -> dict[str, Any]:
    """The card of a model, to be saved with it.

    Args:
        spec: What it predicts.
        trained: Result of `model_building.build`.
        parameters: What it was trained with.
        figures: Result of `model_metrics.cross_validation_rows`; read back instead of computing them again.
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
