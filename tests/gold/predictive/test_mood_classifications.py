"""Measured plays with their mood and the predicted one."""

import pytest
from pyspark.sql import SparkSession

from gold.predictive.mood_classifications import mood_classifications
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.rules.feature_source import MOODS
from tests.gold.learning.small_models import POOR_WORLDS, World, label_of


def classifications(spark: SparkSession, world: World) -> list[dict[str, object]]:
    frame = mood_classifications(**world.frames(spark), mood_class_model=world.mood_class)
    enforce(mood_classifications, conform(mood_classifications, frame))
    return [row.asDict() for row in frame.collect()]


def test_every_measured_play_has_both_moods(spark: SparkSession, small_world: World) -> None:
    rows = {str(row["play_id"]): row for row in classifications(spark, small_world)}
    assert len(rows) == 2 * (150 - 3)
    plays = small_world.frames(spark)["listening_with_features"].collect()
    truth = {play["play_id"]: label_of(play["mood_category"]) for play in plays if play["mood_category"]}
    assert {name: row["mood_label"] for name, row in rows.items()} == truth
    assert all(row["predicted_mood"] == MOODS[int(str(row["predicted_mood_label"]))] for row in rows.values())


@pytest.mark.parametrize("name", ["no catalogue", "a feature missing", "nothing at all"])
def test_poor_input_gives_rows_without_predictions(spark: SparkSession, name: str) -> None:
    rows = classifications(spark, POOR_WORLDS[name])
    assert len(rows) == 2 * len(POOR_WORLDS[name].tracks)
    for row in rows:
        assert (row["predicted_mood_label"], row["predicted_mood"], row["confidence"]) == (None, None, None)
        assert row["mood_probability"] is None


def test_a_mood_that_the_catalogue_lacks_is_never_predicted(spark: SparkSession) -> None:
    rows = classifications(spark, POOR_WORLDS["a class absent"])
    assert {row["predicted_mood_label"] for row in rows} <= {0, 2, 3, 4}
