"""Estimate a track's audio features from its artist's other tracks: what fills the gap of four plays in five.

The artist's mean over the catalogue, shrunk to the mean of the artist's genres, on a line fitted to the listener's
own measured tracks of other artists, with conformal bounds from the same tracks. Tempo is not estimated: an artist
says nothing about it (R2 <= .12 everywhere in MODELS.md, section 3).

`split` deals the catalogue's recordings into folds, `train` learns the artists' means with and without each fold,
`fit_listener` and `score` estimate the listener's tracks, `evaluate` compares them with the measured ones, each
estimated from statistics without its own recording.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from silver.artist_names import artist_key
from silver.listener_calibration import (
    ListenerCalibration,
    conformal_half_width,
    fit_calibration,
    listener_artist_folds,
    mean_of_other_artists,
)
from silver.recording_groups import (
    CONFLICT,
    BoolArray,
    FloatArray,
    IntArray,
    hash_folds,
    linked_folds,
    stable_hashes,
)
from silver.shrunken_means import Links, ShrunkenMeans, link_tracks

IMPUTED_FEATURES = ("valence", "energy", "danceability", "acousticness", "instrumentalness")


@dataclass(frozen=True)
class ArtistEstimateParameters:
    """Parameters of the artist estimate.

    Attributes:
        seed: salt of the folds.
        artist_k: per feature, tracks the genres' mean is worth against an artist's own: variance within over
            variance between artists of the catalogue (MODELS.md, section 3).
        genre_k: tracks the overall mean is worth against a genre's.
        n_hidden_folds: folds in which recordings are hidden to judge the estimate.
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


@dataclass(frozen=True)
class ArtistTrainingSet:
    """One row per recording of the catalogue, its most popular complete release.

    Attributes:
        features: The imputed features the catalogue has.
        values: (n, features), finite.
        fold: (n,) fold in which the recording is hidden.
        links: Artists and genres of each row.
    """

    features: tuple[str, ...]
    values: FloatArray
    fold: IntArray
    links: Links


