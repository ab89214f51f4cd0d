"""What does the catalogue say about each artist's music?"""

import pandas as pd

from lakehouse.contract import model
from lakehouse.models.artifacts import TrainingResult
from silver.catalogue_tracks import DATA, LICENCE, MAX_CATALOGUE_ROWS

CAVEATS = [
    "An estimate says what the artist's music sounds like, not the track: most are too vague to name a mood.",
    "Artists of one name are one artist here.",
    "Figures on the catalogue overstate what a listener gets; see model_performance_metrics.",
]


@model(max_rows=MAX_CATALOGUE_ROWS)
def artist_model(catalogue_tracks: pd.DataFrame) -> TrainingResult:
    """Shrunken means of every artist, with and without each fold of recordings; see `artist_means`."""
    # Imported here: it loads scipy, which only training needs.
    from silver.artists.artist_means import PARAMETERS, split, train

    trained = train(split(catalogue_tracks, PARAMETERS), PARAMETERS)
    card = {
        "purpose": "Estimate the audio features of tracks that no source has, from the artist's other tracks.",
        "data": DATA,
        "licence": LICENCE,
        "features": list(trained.features),
        "not_trained_because": trained.reason,
        "artists": len(trained.artist_ids),
        "parameters": PARAMETERS.as_dict(),
        "figures": [
            {"feature_name": name, "evaluation": "cv_recording", "mae": mae, "half_width_90": half_width}
            for name, mae, half_width in zip(
                trained.features, trained.catalogue_mae.tolist(), trained.catalogue_half_width.tolist(), strict=True
            )
        ],
        "caveats": CAVEATS,
    }
    return TrainingResult({"artists": trained.state()}, card, trained.train_size)
