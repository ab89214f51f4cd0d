"""What the catalogue says about each artist: the mean of their recordings, shrunk towards that of their genres.

`split` deals the catalogue's recordings into folds, `train` learns the artists' means with and without each fold;
`artist_estimate_model` estimates and evaluates a listener's tracks with them.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from silver.artists.listener_calibration import conformal_half_width
from silver.artists.recording_groups import (
    BoolArray,
    FloatArray,
    IntArray,
    RecordingFolds,
    hash_folds,
    recording_groups,
)
from silver.artists.shrunken_means import Links, ShrunkenMeans, link_tracks
from silver.rules.feature_source import IMPUTED_FEATURES


@dataclass(frozen=True)
class ArtistEstimateParameters:
    """Parameters of the artist estimate.

    Attributes:
        seed: salt of the folds.
        artist_k: per feature, tracks the genres' mean is worth against an artist's own: variance within over
            variance between artists of the catalogue, see "Artist estimates" in docs/models.md.
        genre_k: tracks the overall mean is worth against a genre's.
        n_hidden_folds: folds in which recordings are hidden to evaluate the estimate.
        n_listener_folds: artist folds of the listener's tracks.
        coverage: nominal coverage of the bounds.
        min_calibration_tracks: with fewer measured tracks of known artists the catalogue's residuals are used.
    """

    seed: int = 20240611
    artist_k: tuple[tuple[str, float], ...] = (
        ("valence", 0.9),
        ("energy", 0.42),
        ("danceability", 0.61),
        ("acousticness", 0.42),
        ("instrumentalness", 0.41),
    )
    genre_k: float = 50.0
    n_hidden_folds: int = 10
    n_listener_folds: int = 5
    coverage: float = 0.90
    min_calibration_tracks: int = 50

    def as_dict(self) -> dict[str, object]:
        """All parameters as JSON can hold them; equal dictionaries mean equal training."""
        return {**asdict(self), "artist_k": dict(self.artist_k)}


# The parameters of the lake's estimates.
PARAMETERS = ArtistEstimateParameters()


@dataclass(frozen=True)
class ArtistTrainingSet:
    """One row per recording of the catalogue, its most popular complete release.

    Attributes:
        features: those of the imputed features that the catalogue has.
        values: (n, features), finite.
        fold: (n,) fold in which the recording is hidden.
        links: artists and genres of each row.
        recordings: folds of all recordings, to find a listened track's.
    """

    features: tuple[str, ...]
    values: FloatArray
    fold: IntArray
    links: Links
    recordings: RecordingFolds


@dataclass(frozen=True)
class ArtistModel:
    """The artists' estimates from the whole catalogue, and from all folds but one.

    Attributes:
        features: features estimated; empty if the catalogue has none of them.
        reason: why nothing can be estimated; '' if something can.
        artist_ids: (A,) sorted hashes of the artists' keys.
        estimates: (A, features) from all recordings.
        weights: (A,) tracks each rests on: 1 as main artist, 0.5 as guest.
        without_fold: (folds, A, features), NaN for artists with no other track.
        catalogue_half_width: (features,) bounds' half-width over the catalogue's recordings, each hidden in turn.
        catalogue_mae: (features,) mean absolute error over the same.
        catalogue_mean: (features,).
        train_size: recordings.
        recordings: folds of all recordings, to find a listened track's.
    """

    features: tuple[str, ...]
    reason: str
    artist_ids: IntArray
    estimates: FloatArray
    weights: FloatArray
    without_fold: FloatArray
    catalogue_half_width: FloatArray
    catalogue_mae: FloatArray
    catalogue_mean: FloatArray
    train_size: int
    recordings: RecordingFolds

    def state(self) -> dict[str, Any]:
        """Plain lists and arrays, for an artifact."""
        return {**vars(self), "features": list(self.features), "recordings": self.recordings.state()}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ArtistModel":
        """Undo `state`."""
        recordings = RecordingFolds.from_state(state["recordings"])
        return cls(**{**state, "features": tuple(state["features"]), "recordings": recordings})


def split(catalogue: pd.DataFrame, parameters: ArtistEstimateParameters) -> ArtistTrainingSet:
    """Reduce the catalogue to one complete row per recording, dealt into the folds in which they are hidden.

    Rows in which one of the features is null, because Spotify's analysis failed, are left out.
    """
    features = tuple(name for name in IMPUTED_FEATURES if name in catalogue and catalogue[name].notna().any())
    groups = recording_groups(catalogue)
    fold = hash_folds(groups, parameters.n_hidden_folds, f"hidden {parameters.seed}")
    rows = catalogue.assign(recording_group=groups, hidden_fold=fold)
    rows = rows[rows[list(features)].notna().all(axis=1) & rows["artists"].notna()]
    rows = rows.sort_values(["recording_group", "popularity", "track_id"], ascending=[True, False, True])
    rows = rows.drop_duplicates("recording_group")
    return ArtistTrainingSet(
        features=features,
        values=rows[list(features)].to_numpy(dtype=float),
        fold=rows["hidden_fold"].to_numpy(dtype=np.int64),
        links=link_tracks(rows["artists"], rows["track_genres"]),
        recordings=RecordingFolds.of_catalogue(catalogue, fold),
    )


def train(training: ArtistTrainingSet, parameters: ArtistEstimateParameters) -> ArtistModel:
    """Learn every artist's estimate, from all recordings and without each fold."""
    artists, n_folds = len(training.links.artist_ids), parameters.n_hidden_folds
    shape = (artists, len(training.features))
    reason = _untrainable(training)
    estimates: FloatArray = np.full(shape, np.nan)
    weights: FloatArray = np.zeros(artists)
    without_fold = np.full((n_folds, *shape), np.nan)
    half_width, mae, mean = np.full((3, shape[1]), np.nan)
    if not reason:
        everything = np.ones(len(training.values), dtype=bool)
        estimates, weights = _estimate_artists(training, everything, parameters)
        for fold in range(n_folds):
            without_fold[fold], _ = _estimate_artists(training, training.fold != fold, parameters)
        residuals = _catalogue_residuals(training, without_fold)
        half_width = np.array([conformal_half_width(column, parameters.coverage) for column in residuals.T])
        mae = np.ma.masked_invalid(residuals).mean(axis=0).filled(np.nan)
        mean = training.values.mean(axis=0)
    return ArtistModel(
        features=training.features,
        reason=reason,
        artist_ids=training.links.artist_ids,
        estimates=estimates,
        weights=weights,
        without_fold=without_fold,
        catalogue_half_width=half_width,
        catalogue_mae=mae,
        catalogue_mean=mean,
        train_size=len(training.values),
        recordings=training.recordings,
    )


