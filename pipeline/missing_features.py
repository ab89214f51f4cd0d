"""Fetches audio features of listened tracks that have none. Needs no Spark."""

import time
from collections.abc import Callable
from datetime import datetime

from bronze.web.features_fetching import Fetched, fetch
from lakehouse.lake.logs import open_logs
from lakehouse.settings import Settings
from silver.feature_matches import feature_matches

# Values of `feature_source` that stand for no measurement.
WITHOUT_FEATURES = ("none", "synthetic")


def fetch_missing(settings: Settings, now: datetime, *, pause: Callable[[float], None] = time.sleep) -> Fetched:
    """Ask the providers for the features of all tracks that the last run found without; see `fetch`."""
    return fetch(settings, _tracks_without_features(settings), now, pause=pause)


def _tracks_without_features(settings: Settings) -> set[str]:
    log = open_logs(settings).log(feature_matches)
    if log is None:
        return set()
    matches = log.to_pyarrow_table(columns=["track_id", "feature_source"])
    rows = zip(matches["track_id"].to_pylist(), matches["feature_source"].to_pylist(), strict=True)
    return {track_id for track_id, source in rows if track_id and source in WITHOUT_FEATURES}
