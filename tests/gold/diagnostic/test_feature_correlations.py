"""Which audio features go together in the listener's music, and do they in music at large?"""

from itertools import combinations
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from scipy import stats

from gold.diagnostic.feature_correlations import feature_correlations, strength_of
from lakehouse.contract.columns import AUDIO_FEATURES
from silver.catalogue_tracks import catalogue_tracks
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.sandwich import p_value
from tests.support.frames import Tables, frame_of, made_of_plays, only, play, rows

Rows = list[dict[str, Any]]


def correlations(spark: SparkSession, plays: Rows, catalogue: Rows | None = None) -> DataFrame:
    return made_of_plays(
        feature_correlations,
        frame_of(spark, listening_with_features, plays),
        catalogue_tracks=frame_of(spark, catalogue_tracks, catalogue or []),
    )


def energy_and_valence(spark: SparkSession, plays: Rows, catalogue: Rows | None = None) -> Row:
    frame = correlations(spark, plays, catalogue)
    return only(frame.where("feature1 = 'energy' AND feature2 = 'valence'"))


def plays_of(*pairs: tuple[float | None, float | None], **others: Any) -> Rows:
    return [
        play(f"2026-01-31 10:{i:02d}:00", track_id=f"{i} {others}", energy=energy, valence=valence, **others)
        for i, (energy, valence) in enumerate(pairs)
    ]


LINE = [(0.1, 0.2), (0.2, 0.3), (0.3, 0.4), (0.4, 0.5)]


def test_every_unordered_pair_stands_once_in_the_fixed_order(spark: SparkSession) -> None:
    order = {name: i for i, name in enumerate(AUDIO_FEATURES)}
    pairs = rows(correlations(spark, plays_of(*LINE)), "feature1", "feature2")
    assert len(pairs) == 66
    assert all(order[first] < order[second] for first, second in pairs)


def test_a_straight_line_correlates_perfectly(spark: SparkSession) -> None:
    row = energy_and_valence(spark, plays_of(*LINE))
    assert (row["correlation"], row["strength"], row["sample_size"]) == (pytest.approx(1.0), "Strong", 4)
    assert row["p_value"] < 1e-6


def test_opposite_music_has_the_opposite_sign(spark: SparkSession) -> None:
    row = energy_and_valence(spark, plays_of(*[(energy, 1 - valence) for energy, valence in LINE]))
    assert (row["correlation"], row["strength"]) == (pytest.approx(-1.0), "Strong")


def test_only_measured_plays_with_both_features_count(spark: SparkSession) -> None:
    plays = [*plays_of(*LINE), *plays_of((0.9, 0.1), feature_source="imputed_artist"), *plays_of((0.9, None), mode=0)]
    row = energy_and_valence(spark, plays)
    assert (row["sample_size"], row["correlation"]) == (4, pytest.approx(1.0))


def test_a_constant_feature_has_no_correlation(spark: SparkSession) -> None:
    row = energy_and_valence(spark, plays_of((0.5, 0.1), (0.5, 0.2), (0.5, 0.9)))
    assert (row["correlation"], row["strength"], row["p_value"], row["sample_size"]) == (None, None, None, 3)


def test_one_recording_on_repeat_proves_nothing(spark: SparkSession) -> None:
    row = energy_and_valence(spark, plays_of(*LINE, recording_key="r"))
    assert (row["correlation"], row["p_value"]) == (pytest.approx(1.0), None)


def test_the_catalogue_alone_fills_its_column(spark: SparkSession) -> None:
    catalogue: Rows = [{"track_id": str(i), "energy": i / 10, "valence": 1 - i / 10} for i in range(4)]
    row = energy_and_valence(spark, [play("2026-01-31 10:00:00", feature_source="none")], catalogue)
    assert (row["catalogue_correlation"], row["correlation"], row["sample_size"]) == (pytest.approx(-1.0), None, 0)


@pytest.mark.parametrize(
    ("correlation", "strength"),
    [
        (1.0, "Strong"),
        (0.49999999999, "Strong"),
        (0.4999, "Moderate"),
        (-0.3, "Moderate"),
        (0.1, "Weak"),
        (-0.0999, "Negligible"),
        (None, None),
    ],
)
def test_strength_is_read_off_the_size(spark: SparkSession, correlation: float | None, strength: str | None) -> None:
    assert only(spark.range(1).select(strength_of(F.lit(correlation).cast("double"))))[0] == strength


@pytest.mark.real_data
def test_real_plays_give_what_scipy_gives(
    real_table: Tables, real_silver: pd.DataFrame, real_catalogue_tracks: DataFrame
) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)]
    measured = measured.astype(dict.fromkeys(AUDIO_FEATURES, float))
    catalogue = real_catalogue_tracks.select(*AUDIO_FEATURES).toPandas().astype(float)
    rows = []
    for first, second in combinations(AUDIO_FEATURES, 2):
        own, others = (plays.dropna(subset=[first, second]) for plays in (measured, catalogue))
        r, catalogue_r = (stats.pearsonr(plays[first], plays[second]).statistic for plays in (own, others))
        rows.append((first, second, r, len(own), p_value(own, first, own[second]), catalogue_r))
    names = ["feature1", "feature2", "correlation", "sample_size", "p_value", "catalogue_correlation"]
    expected = pd.DataFrame(rows, columns=names)
    levels = ["Negligible", "Weak", "Moderate", "Strong"]
    expected["strength"] = pd.cut(expected["correlation"].abs(), [0, 0.1, 0.3, 0.5, 1], labels=levels).astype(str)
    assert_same_rows(real_table("feature_correlations"), expected, ["feature1", "feature2"])
