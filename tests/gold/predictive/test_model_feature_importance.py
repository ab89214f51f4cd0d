"""Every input of every model has a row; the figures themselves are tested in test_model_metrics."""

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from gold.learning.model_parameters import MODEL_SPECS
from gold.predictive.model_feature_importance import model_feature_importance
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from tests.gold.learning.small_models import POOR_WORLDS, World


def importance(spark: SparkSession, world: World) -> pd.DataFrame:
    frame = model_feature_importance(
        world.matches(spark), world.frames(spark)["measured_tracks"], world.mood, world.energy, world.mood_class
    )
    enforce(model_feature_importance, conform(model_feature_importance, frame))
    found: pd.DataFrame = frame.toPandas()
    return found


def test_every_input_of_every_model_has_its_importance(spark: SparkSession, small_world: World) -> None:
    found = importance(spark, small_world)
    expected = {(spec.name, name) for spec in MODEL_SPECS for name in (*spec.features, "artists", "track_genres")}
    assert set(zip(found["model_name"], found["feature_name"], strict=True)) == expected
    assert found["importance"].notna().all()
    best = found.sort_values("importance").groupby("model_name")["feature_name"].last()
    assert (best["mood"], best["energy"]) == ("danceability", "loudness")


@pytest.mark.parametrize("name", ["no catalogue", "no matched play"])
def test_where_nothing_can_be_scored_importance_is_null(spark: SparkSession, name: str) -> None:
    found = importance(spark, POOR_WORLDS[name])
    assert len(found) == sum(len(spec.features) + 2 for spec in MODEL_SPECS)
    assert found["importance"].isna().all()


def test_an_input_that_the_catalogue_lacks_has_none(spark: SparkSession) -> None:
    found = importance(spark, POOR_WORLDS["an input missing"])
    assert set(found[found["importance"].isna()]["feature_name"]) == {"loudness"}
