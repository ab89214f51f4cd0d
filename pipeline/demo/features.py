"""Audio features of the demo data, correlated with each other and within artists and genres as real ones are."""

from collections.abc import Sequence

import numpy as np

from pipeline.demo.draws import FloatArray, IntArray
from pipeline.demo.parameters import Parameters

SIGNIFICANT_DIGITS = 3  # as the Kaggle catalogue gives its 0..1 features
DECIMALS = 3  # the same for loudness and tempo


def draw_features(
    parameters: Parameters, genre: IntArray, artist: IntArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Features of tracks: a latent normal vector, genre + artist + track, mapped to each feature's own range.

    Args:
        parameters: the demo parameters.
        genre: each track's genre, as its position in the parameters.
        artist: each track's first artist, as a position among all artists.
        rng: source of all draws.

    Returns:
        One array per feature, in the tracks' order.
    """
    settings = parameters["features"]
    names = settings["names"]
    root = np.linalg.cholesky(_correlation_matrix(settings["correlations"]))
    centres = np.array(list(parameters["genres"].values()))
    of_artist = settings["artist_sd"] * rng.normal(size=(parameters["catalogue"]["artists"], len(names)))
    of_track = settings["track_sd"] * rng.normal(size=(len(genre), len(names)))
    latent = centres[genre] + (of_artist[artist] + of_track) @ root.T
    return {name: _from_latent(latent[:, column], settings["shapes"][name]) for column, name in enumerate(names)}


def _correlation_matrix(lower_triangle: Sequence[Sequence[float]]) -> FloatArray:
    matrix = np.eye(len(lower_triangle))
    for row, values in enumerate(lower_triangle):
        matrix[row, : len(values)] = matrix[: len(values), row] = values
    return matrix


def _from_latent(latent: FloatArray, shape: Parameters) -> FloatArray:
    values: FloatArray = shape["centre"] + shape["scale"] * latent
    match shape["kind"]:
        case "linear":
            return np.clip(values, *shape["range"]).round(DECIMALS)
        case "logistic":
            values = 1 / (1 + np.exp(-values))
        case "lognormal":
            values = shape["floor"] + np.exp(values)
    values = np.clip(values, *shape["range"])
    values[values < shape.get("zero_below", 0.0)] = 0.0
    return np.array([float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values])
