"""Every counted play of the real listener is in silver, once."""

from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features import my_tracks_features_bronze
from bronze.my_tracks_features_synthetic import my_tracks_features_bronze_synthetic
from lakehouse.listeners import ByListener
from silver.artist_estimates import artist_estimates
from silver.catalogue_tracks import catalogue_tracks
from silver.feature_matches import feature_matches
from silver.listening_with_features import listening_with_features
from tests.bronze.lakes import SmallLake
from tests.bronze.test_real_data import ACCOUNT, ANSWERS, ZIP

pytestmark = pytest.mark.real_data


def test_silver_of_the_zip_has_each_counted_play(real_silver: pd.DataFrame) -> None:
    assert len(real_silver) == 13_596
    assert real_silver.play_id.is_unique
    assert set(real_silver.source) == {"extended_history"}


def test_plays_of_three_sources_count_once(spark: SparkSession, real_data_dir: Path, tmp_path: Path) -> None:
    """The catalogue is left out: it decides on features, not on plays."""
    small = SmallLake(tmp_path, spark)
    assert small.import_history(*(real_data_dir / name for name in (ACCOUNT, ZIP, *ANSWERS))).errors == []
    read = small.lake.read
    history = read(listening_history_bronze)
    matches = feature_matches(
        history, read(catalogue_tracks), read(my_tracks_features_bronze), read(my_tracks_features_bronze_synthetic)
    )
    zones, estimates = ByListener("UTC"), read(artist_estimates)
    silver = listening_with_features(history, matches, estimates, listener_time_zone=zones).toPandas()
    assert silver.source.value_counts().to_dict() == {
        "extended_history": 13_596, "spotify_api": 86, "account_history": 85,
    }  # fmt: skip
    assert silver.play_id.is_unique
    assert not silver.duplicated(["recording_key", "played_at", "source"]).any()
