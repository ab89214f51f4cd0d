"""How is each audio feature spread over the plays, compared with the catalogue?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from gold.descriptive.audio_feature_distributions import audio_feature_distributions
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.lake.schema import conform
from silver.catalogue_tracks import catalogue_tracks
from silver.listening_with_features import listening_with_features
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import Tables, frame_of, only, play, rows

Rows = list[dict[str, Any]]


def distributions(spark: SparkSession, plays: Rows, catalogue: Rows) -> DataFrame:
    frame: DataFrame = audio_feature_distributions(
        frame_of(spark, listening_with_features, plays), frame_of(spark, catalogue_tracks, catalogue)
    )
    return frame


def of_feature(frame: DataFrame, feature: str) -> Row:
    return only(frame.where(f"feature_name = '{feature}'"))


def valences(*values: float | None) -> Rows:
    return [play(f"2026-01-31 10:0{minute}:00", valence=value) for minute, value in enumerate(values)]


def test_percentiles_are_exact_and_interpolated(spark: SparkSession) -> None:
    row = of_feature(distributions(spark, valences(0.4, 0.1, 0.2, 0.3), []), "valence")
    assert (row["min"], row["p25"], row["median"], row["p75"], row["max"]) == pytest.approx(
        (0.1, 0.175, 0.25, 0.325, 0.4)
    )


def test_one_play_has_no_deviation(spark: SparkSession) -> None:
    row = of_feature(distributions(spark, valences(0.4), []), "valence")
    assert (row["play_count"], row["mean"], row["std_dev"], row["median"]) == (1, 0.4, None, 0.4)


def test_equal_values_do_not_deviate(spark: SparkSession) -> None:
    row = of_feature(distributions(spark, valences(0.4, 0.4), []), "valence")
    assert (row["std_dev"], row["p25"], row["p75"]) == (0.0, 0.4, 0.4)


def test_plays_without_the_feature_do_not_count_for_it(spark: SparkSession) -> None:
    frame = distributions(spark, valences(0.2, None, 0.4), [])
    assert of_feature(frame, "valence")["play_count"] == 2
    assert of_feature(frame, "energy")["play_count"] == 3


def test_catalogue_tracks_count_once_each(spark: SparkSession) -> None:
    catalogue: Rows = [{"track_id": "a", "key": 2}, {"track_id": "b", "key": 4}, {"track_id": "c", "key": None}]
    row = of_feature(distributions(spark, valences(0.5), catalogue), "key")
    assert (row["catalogue_mean"], row["catalogue_std_dev"]) == (3.0, pytest.approx(2**0.5))


def test_every_feature_has_a_row_when_no_play_has_features(spark: SparkSession) -> None:
    frame = distributions(spark, [play("2026-01-31 10:00:00", feature_source="none")], [])
    assert rows(frame, "feature_name", "play_count") == sorted((name, 0) for name in AUDIO_FEATURES)


def test_without_plays_there_are_no_rows(spark: SparkSession) -> None:
    assert conform(audio_feature_distributions, distributions(spark, [], [{"track_id": "a"}])).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(
    real_table: Tables, real_silver: pd.DataFrame, real_catalogue_tracks: DataFrame
) -> None:
    features = list(AUDIO_FEATURES)
    plays, catalogue = real_silver[features].astype(float), real_catalogue_tracks.select(*features).toPandas()
    statistics = {"std": "std_dev", "25%": "p25", "50%": "median", "75%": "p75", "count": "play_count"}
    expected = plays.describe().T.rename(columns=statistics)
    expected["catalogue_mean"] = catalogue.astype(float).mean()
    expected["catalogue_std_dev"] = catalogue.astype(float).std()
    expected = expected.rename_axis("feature_name").reset_index()
    frame = real_table("audio_feature_distributions")
    assert_same_rows(frame, expected, ["feature_name"])
