"""How much of a track's valence follows from its other audio features, its genre and its artist?"""

import pandas as pd

from gold.learning.model_parameters import MOOD
from lakehouse.contract import model
from lakehouse.models.artifacts import TrainingResult
from silver.catalogue_tracks import MAX_CATALOGUE_ROWS


@model(max_rows=MAX_CATALOGUE_ROWS)
def mood_model(catalogue_tracks: pd.DataFrame) -> TrainingResult:
    """See `model_training.trained_on`."""
    from gold.learning.model_training import trained_on  # loads scikit-learn, which only training needs

    return trained_on(catalogue_tracks, MOOD)
