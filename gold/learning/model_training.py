"""From the catalogue to an artifact: split, train, evaluate, and the card that tells of it."""

import pandas as pd

from gold.learning.folds import catalogue_folds
from gold.learning.model_building import build
from gold.learning.model_cards import model_card
from gold.learning.model_metrics import cross_validation_rows
from gold.learning.model_parameters import PARAMETERS, ModelParameters, ModelSpec
from gold.learning.training_set import split
from lakehouse.models.artifacts import Trained


def trained_on(catalogue: pd.DataFrame, spec: ModelSpec, parameters: ModelParameters = PARAMETERS) -> Trained:
    """Train and judge a model with its variants and baselines on the catalogue; nothing of the listener's is needed.

    Args:
        catalogue: Rows of catalogue_tracks; there may be none.
        spec: What to predict.
        parameters: Folds, seed and estimators.
    """
    training = split(catalogue, catalogue_folds(catalogue, parameters), parameters)
    trained = build(training, spec, parameters)
    figures = cross_validation_rows(trained, training, spec, parameters)
    return Trained(trained.parts(), model_card(spec, trained, parameters, figures), len(training.rows))
