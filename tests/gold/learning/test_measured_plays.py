"""The plays that the models' scores go to."""

from pyspark.sql import SparkSession

from gold.learning.measured_plays import measured_plays
from silver.listening_with_features import listening_with_features
from tests.support.frames import frame_of, play, rows


def test_plays_find_their_track_by_id_or_name(spark: SparkSession) -> None:
    plays = [
        play("2026-01-01 10:00:00", track_id="id"),
        play("2026-01-01 11:00:00", track_id=None, artist_name="Ann", track_name="X - Remastered 2011"),
        play("2026-01-01 12:00:00", track_id="id", feature_source="none"),
    ]
    found = measured_plays(frame_of(spark, listening_with_features, plays))
    assert rows(found, "hour_of_day", "track_key") == [(10, "id"), (11, "ann | x")]
