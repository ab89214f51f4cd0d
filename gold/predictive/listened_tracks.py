"""The listener's measured tracks as the models need them: inputs from the catalogue, and folds."""

import numpy as np
import pandas as pd

from gold.predictive.folds import CatalogueFolds, artist_folds, listener_folds
from gold.predictive.model_parameters import ModelParameters
from silver.artist_names import credited_artists
from silver.feature_source import MEASURED_SOURCES
from silver.listener_calibration import listener_artist_folds

FROM_CATALOGUE = ("artists", "track_genres", "explicit")


def measured_tracks(
    tracks: pd.DataFrame, catalogue: pd.DataFrame, folds: CatalogueFolds, parameters: ModelParameters
) -> pd.DataFrame:
    """Keep the measured tracks and add what scoring and calibration need.

    Args:
        tracks: One row per listened track: track_key, track_id, name_key, matched_track_id, artist_name, the
            audio features, duration_ms, feature_source, plays. Estimates and synthetic features are no truth:
            such rows are dropped.
        catalogue: All catalogue tracks.
        folds: Folds of the catalogue.
        parameters: The same parameters.

    Returns:
        The measured rows with artists, track_genres and explicit of the catalogue's track (null where it has
        none), fold, artist_fold (main artist, for the models that never saw them) and listener_fold.
    """
    measured = tracks[tracks["feature_source"].isin(MEASURED_SOURCES)].reset_index(drop=True)
    measured = measured.join(_catalogue_facts(measured, catalogue), how="left")
    listed = measured["artists"].map(lambda value: next(iter(credited_artists(value)), None))
    main_artist = listed.where(listed.notna(), measured["artist_name"])
    return measured.assign(
        fold=listener_folds(measured, catalogue, folds, parameters),
        artist_fold=artist_folds(main_artist, parameters),
        listener_fold=listener_artist_folds(measured["artist_name"], parameters.n_listener_folds, parameters.seed),
    )


def _catalogue_facts(measured: pd.DataFrame, catalogue: pd.DataFrame) -> pd.DataFrame:
    """Facts of the matched track, else of the track with this id, else of the recording's most popular release."""
    popular = catalogue.sort_values(["popularity", "track_id"], ascending=[False, True])
    by_id = popular.set_index("track_id")
    by_name = popular.dropna(subset="name_key").drop_duplicates("name_key").set_index("name_key")
    sources = [(measured["matched_track_id"], by_id), (measured["track_id"], by_id), (measured["name_key"], by_name)]
    facts = pd.DataFrame(index=measured.index)
    for column in FROM_CATALOGUE:
        values = pd.Series(np.nan, index=measured.index, dtype=object)
        for key, table in sources:
            values = values.where(values.notna(), key.map(table[column]))
        facts[column] = values
    return facts
