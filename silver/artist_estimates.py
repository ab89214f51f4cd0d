"""What can be said about a track without measured features from its artist's other tracks?

This fills the real gap: four plays in five have no features. Predicting one feature from the others could not fill it,
because a track has either all features or none.
"""

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakehouse.contract import expression, in_range, table
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.models.artifacts import Artifact
from silver.artists.listener_lines import MAX_CALIBRATION_TRACKS, estimate_with_bounds, lines_of, lines_schema
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import IMPUTED_FEATURES, is_measured

BOUNDED_FEATURES = ("valence", "energy", "danceability")


@table(
    grain="One row per listener and listened track without measured features whose artist the catalogue has.",
    key="listener track_key",
    columns=(
        "listener track_key valence energy danceability acousticness instrumentalness valence_lower_90 "
        "valence_upper_90 energy_lower_90 energy_upper_90 danceability_lower_90 danceability_upper_90 artist_tracks"
    ),
    checks=[
        *(in_range(name, 0, 1) for name in IMPUTED_FEATURES),
        *(
            expression(f"bounds hold {name}", f"{name} BETWEEN {name}_lower_90 AND {name}_upper_90")
            for name in BOUNDED_FEATURES
        ),
    ],
    caveats=["features_estimated", "track_not_listener", "single_listener"],
)
def artist_estimates(feature_matches: DataFrame, artist_model: Artifact) -> DataFrame:
    """The artist's mean in the catalogue, shrunk to their genres', on a line fitted to the listener.

    Line and bounds come from at most 20,000 of the listener's measured tracks, those of other artists, each estimated
    without its own recording; with fewer than 50 the estimate stays as it is and the bounds are the catalogue's. The
    bounds hold 90 % of the measured tracks; for tracks that no source has they may hold fewer.
    """

    def raw(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        for batch in batches:
            yield _raw_estimates(batch, artist_model)

    def lines(measured: pd.DataFrame) -> pd.DataFrame:
        from silver.artists.artist_estimate_model import fit_listener
        from silver.artists.artist_means import PARAMETERS, ArtistModel

        return lines_of(fit_listener(ArtistModel.from_state(artist_model.parts["artists"]), measured, PARAMETERS))

    measured = feature_matches.where(is_measured()).select(
        "listener", "track_key", "track_id", "matched_track_id", "name_key", "artist_name", *AUDIO_FEATURES
    )
    fit = in_pandas(
        measured, lines, lines_schema(IMPUTED_FEATURES), key="track_key", max_rows=MAX_CALIBRATION_TRACKS,
        listeners=feature_matches,
    )  # fmt: skip
    unmeasured = feature_matches.where(~is_measured()).select("listener", "track_key", "artist_name")
    raw_columns = ", ".join(f"raw_{name} double" for name in IMPUTED_FEATURES)
    estimates = unmeasured.mapInPandas(
        raw, f"listener string, track_key string, listener_fold int, artist_tracks double, {raw_columns}"
    )
    values = {name: estimate_with_bounds(name) for name in IMPUTED_FEATURES}
    return estimates.join(F.broadcast(fit), on=["listener", "listener_fold"], how="inner").select(
        "listener",
        "track_key",
        *(values[name][0].alias(name) for name in IMPUTED_FEATURES),
        *(
            values[name][i].alias(f"{name}_{bound}_90")
            for name in BOUNDED_FEATURES
            for i, bound in ((1, "lower"), (2, "upper"))
        ),
        "artist_tracks",
    )


def _raw_estimates(tracks: pd.DataFrame, model: Artifact) -> pd.DataFrame:
    """Estimates of the tracks whose artist is known, before the fit to the listener."""
    # Imported here: it loads scipy, which only the workers that estimate need.
    from silver.artists.artist_estimate_model import estimate_tracks
    from silver.artists.artist_means import PARAMETERS, ArtistModel
    from silver.artists.listener_calibration import listener_artist_folds

    names = tracks["artist_name"]
    estimates = estimate_tracks(ArtistModel.from_state(model.parts["artists"]), names)
    estimates = estimates.rename(columns={name: f"raw_{name}" for name in IMPUTED_FEATURES})
    folds = listener_artist_folds(names, PARAMETERS.n_listener_folds, PARAMETERS.seed)
    found = estimates.assign(listener=tracks["listener"], track_key=tracks["track_key"], listener_fold=folds)
    known = found[[f"raw_{name}" for name in IMPUTED_FEATURES]].notna().any(axis=1)
    return found.loc[
        known,
        ["listener", "track_key", "listener_fold", "artist_tracks", *(f"raw_{name}" for name in IMPUTED_FEATURES)],
    ]
