"""A training row's encoding must not contain its own target."""

import numpy as np

from gold.learning.encodings import encode, fit_encodings
from gold.learning.model_parameters import ModelParameters
from silver.artists.shrunken_means import link_tracks

PARAMETERS = ModelParameters(genre_k=1.0, artist_k=1.0, masked_share=0.0)
ARTISTS = ["Ann"] * 4 + ["Bob"] * 4
LINKS = link_tracks(ARTISTS, ["pop"] * 8)
TARGETS = np.array([[0.1], [0.2], [0.3], [0.4], [0.6], [0.7], [0.8], [0.9]])
FOLDS = np.array([0, 1, 0, 1, 0, 1, 0, 1])


def training_columns(targets: np.ndarray, parameters: ModelParameters = PARAMETERS) -> np.ndarray:
    return fit_encodings(LINKS, targets, FOLDS, parameters, np.random.default_rng(0)).training_columns


def test_own_target_and_own_fold_do_not_enter_the_encoding() -> None:
    changed = TARGETS.copy()
    changed[0] = 99.0
    same = np.isclose(training_columns(TARGETS), training_columns(changed)).all(axis=1)
    assert same[FOLDS == 0].all()
    assert not same[FOLDS == 1].any()


def test_hidden_artists_are_encoded_like_unknown_ones() -> None:
    all_hidden = training_columns(TARGETS, ModelParameters(genre_k=1.0, artist_k=1.0, masked_share=1.0))
    genre, artist, weight = all_hidden.T
    assert (artist == genre).all() and (weight == 0).all()


def test_scoring_uses_all_training_rows() -> None:
    fitted = fit_encodings(LINKS, TARGETS, FOLDS, PARAMETERS, np.random.default_rng(0))
    columns = encode(fitted.means, LINKS)
    assert columns[:, 2].tolist() == [4.0] * 8
    assert columns[0, 1] < columns[4, 1]


def test_one_recording_alone_does_not_fail() -> None:
    alone = LINKS.rows(np.array([0]))
    fitted = fit_encodings(alone, TARGETS[:1], FOLDS[:1], PARAMETERS, np.random.default_rng(0))
    assert np.isfinite(fitted.training_columns).all()
