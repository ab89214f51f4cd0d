"""Means of audio features by genre and artist, shrunk towards the level above where tracks are few.

Two tracks say little about an artist, forty say a lot. The mean of an artist is (sum + K x genre mean) / (weight + K),
K being the number of tracks that the genre's mean is worth: the variance within an artist over the variance between
artists (empirical Bayes, James-Stein; Micci-Barreca 2001, https://doi.org/10.1145/507533.507538, for its use as an
encoding).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from silver.artists.artist_names import artist_key, credited_artists, split_names
from silver.artists.recording_groups import FloatArray, IntArray, stable_hashes

GENRE_SEPARATOR = ";"
FIRST_ARTIST_WEIGHT = 1.0
# A guest verse says half as much about the guest's own songs, see "Artist estimates" in docs/models.md.
GUEST_WEIGHT = 0.5


@dataclass(frozen=True)
class Links:
    """Which artists and genres rows belong to: two sparse matrices over the keys of one vocabulary.

    Attributes:
        artist_ids: sorted hashes of the artists' keys, the columns of `artists` and `main_artist`.
        genre_ids: sorted hashes of genre names, the columns of `genres`.
        artists: rows x artists, 1 where first and 0.5 where guest.
        main_artist: rows x artists, 1 for the main artist.
        genres: rows x genres; a row with any genre sums to 1.
    """

    artist_ids: IntArray
    genre_ids: IntArray
    artists: csr_array
    main_artist: csr_array
    genres: csr_array

    def rows(self, selected: npt.NDArray[Any]) -> "Links":
        """Keep some rows (mask or positions); the vocabulary stays."""
        return Links(
            self.artist_ids,
            self.genre_ids,
            self.artists[selected],
            self.main_artist[selected],
            self.genres[selected],
        )


def link_tracks(
    artists: Iterable[object],
    genres: Iterable[object],
    artist_ids: IntArray | None = None,
    genre_ids: IntArray | None = None,
) -> Links:
    """Read the artists and genres of rows into sparse matrices.

    Args:
        artists: per row the names joined by ';', the main artist first; null for none.
        genres: per row the genres joined by ';'; null for none.
        artist_ids: vocabulary to use; names outside it are dropped. By default the names that occur.
        genre_ids: the same for genres.
    """
    credits = [list(dict.fromkeys(map(artist_key, credited_artists(value)))) for value in artists]
    tags = [list(dict.fromkeys(split_names(value, GENRE_SEPARATOR))) for value in genres]
    weights = [FIRST_ARTIST_WEIGHT if i == 0 else GUEST_WEIGHT for names in credits for i in range(len(names))]
    shares = [1.0 / len(names) for names in tags for _ in names]
    artist_ids, all_artists = _sparse_links(credits, np.asarray(weights), artist_ids)
    genre_ids, all_genres = _sparse_links(tags, np.asarray(shares), genre_ids)
    main = [names[:1] for names in credits]
    _, main_artist = _sparse_links(main, np.ones(sum(map(len, main))), artist_ids)
    return Links(artist_ids, genre_ids, all_artists, main_artist, all_genres)


def _sparse_links(
    names: list[list[str]], weights: FloatArray, vocabulary: IntArray | None
) -> tuple[IntArray, csr_array]:
    """Build the matrix rows x vocabulary from ragged lists of names and one weight per name."""
    rows = np.repeat(np.arange(len(names)), [len(row) for row in names])
    codes, uniques = pd.factorize(np.asarray([name for row in names for name in row], dtype=object))
    ids = stable_hashes(uniques)[codes] if len(codes) else np.empty(0, dtype=np.int64)
    known = np.unique(ids) if vocabulary is None else vocabulary
    columns = np.searchsorted(known, ids)
    found = np.zeros(len(ids), dtype=bool)
    inside = columns < len(known)
    found[inside] = known[columns[inside]] == ids[inside]
    values = (weights[found], (rows[found], columns[found]))
    return known, csr_array(values, shape=(len(names), len(known)))


@dataclass(frozen=True)
class ShrunkenMeans:
    """Genre and artist means of T targets, learnt from some rows and applied to any others.

    Attributes:
        overall: (T,) mean of the rows.
        genre_means: (G, T), already shrunk towards `overall`.
        artist_sums: (A, T) weighted sums over the rows that credit the artist.
        artist_weights: (A,) the weights in those sums.
        artist_k: (T,) number of tracks the prior is worth against an artist's own.
    """

    overall: FloatArray
    genre_means: FloatArray
    artist_sums: FloatArray
    artist_weights: FloatArray
    artist_k: FloatArray

    @classmethod
    def fit(cls, links: Links, targets: FloatArray, genre_k: float, artist_k: FloatArray) -> "ShrunkenMeans":
        """Learn the means.

        Args:
            links: artists and genres of n >= 1 rows.
            targets: (n, T), finite.
            genre_k: number of tracks the overall mean is worth against a genre's.
            artist_k: (T,) or (1,), see the class.
        """
        overall = targets.mean(axis=0)
        member = (links.genres > 0).astype(float)
        counts = np.asarray(member.sum(axis=0), dtype=float)[:, None]
        return cls(
            overall=overall,
            genre_means=(member.T @ targets + genre_k * overall) / (counts + genre_k),
            artist_sums=links.artists.T @ targets,
            artist_weights=np.asarray(links.artists.sum(axis=0), dtype=float),
            artist_k=np.asarray(artist_k, dtype=float),
        )

    def by_genre(self, links: Links) -> FloatArray:
        """Mean of the row's genres, (n, T); the overall mean where no genre is known."""
        share = np.asarray(links.genres.sum(axis=1), dtype=float)[:, None]
        rest = np.clip(1.0 - share, 0.0, 1.0) * self.overall
        return np.asarray(links.genres @ self.genre_means + rest, dtype=float)

    def by_artist(self, links: Links, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Shrunken mean of the row's main artist, (n, T), and the weight it rests on, (n,).

        Args:
            links: rows in the vocabulary this was fitted with.
            prior: (n, T) what an artist without tracks gets.
        """
        weights = np.asarray(links.main_artist @ self.artist_weights, dtype=float)
        sums = links.main_artist @ self.artist_sums + self.artist_k * prior
        return np.asarray(sums / (weights[:, None] + self.artist_k), dtype=float), weights

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Plain arrays by name, for an artifact."""
        return dict(vars(self))

    @classmethod
    def from_state(cls, state: Mapping[str, npt.NDArray[Any]]) -> "ShrunkenMeans":
        """Undo `state`."""
        return cls(**state)
