"""The folds that recordings are dealt into, and which rows each fold's model therefore must not see.

There are two ways to hold out. By recording: all releases and audio twins of a recording share a fold; other songs of
the artist may be in training, as they may be for any new play. By artist: a fold's model saw no track that credits one
of the fold's artists, which shows how well it does for artists that the catalogue lacks.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from gold.learning.model_parameters import HoldoutBy, ModelParameters
from silver.artists.artist_names import artist_key, credited_artists
from silver.artists.listener_calibration import listener_artist_folds
from silver.artists.recording_groups import BoolArray, IntArray, RecordingFolds, hash_folds, recording_groups


@dataclass(frozen=True)
class CatalogueFolds:
    """Folds of the catalogue, rows parallel to the catalogue frame.

    Attributes:
        group: recording group per row.
        recording_fold: fold per row, the same for all releases of a recording.
        artist_fold: fold of the row's main artist.
        touched_by_artist: (n, n_folds), whether any release of the row's recording credits an artist of the fold.
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
    """Deal the catalogue into folds by hash, independent of the order of rows."""
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


def with_folds(tracks: pd.DataFrame, recordings: RecordingFolds, parameters: ModelParameters) -> pd.DataFrame:
    """Add to the listener's tracks the folds that they are scored and calibrated in.

    Args:
        tracks: one row per track, see `silver.measured_tracks`.
        recordings: folds of the recordings that the model was trained on.
        parameters: the same parameters.

    Returns:
        The rows with fold (its model never saw the recording; CONFLICT where each may have), artist_fold (its model
        of the variant by artist never saw the main artist) and listener_fold (of the recalibration).
    """
    listed = tracks["artists"].map(lambda value: next(iter(credited_artists(value)), None))
    main_artist = listed.where(listed.notna(), tracks["artist_name"])
    return tracks.assign(
        fold=recordings.find(tracks, unlinked=recording_folds(tracks["track_key"], parameters)),
        artist_fold=artist_folds(main_artist, parameters),
        listener_fold=listener_artist_folds(tracks["artist_name"], parameters.n_listener_folds, parameters.seed),
    )
