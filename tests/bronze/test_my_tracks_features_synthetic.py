"""Made-up features: only when asked for, the same in every run, and within the ranges of real ones."""

from datetime import datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features_synthetic import my_tracks_features_bronze_synthetic as table
from lakehouse.contract.columns import UNIT_FEATURES
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from tests.support.frames import frame_of, rows

EARLY, LATE = datetime(2024, 3, 14, 18, 30), datetime(2024, 3, 15, 18, 30)


def features(
    spark: SparkSession, plays: list[dict[str, Any]], *, allow_synthetic: bool = True
) -> list[tuple[Any, ...]]:
    frame = conform(table, table(frame_of(spark, listening_history_bronze, plays), allow_synthetic=allow_synthetic))
    enforce(table, frame)
    return rows(frame)


def test_there_are_none_unless_they_are_asked_for(spark: SparkSession) -> None:
    assert features(spark, [{"track_id": "a", "ingested_at": EARLY}], allow_synthetic=False) == []


def test_each_track_has_one_row_regardless_of_other_plays(spark: SparkSession) -> None:
    plays = [{"track_id": name, "ingested_at": at} for name in ("a", "b", None) for at in (LATE, EARLY)]
    both = features(spark, plays)
    assert [row[0] for row in both] == ["a", "b"]
    assert features(spark, [{"track_id": "b", "ingested_at": EARLY}]) == both[1:]
    assert both[0][1:-1] != both[1][1:-1]


@pytest.mark.parametrize("track_id", ["a", "5SuOikwiRyPMVoIQDJUgSV", "ß"])
def test_values_are_within_the_ranges_of_real_ones(spark: SparkSession, track_id: str) -> None:
    [row] = features(spark, [{"track_id": track_id, "ingested_at": EARLY}])
    values = dict(zip([column.name for column in table.columns], row, strict=True))
    assert all(0 <= values[name] < 1 for name in UNIT_FEATURES)
    assert values["key"] in range(12)
    assert values["mode"] in (0, 1)
    assert values["time_signature"] in (3, 4, 5)
    assert -30 <= values["loudness"] < 0
    assert 60 <= values["tempo"] < 180
