"""Genre and artist as numbers for trees: the mean target of the track's genres and of its artist (target encoding).

The encoding of a training row must not contain its own target, nor that of its other releases, so training rows are
encoded out of fold, by recording. Because a listener's artists are often missing from the catalogue, the artist is
hidden in a random share of the training rows: the trees learn to do without one.
"""

from dataclasses import dataclass

import numpy as np

from gold.learning.model_parameters import ModelParameters
from silver.artists.recording_groups import BoolArray, FloatArray, IntArray
from silver.artists.shrunken_means import Links, ShrunkenMeans


def encode(means: ShrunkenMeans, links: Links, artist_hidden: BoolArray | None = None) -> FloatArray:
    """Encode rows with means learnt elsewhere.

    Args:
        means: statistics of T targets from rows that do not include these.
        links: artists and genres of n rows, in the vocabulary of `means`.
        artist_hidden: (n,) rows to treat as if the artist were unknown.

    Returns:
        (n, 2T + 1): genre means, artist means (the genre mean where the artist is unknown), and the weight
        of tracks the artist mean rests on.
    """
    by_genre = means.by_genre(links)
    by_artist, weight = means.by_artist(links, prior=by_genre)
    if artist_hidden is not None:
        by_artist = np.where(artist_hidden[:, None], by_genre, by_artist)
        weight = np.where(artist_hidden, 0.0, weight)
    return np.column_stack([by_genre, by_artist, weight])


@dataclass(frozen=True)
class FittedEncodings:
    """Encodings of the training rows, and the means that encode any other row."""

    training_columns: FloatArray
    means: ShrunkenMeans


def fit_encodings(
    links: Links, targets: FloatArray, inner_fold: IntArray, parameters: ModelParameters, random: np.random.Generator
) -> FittedEncodings:
    """Encode training rows out of fold, and learn the means for scoring from all rows.

    Args:
        links: artists and genres of the n training rows.
        targets: (n, T), finite.
        inner_fold: (n,) fold of the row's recording; its encoding comes from the other folds.
        parameters: genre_k, artist_k, masked_share.
        random: decides which artists are hidden.
    """
    artist_k = np.full(targets.shape[1], parameters.artist_k)
    hidden = random.random(len(targets)) < parameters.masked_share
    columns = np.empty((len(targets), 2 * targets.shape[1] + 1))
    for fold in np.unique(inner_fold):
        inside = inner_fold == fold
        learnt = ~inside if not inside.all() else inside  # a single recording has no others to learn from
        means = ShrunkenMeans.fit(links.rows(learnt), targets[learnt], parameters.genre_k, artist_k)
        columns[inside] = encode(means, links.rows(inside), hidden[inside])
    return FittedEncodings(columns, ShrunkenMeans.fit(links, targets, parameters.genre_k, artist_k))
