"""Measured plays with their predicted valence; what holds for energy_forecasts, too, is in test_feature_scores."""

import pytest
from pyspark.sql import SparkSession

from gold.predictive.mood_predictions import mood_predictions
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from tests.gold.learning.small_models import POOR_WORLDS, World


def predictions(spark: SparkSession, world: World) -> list[dict[str, object]]:
    frame = mood_predictions(**world.frames(spark), mood_model=world.mood)
    enforce(mood_predictions, conform(mood_predictions, frame))
    return [row.asDict() for row in frame.collect()]


def test_every_measured_play_is_predicted_and_no_other(spark: SparkSession, small_world: World) -> None:
    rows = predictions(spark, small_world)
    assert len(rows) == 2 * (150 - 3)
    assert {row["feature_source"] for row in rows} == {"kaggle"}
    assert all(row["predicted_valence"] is not None for row in rows)
    assert {row["model_version"] for row in rows} == {"mood 1"}


@pytest.mark.parametrize("name", POOR_WORLDS)
def test_poor_input_gives_rows_without_predictions(spark: SparkSession, name: str) -> None:
    world = POOR_WORLDS[name]
    rows = predictions(spark, world)
    measured = world.tracks["feature_source"].isin(["kaggle", "spotify"]).sum()
    assert len(rows) == 2 * measured
    untrained = name in ("no catalogue", "a feature missing")
    assert all((row["predicted_valence"] is None) == untrained for row in rows)
    assert bool(world.mood.card["not_trained_because"]) == (untrained or name == "nothing at all")
