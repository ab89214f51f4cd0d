"""Measured, featured, unknown and mood, at their thresholds."""

from itertools import product

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from silver.rules.feature_source import FEATURE_SOURCES, is_featured, is_measured, known, mood_category
from tests.support.frames import mood, small_frame

LEVELS = (None, 0.0, 0.3999999, 0.4, 0.5, 0.5999999, 0.6, 1.0)


def test_mood_of_every_side_of_the_thresholds(spark: SparkSession) -> None:
    pairs = list(product(LEVELS, LEVELS))
    frame = small_frame(spark, pairs, "valence double, energy double")
    found = frame.select("valence", "energy", mood_category(F.col("valence"), F.col("energy"))).collect()
    assert {(v, e): name for v, e, name in found} == {(v, e): mood(v, e) for v, e in pairs}


def test_measured_and_featured_by_source(spark: SparkSession) -> None:
    frame = small_frame(spark, [(source,) for source in FEATURE_SOURCES], "feature_source string")
    found = {row[0]: row[1:] for row in frame.select("feature_source", is_measured(), is_featured()).collect()}
    assert found == {
        "spotify": (True, True),
        "reccobeats": (True, True),
        "kaggle": (True, True),
        "kaggle_recording": (True, True),
        "imputed_artist": (False, True),
        "synthetic": (False, True),
        "none": (False, False),
    }


@pytest.mark.parametrize(
    ("feature", "kind", "delivered", "expected"),
    [
        ("tempo", "double", 0.0, None),
        ("tempo", "double", -0.0, None),
        ("tempo", "double", 0.1, 0.1),
        ("valence", "double", 0.0, None),
        ("energy", "double", 0.0, 0.0),
        ("time_signature", "int", 0, None),
        ("time_signature", "int", 1, 1),
        ("key", "int", -1, None),
        ("key", "int", 0, 0),
        ("key", "int", None, None),
    ],
)
def test_known(spark: SparkSession, feature: str, kind: str, delivered: float, expected: float) -> None:
    frame = small_frame(spark, [(delivered,)], f"{feature} {kind}").select(known(feature))
    assert frame.dtypes == [(feature, kind)]
    assert [tuple(row) for row in frame.collect()] == [(expected,)]
