"""Which fold every recording is dealt to, and what each fold's model therefore must not see.

Two ways to hold out. By recording: all releases and audio twins of a recording share a fold; other songs of
the artist may be in training, as they may be for any new play. By artist: a fold's model saw no track that
credits one of the fold's artists, which shows what is left for artists the catalogue does not have.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gold.predictive.model_parameters import HoldoutBy, ModelParameters
from silver.artist_names import artist_key, credited_artists
from silver.recording_groups import BoolArray, IntArray, hash_folds, linked_folds, recording_groups


@dataclass(frozen=True)
class CatalogueFolds:
    """Folds of the catalogue, rows parallel to the catalogue frame.

    Attributes:
        group: recording group per row.
        recording_fold: fold per row, the same for all releases of a recording.
        artist_fold: fold of the row's main artist.
        touched_by_artist: (n, n_folds), whether any release of the row's recording credits an artist of
            the fold.
    """

    group: "pd.Series[str]"
    recording_fold: IntArray
    artist_fold: IntArray
    touched_by_artist: BoolArray

    def take(self, positions: IntArray) -> "CatalogueFolds":
        """Keep some rows of the catalogue, in the order given."""
        return CatalogueFolds(
            group=self.group.iloc[positions].reset_index(drop=True),
            recording_fold=self.recording_fold[positions],
            artist_fold=self.artist_fold[positions],
            touched_by_artist=self.touched_by_artist[positions],
        )

    def fold(self, by: HoldoutBy) -> IntArray:
        """The fold each row is tested in."""
        return self.recording_fold if by == "recording" else self.artist_fold

    def held_out(self, by: HoldoutBy, n_folds: int) -> BoolArray:
        """(n, n_folds): column k marks the rows that fold k's model must not see."""
        if by == "artist":
            return self.touched_by_artist
        return np.equal.outer(self.recording_fold, np.arange(n_folds))


def catalogue_folds(catalogue: pd.DataFrame, parameters: ModelParameters) -> CatalogueFolds:
    """Deal the catalogue into folds, by hash: the same rows in any order get the same folds."""
    group = recording_groups(catalogue)
    credits = catalogue["artists"].map(lambda value: credited_artists(value) or [""])
    one_per_credit = credits.reset_index(drop=True).explode().astype(str)
    credit_fold = artist_folds(one_per_credit, parameters)
    codes, names = pd.factorize(group)
    touched = np.zeros((len(names), parameters.n_folds), dtype=bool)
    touched[codes[one_per_credit.index.to_numpy()], credit_fold] = True
    main = ~one_per_credit.index.duplicated()
    return CatalogueFolds(
        group=group,
        recording_fold=recording_folds(group, parameters),
        artist_fold=credit_fold[main],
        touched_by_artist=touched[codes],
    )


def recording_folds(keys: "pd.Series[str]", parameters: ModelParameters) -> IntArray:
    """Fold of each recording group, by its name."""
    return hash_folds(keys, parameters.n_folds, f"recording {parameters.seed}")


def artist_folds(artist_names: "pd.Series[str]", parameters: ModelParameters) -> IntArray:
    """Fold of each main artist, by the normalised name."""
    keys = artist_names.map(artist_key, na_action="ignore")
    return hash_folds(keys, parameters.n_folds, f"artist {parameters.seed}")


def listener_folds(
    tracks: pd.DataFrame, catalogue: pd.DataFrame, folds: CatalogueFolds, parameters: ModelParameters
) -> IntArray:
    """Find the fold whose model never saw a listened track's recording; see `linked_folds`.

    Args:
        tracks: One row per listened track: track_key, name_key, matched_track_id, audio features.
        catalogue: The frame `folds` was made from.
        folds: Result of `catalogue_folds`.
        parameters: The same parameters.
    """
    unlinked = recording_folds(tracks["track_key"], parameters)
    return linked_folds(tracks, catalogue, folds.recording_fold, unlinked)
