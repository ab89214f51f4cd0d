"""What the models reach on the real listener, worked out again from the prediction rows, and held against the gates.

The gates are those of a study of the same listener; they are errors and log-losses, because an R2 also depends on how
much a listener's music varies.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score, root_mean_squared_error

from gold.predictive.evaluation import HIGHER_IS_BETTER
from lakehouse.columns import AUDIO_FEATURES
from lakehouse.models import models_of
from lakehouse.registry import pipeline_nodes
from lakehouse.settings import Settings
from silver.artist_estimate_model import evaluate
from silver.artist_means import PARAMETERS as ARTIST_PARAMETERS
from silver.artist_means import ArtistModel
from tests.frames import Tables

pytestmark = pytest.mark.real_data

Metrics = dict[tuple[str, str, str], dict[str, Any]]

TOLERANCE = 1.05
SEGMENTS = ("per_play", "per_track")
REGRESSIONS = {
    "mood": ("mood_predictions", "valence", 0.147),
    "energy": ("energy_forecasts", "energy", 0.075),
}
LOG_LOSS = 0.90
COVERAGE = (0.86, 0.94)
# Of the mean absolute error of the listener's mean, the share that the artist estimate removes.
ARTIST_SKILLS = {"valence": 0.12, "energy": 0.20, "danceability": 0.25}


@pytest.fixture(scope="module")
def metrics(real_table: Tables) -> Metrics:
    rows = [row.asDict() for row in real_table("model_performance_metrics").collect()]
    return {(row["model_name"], row["evaluation"], row["segment"]): row for row in rows}


@pytest.fixture(scope="module")
def track_of(real_silver: pd.DataFrame) -> pd.Series:
    """The track of each play: its id, else its recording."""
    plays = real_silver.set_index("play_id")
    return plays["track_id"].fillna(plays["recording_key"])


def predictions(real_table: Tables, name: str, track_of: pd.Series, segment: str) -> pd.DataFrame:
    """The scored rows of a table, one per play or one per track."""
    plays = real_table(name).toPandas()
    assert plays["fold"].notna().mean() > 0.99
    plays = plays[plays["fold"].notna()].assign(track=lambda rows: rows["play_id"].map(track_of))
    return plays if segment == "per_play" else plays.drop_duplicates("track")


@pytest.mark.parametrize("segment", SEGMENTS)
@pytest.mark.parametrize("model", REGRESSIONS)
def test_errors_are_those_of_the_rows_and_within_the_gate(
    real_table: Tables, metrics: Metrics, track_of: pd.Series, model: str, segment: str
) -> None:
    table, target, gate = REGRESSIONS[model]
    rows = predictions(real_table, table, track_of, segment)
    truth, predicted = rows[target], rows[f"predicted_{target}"]
    row = metrics[(model, "listener", segment)]
    assert row["mae"] == pytest.approx(mean_absolute_error(truth, predicted))
    assert row["rmse"] == pytest.approx(root_mean_squared_error(truth, predicted))
    assert row["r2"] == pytest.approx(r2_score(truth, predicted))
    assert row["coverage_90"] == pytest.approx(truth.between(rows["lower_90"], rows["upper_90"]).mean())
    of_catalogue = metrics[(f"{model}_catalogue_mean", "listener", segment)]["rmse"]
    assert row["skill"] == pytest.approx(1 - (row["rmse"] / of_catalogue) ** 2)
    assert (row["test_size"], row["test_tracks"]) == (len(rows), rows["track"].nunique())
    assert row["mae"] <= gate * TOLERANCE
    assert COVERAGE[0] <= row["coverage_90"] <= COVERAGE[1]
    assert row["beats_baseline"]


@pytest.mark.parametrize("segment", SEGMENTS)
def test_mood_classes_are_those_of_the_rows_and_within_the_gate(
    real_table: Tables, metrics: Metrics, track_of: pd.Series, segment: str
) -> None:
    rows = predictions(real_table, "mood_classifications", track_of, segment).dropna(subset="mood_label")
    truth, predicted = rows["mood_label"], rows["predicted_mood_label"]
    row = metrics[("mood_class", "listener", segment)]
    assert row["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert row["f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))
    assert row["log_loss"] == pytest.approx(-np.log(rows["mood_probability"]).mean())
    assert row["log_loss"] <= LOG_LOSS * TOLERANCE
    assert row["beats_baseline"]


@pytest.fixture(scope="module")
def artist_rows(real_lake: Settings, real_table: Tables, spark: SparkSession) -> pd.DataFrame:
    """Every measured track of a known artist with its artist's estimate, made without its recording; per feature."""
    node: Any = pipeline_nodes()["artist_model"]
    model = ArtistModel.from_state(models_of(real_lake).read(node, spark).parts["artists"])
    matches = real_table("feature_matches").toPandas()
    measured = matches[matches["feature_source"].isin(["kaggle", "kaggle_recording"])].set_index("track_key")
    judged = evaluate(model, measured.reset_index().set_index("track_key", drop=False), ARTIST_PARAMETERS)
    plays: dict[str, int] = dict(real_table("listening_with_features").groupBy("track_id").count().collect())
    return judged.assign(plays=judged.index.map(plays)).dropna(subset="predicted")


