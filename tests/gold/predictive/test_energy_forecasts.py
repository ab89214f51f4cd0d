"""Measured plays with their predicted energy; what holds for mood_predictions, too, is in test_feature_scores."""

import pytest
from pyspark.sql import SparkSession

from gold.predictive.energy_forecasts import energy_forecasts
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from tests.gold.learning.small_models import POOR_WORLDS, World


def forecasts(spark: SparkSession, world: World) -> list[dict[str, object]]:
    frame = energy_forecasts(**world.frames(spark), energy_model=world.energy)
    enforce(energy_forecasts, conform(energy_forecasts, frame))
    return [row.asDict() for row in frame.collect()]


def test_every_measured_play_is_predicted_and_no_other(spark: SparkSession, small_world: World) -> None:
    rows = forecasts(spark, small_world)
    assert len(rows) == 2 * (150 - 3)
    assert all(row["predicted_energy"] is not None for row in rows)


@pytest.mark.parametrize("name", ["no catalogue", "a constant target", "nothing at all"])
def test_poor_input_gives_rows_without_predictions(spark: SparkSession, name: str) -> None:
    rows = forecasts(spark, POOR_WORLDS[name])
    assert len(rows) == 2 * len(POOR_WORLDS[name].tracks)
    assert all(row["predicted_energy"] is None and row["lower_90"] is None for row in rows)