def _untrainable(training: ArtistTrainingSet) -> str:
    if not training.features:
        return "the catalogue has none of the features that are estimated"
    return "" if len(training.values) else "the catalogue has no analysed track"


def _estimate_artists(
    training: ArtistTrainingSet, used: BoolArray, parameters: ArtistEstimateParameters
) -> tuple[FloatArray, FloatArray]:
    """Estimates (A, features), NaN for artists without a used row, and weights (A,)."""
    if not used.any():
        artists = len(training.links.artist_ids)
        return np.full((artists, training.values.shape[1]), np.nan), np.zeros(artists)
    artist_k = np.array([dict(parameters.artist_k)[name] for name in training.features])
    links, values = training.links.rows(used), training.values[used]
    means = ShrunkenMeans.fit(links, values, parameters.genre_k, artist_k)
    weights = means.artist_weights[:, None]
    genre_sums = links.artists.T @ means.by_genre(links)
    prior = genre_sums / np.where(weights > 0, weights, np.nan)
    return (means.artist_sums + artist_k * prior) / (weights + artist_k), means.artist_weights


def _catalogue_residuals(training: ArtistTrainingSet, without_fold: FloatArray) -> FloatArray:
    """Absolute residuals (n, features) of the recordings, each hidden in turn; NaN for the only track of an artist."""
    known = np.asarray(training.links.main_artist.sum(axis=1)).ravel() > 0
    artist = np.zeros(len(known), dtype=np.int64)
    artist[known] = training.links.main_artist.indices
    residual = np.abs(training.values - without_fold[training.fold, artist])
    residual[~known] = np.nan
    return residual