@pytest.mark.parametrize("feature", ARTIST_SKILLS)
def test_artist_estimates_beat_the_listeners_mean(artist_rows: pd.DataFrame, metrics: Metrics, feature: str) -> None:
    tracks = artist_rows[artist_rows["feature_name"] == feature]
    row = metrics[(f"artist_estimate_{feature}", "listener", "per_track")]
    error, of_mean = ((tracks[name] - tracks["truth"]).abs() for name in ("predicted", "listener_mean"))
    assert row["mae"] == pytest.approx(error.mean())
    assert row["baseline_score"] == pytest.approx(of_mean.mean())
    assert 1 - error.mean() / of_mean.mean() >= ARTIST_SKILLS[feature]
    per_play = metrics[(f"artist_estimate_{feature}", "listener", "per_play")]
    assert per_play["mae"] == pytest.approx(np.average(error, weights=tracks["plays"]))
    inside = tracks["truth"].between(tracks["lower_90"], tracks["upper_90"])
    assert row["coverage_90"] == pytest.approx(inside.mean())
    assert COVERAGE[0] <= row["coverage_90"] <= COVERAGE[1]


def test_a_model_beats_its_baseline_only_by_its_whole_interval(metrics: Metrics) -> None:
    judged = [row for row in metrics.values() if row["beats_baseline"] is not None]
    assert judged
    for row in judged:
        higher = HIGHER_IS_BETTER[row["primary_metric"]]
        clearly = row["ci_low"] > row["baseline_score"] if higher else row["ci_high"] < row["baseline_score"]
        assert row["beats_baseline"] == clearly
        assert row["ci_low"] <= row[row["primary_metric"]] <= row["ci_high"]


def test_no_release_or_copy_of_a_track_is_in_another_fold(real_table: Tables, real_silver: pd.DataFrame) -> None:
    """The fold of a play is held out of its model's training; here every catalogue track that could give it away."""
    fold = real_table("mood_predictions").toPandas().set_index("play_id")["fold"].dropna()
    matches = real_table("feature_matches").toPandas()
    plays = real_silver[real_silver["play_id"].isin(fold.index)]
    plays = plays.assign(fold=plays["play_id"].map(fold))
    sound = list(AUDIO_FEATURES)
    by_sound = plays.dropna(subset=sound).groupby(sound)["fold"].nunique()
    assert by_sound.max() == 1
    names = matches.dropna(subset=["track_id", "name_key"]).set_index("track_id")["name_key"]
    by_name = plays.groupby(plays["track_id"].map(names))["fold"].nunique()
    assert by_name.max() == 1