@dataclass(frozen=True)
class ArtistModel:
    """The artists' estimates from the whole catalogue, and from all folds but one.

    Attributes:
        features: Features estimated; empty if the catalogue has none of them.
        reason: Why nothing can be estimated; '' if something can.
        artist_ids: (A,) sorted hashes of the artists' keys.
        estimates: (A, features) from all recordings.
        weights: (A,) tracks each rests on: 1 as main artist, 0.5 as guest.
        without_fold: (folds, A, features), NaN for artists with no other track.
        catalogue_half_width: (features,) bounds' half-width over the catalogue's hidden recordings.
        catalogue_mean: (features,).
        train_size: Recordings.
    """

    features: tuple[str, ...]
    reason: str
    artist_ids: IntArray
    estimates: FloatArray
    weights: FloatArray
    without_fold: FloatArray
    catalogue_half_width: FloatArray
    catalogue_mean: FloatArray
    train_size: int

    def state(self) -> dict[str, Any]:
        """Plain lists and arrays, for an artifact."""
        return {**vars(self), "features": list(self.features)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ArtistModel":
        """Undo `state`."""
        return cls(**{**state, "features": tuple(state["features"])})


def hidden_folds(groups: "pd.Series[str]", parameters: ArtistEstimateParameters) -> IntArray:
    """Fold in which each catalogue track's recording is hidden, (n,); groups as by `recording_groups`."""
    return hash_folds(groups, parameters.n_hidden_folds, f"hidden {parameters.seed}")


def split(catalogue: pd.DataFrame, groups: "pd.Series[str]", parameters: ArtistEstimateParameters) -> ArtistTrainingSet:
    """Reduce the catalogue to one complete row per recording.

    A row in which one of the features is null failed Spotify's analysis and counts for nothing.
    """
    features = tuple(name for name in IMPUTED_FEATURES if name in catalogue and catalogue[name].notna().any())
    rows = catalogue.assign(recording_group=groups, hidden_fold=hidden_folds(groups, parameters))
    rows = rows[rows[list(features)].notna().all(axis=1) & rows["artists"].notna()]
    rows = rows.sort_values(["recording_group", "popularity", "track_id"], ascending=[True, False, True])
    rows = rows.drop_duplicates("recording_group")
    return ArtistTrainingSet(
        features=features,
        values=rows[list(features)].to_numpy(dtype=float),
        fold=rows["hidden_fold"].to_numpy(dtype=np.int64),
        links=link_tracks(rows["artists"], rows["track_genres"]),
    )


def train(training: ArtistTrainingSet, parameters: ArtistEstimateParameters) -> ArtistModel:
    """Learn every artist's estimate, from all recordings and without each fold."""
    artists, n_folds = len(training.links.artist_ids), parameters.n_hidden_folds
    shape = (artists, len(training.features))
    reason = _untrainable(training)
    estimates: FloatArray = np.full(shape, np.nan)
    weights: FloatArray = np.zeros(artists)
    without_fold = np.full((n_folds, *shape), np.nan)
    half_width: FloatArray = np.full(shape[1], np.nan)
    mean: FloatArray = np.full(shape[1], np.nan)
    if not reason:
        everything = np.ones(len(training.values), dtype=bool)
        estimates, weights = _estimate_artists(training, everything, parameters)
        for fold in range(n_folds):
            without_fold[fold], _ = _estimate_artists(training, training.fold != fold, parameters)
        half_width = _catalogue_half_width(training, without_fold, parameters.coverage)
        mean = training.values.mean(axis=0)
    return ArtistModel(
        features=training.features,
        reason=reason,
        artist_ids=training.links.artist_ids,
        estimates=estimates,
        weights=weights,
        without_fold=without_fold,
        catalogue_half_width=half_width,
        catalogue_mean=mean,
        train_size=len(training.values),
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


def _catalogue_half_width(training: ArtistTrainingSet, without_fold: FloatArray, coverage: float) -> FloatArray:
    """Half-width that covers the catalogue's own recordings, each hidden in turn."""
    known = np.asarray(training.links.main_artist.sum(axis=1)).ravel() > 0
    artist = np.zeros(len(known), dtype=np.int64)
    artist[known] = training.links.main_artist.indices
    residual = np.abs(training.values - without_fold[training.fold, artist])
    residual[~known] = np.nan
    return np.array([conformal_half_width(column, coverage) for column in residual.T])


def estimate_tracks(
    model: ArtistModel, artist_names: "pd.Series[str]", hidden_fold: IntArray | None = None
) -> pd.DataFrame:
    """Look up the artists' estimates, before any fit to the listener.

    Args:
        model: Result of `train`.
        artist_names: (n,) main artist of each track.
        hidden_fold: (n,) fold of each track's own recording, to leave it out; CONFLICT gives nulls.

    Returns:
        On the index of the names one column per imputed feature; null where the artist is unknown.
    """
    ids = stable_hashes(artist_names.map(artist_key, na_action="ignore").fillna(""))
    place = np.searchsorted(model.artist_ids, ids)
    known = place < len(model.artist_ids)
    known[known] = model.artist_ids[place[known]] == ids[known]
    result = np.full((len(ids), len(model.features)), np.nan)
    if hidden_fold is None:
        result[known] = model.estimates[place[known]]
    else:
        known &= hidden_fold != CONFLICT
        result[known] = model.without_fold[hidden_fold[known], place[known]]
    columns = pd.DataFrame(result, columns=list(model.features), index=artist_names.index)
    return columns.reindex(columns=list(IMPUTED_FEATURES))


def hidden_folds_of(
    tracks: pd.DataFrame,
    catalogue: pd.DataFrame,
    groups: "pd.Series[str]",
    parameters: ArtistEstimateParameters,
) -> IntArray:
    """Fold that hides each listened track's recording; see `recording_groups.linked_folds`."""
    unlinked = np.zeros(len(tracks), dtype=np.int64)
    return linked_folds(tracks, catalogue, hidden_folds(groups, parameters), unlinked)


def fit_listener(
    model: ArtistModel, measured: pd.DataFrame, hidden_fold: IntArray, parameters: ArtistEstimateParameters
) -> dict[str, ListenerCalibration]:
    """Fit line and bounds per feature on the listener's measured tracks.

    Args:
        model: Result of `train`.
        measured: One row per measured track: artist_name and the features; may be empty.
        hidden_fold: (n,) result of `hidden_folds_of`.
        parameters: Folds, coverage, least number of tracks.
    """
    estimates = estimate_tracks(model, measured["artist_name"], hidden_fold)
    artist_fold = listener_artist_folds(measured["artist_name"], parameters.n_listener_folds, parameters.seed)
    widths = dict(zip(model.features, model.catalogue_half_width, strict=True))
    return {
        name: fit_calibration(
            estimate=estimates[name].to_numpy(dtype=float),
            truth=measured[name].to_numpy(dtype=float),
            artist_fold=artist_fold,
            n_folds=parameters.n_listener_folds,
            coverage=parameters.coverage,
            min_tracks=parameters.min_calibration_tracks,
            catalogue_half_width=float(widths.get(name, np.nan)),
        )
        for name in IMPUTED_FEATURES
    }


def score(
    model: ArtistModel,
    calibrations: Mapping[str, ListenerCalibration],
    artist_names: "pd.Series[str]",
    parameters: ArtistEstimateParameters,
    hidden_fold: IntArray | None = None,
) -> pd.DataFrame:
    """Estimate tracks for the listener.

    Args:
        model: Result of `train`.
        calibrations: Result of `fit_listener`.
        artist_names: (n,) main artist of each track.
        parameters: The same as for `fit_listener`.
        hidden_fold: Only to judge the estimate on measured tracks.

    Returns:
        On the index of the names: per imputed feature <name>, <name>_lower_90, <name>_upper_90; all null where
        the artist is unknown.
    """
    estimates = estimate_tracks(model, artist_names, hidden_fold)
    artist_fold = listener_artist_folds(artist_names, parameters.n_listener_folds, parameters.seed)
    columns = {}
    for name in IMPUTED_FEATURES:
        fitted = calibrations[name].apply(estimates[name].to_numpy(dtype=float), artist_fold)
        columns[name] = fitted["predicted"].to_numpy()
        columns[f"{name}_lower_90"] = fitted["lower_90"].to_numpy()
        columns[f"{name}_upper_90"] = fitted["upper_90"].to_numpy()
    return pd.DataFrame(columns, index=artist_names.index)


def evaluate(
    model: ArtistModel, measured: pd.DataFrame, hidden_fold: IntArray, parameters: ArtistEstimateParameters
) -> pd.DataFrame:
    """Estimate the listener's measured tracks as if they were not, each without its own recording.

    Returns:
        One row per measured track and feature: feature_name, truth, predicted, lower_90, upper_90 and
        listener_mean (that of the other artists' tracks); predicted is null where the artist is unknown then.
    """
    calibrations = fit_listener(model, measured, hidden_fold, parameters)
    scored = score(model, calibrations, measured["artist_name"], parameters, hidden_fold)
    artist_fold = listener_artist_folds(measured["artist_name"], parameters.n_listener_folds, parameters.seed)
    parts = []
    for name in IMPUTED_FEATURES:
        truth = measured[name].to_numpy(dtype=float)
        parts.append(
            pd.DataFrame(
                {
                    "feature_name": name,
                    "truth": truth,
                    "predicted": scored[name],
                    "lower_90": scored[f"{name}_lower_90"],
                    "upper_90": scored[f"{name}_upper_90"],
                    "listener_mean": mean_of_other_artists(truth, artist_fold, parameters.n_listener_folds),
                }
            )
        )
    return pd.concat(parts)
