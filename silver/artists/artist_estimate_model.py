"""Estimate a track's audio features from its artist's other tracks, for the four plays in five without features.

The estimate is the artist's shrunken mean over the catalogue, put on a line fitted to the listener's own measured
tracks of other artists, with conformal bounds from the same tracks. Tempo is not estimated, because the artist says
nothing about it (R2 at most .12, see "Artist estimates" in docs/models.md). Measured tracks, used for the fit and the
evaluation, are estimated from statistics without their own recording.
"""

import numpy as np
import pandas as pd

from silver.artists.artist_means import ArtistEstimateParameters, ArtistModel
from silver.artists.artist_names import artist_key
from silver.artists.listener_calibration import (
    ListenerCalibration,
    fit_calibration,
    listener_artist_folds,
    mean_of_other_artists,
)
from silver.artists.recording_groups import CONFLICT, IntArray, stable_hashes
from silver.rules.feature_source import IMPUTED_FEATURES


def estimate_tracks(
    model: ArtistModel, artist_names: "pd.Series[str]", hidden_fold: IntArray | None = None
) -> pd.DataFrame:
    """Look up the artists' estimates, before any fit to the listener.

    Args:
        model: result of `artist_means.train`.
        artist_names: (n,) main artist of each track.
        hidden_fold: (n,) fold of each track's own recording, to leave it out; CONFLICT gives nulls.

    Returns:
        On the index of the names one column per imputed feature, null where the artist is unknown, and
        artist_tracks, the weight of the artist's tracks in the model.
    """
    ids = stable_hashes(artist_names.map(artist_key, na_action="ignore").fillna(""))
    place = np.searchsorted(model.artist_ids, ids)
    known = place < len(model.artist_ids)
    known[known] = model.artist_ids[place[known]] == ids[known]
    tracks = np.where(known, model.weights[place * known], 0.0) if len(model.weights) else np.zeros(len(ids))
    result = np.full((len(ids), len(model.features)), np.nan)
    if hidden_fold is None:
        result[known] = model.estimates[place[known]]
    else:
        known &= hidden_fold != CONFLICT
        result[known] = model.without_fold[hidden_fold[known], place[known]]
    columns = pd.DataFrame(result, columns=list(model.features), index=artist_names.index)
    return columns.reindex(columns=list(IMPUTED_FEATURES)).assign(artist_tracks=tracks)


def estimate_measured(model: ArtistModel, measured: pd.DataFrame) -> pd.DataFrame:
    """Estimates of measured tracks, each without its own recording; see `estimate_tracks`.

    Args:
        model: result of `artist_means.train`.
        measured: one row per track: artist_name, and what `RecordingFolds.find` needs.
    """
    # A recording that the catalogue lacks is in no statistics, so any fold will do.
    hidden_fold = model.recordings.find(measured, unlinked=np.zeros(len(measured), dtype=np.int64))
    return estimate_tracks(model, measured["artist_name"], hidden_fold)


def fit_listener(
    model: ArtistModel, measured: pd.DataFrame, parameters: ArtistEstimateParameters
) -> dict[str, ListenerCalibration]:
    """Fit line and bounds per feature on the listener's measured tracks; there may be none.

    Args:
        model: result of `artist_means.train`.
        measured: one row per track: the imputed features, and what `estimate_measured` needs.
        parameters: folds, coverage, least number of tracks.
    """
    estimates = estimate_measured(model, measured)
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


def evaluate(model: ArtistModel, measured: pd.DataFrame, parameters: ArtistEstimateParameters) -> pd.DataFrame:
    """Estimate the listener's measured tracks as if they were unmeasured, each without its own recording.

    Returns:
        One row per measured track and feature: feature_name, truth, predicted, lower_90, upper_90 and
        listener_mean (over the other artists' tracks); predicted is null where that leaves the artist unknown.
    """
    estimates = estimate_measured(model, measured)
    calibrations = fit_listener(model, measured, parameters)
    artist_fold = listener_artist_folds(measured["artist_name"], parameters.n_listener_folds, parameters.seed)
    parts = []
    for name in IMPUTED_FEATURES:
        truth = measured[name].to_numpy(dtype=float)
        fitted = calibrations[name].apply(estimates[name].to_numpy(dtype=float), artist_fold)
        mean = mean_of_other_artists(truth, artist_fold, parameters.n_listener_folds)
        parts.append(fitted.assign(feature_name=name, truth=truth, listener_mean=mean).set_index(measured.index))
    return pd.concat(parts)
