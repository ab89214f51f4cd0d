"""Every model beside its baselines, whatever the input; figures by hand are in test_evaluation."""

from datetime import datetime

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from gold.predictive.model_performance_metrics import model_performance_metrics
from gold.predictive.mood_predictions import mood_predictions
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from silver.rules.feature_source import IMPUTED_FEATURES
from tests.gold.learning.small_models import POOR_WORLDS, World

MODELS = {"mood", "energy", "mood_class", *(f"artist_estimate_{name}" for name in IMPUTED_FEATURES)}
FIGURES = ["r2", "mae", "accuracy", "f1", "log_loss", "ci_low", "ci_high"]


def metrics(spark: SparkSession, world: World) -> pd.DataFrame:
    frame = model_performance_metrics(
        **world.frames(spark), mood_model=world.mood, energy_model=world.energy, mood_class_model=world.mood_class,
        artist_model=world.artists,
    )  # fmt: skip
    enforce(model_performance_metrics, conform(model_performance_metrics, frame))
    found: pd.DataFrame = frame.toPandas()
    return found


@pytest.fixture(scope="module")
def usual(spark: SparkSession, small_world: World) -> pd.DataFrame:
    return metrics(spark, small_world)


def test_every_model_has_a_headline_and_baselines(usual: pd.DataFrame) -> None:
    headline = usual[(usual["evaluation"] == "listener") & (usual["segment"] == "per_play")].set_index("model_name")
    assert set(headline.index) >= MODELS | {f"{name}_listener_mean" for name in ("mood", "energy")}
    assert headline.loc[sorted(MODELS), "test_size"].eq(2 * (150 - 3)).sum() >= 3
    assert headline["baseline_score"].notna().all()
    assert set(headline["model_type"]) == {
        "hist_gradient_boosting", "shrunken_mean", "linear_baseline", "constant_baseline",
    }  # fmt: skip


def test_rows_name_the_artifact(usual: pd.DataFrame) -> None:
    versions = dict(zip(usual["model_name"], usual["model_version"], strict=True))
    assert versions["energy_linear"] == "energy 1" and versions["artist_estimate_valence"] == "artists 1"
    assert set(usual["trained_at"]) == {pd.Timestamp(datetime(2026, 1, 31, 11))}


def test_the_headline_is_that_of_the_prediction_rows(
    spark: SparkSession, small_world: World, usual: pd.DataFrame
) -> None:
    predictions = mood_predictions(**small_world.frames(spark), mood_model=small_world.mood).toPandas()
    error = (predictions["predicted_valence"] - predictions["valence"]).abs().mean()
    row = usual[(usual["model_name"] == "mood") & (usual["segment"] == "per_play")].iloc[0]
    assert row["mae"] == pytest.approx(error)


@pytest.mark.parametrize("name", ["no catalogue", "no matched play"])
def test_without_catalogue_or_match_figures_are_null_with_the_reason(spark: SparkSession, name: str) -> None:
    found = metrics(spark, POOR_WORLDS[name])
    of_listener = found[(found["evaluation"] == "listener") & found["model_name"].isin(MODELS)]
    assert set(of_listener["model_name"]) == MODELS
    assert of_listener[FIGURES].isna().all(axis=None)
    assert of_listener["beats_baseline"].isna().all()
    assert of_listener["note"].notna().all()


@pytest.mark.parametrize(
    ("name", "untrained", "reason"),
    [
        ("a feature missing", ["artist_estimate_valence", "mood", "mood_class"], "no row has both"),
        # With energy .5 every mood is Neutral.
        ("a constant target", ["energy", "mood_class"], "energy is the same for all tracks of the catalogue"),
        ("a class absent", [], "mood labels that never occur: 1"),
        ("an input missing", [], ""),
        ("a constant feature", [], ""),
        ("one play", [], "r2 is null"),
    ],
)
def test_poor_input_is_null_only_where_it_must_be(
    spark: SparkSession, name: str, untrained: list[str], reason: str
) -> None:
    found = metrics(spark, POOR_WORLDS[name])
    headline = found[(found["evaluation"] == "listener") & (found["segment"] == "per_play")]
    headline = headline[headline["model_name"].isin(["mood", "energy", "mood_class", "artist_estimate_valence"])]
    without = headline[headline["mae"].isna() & headline["log_loss"].isna()]
    assert sorted(without["model_name"]) == untrained
    assert headline["note"].fillna("").str.contains(reason, regex=False).any()
