"""What the models reach on the real listener, worked out again from the prediction rows, and held against the gates.

The gates are those of a study of the same listener; they are errors and log-losses, because an R2 also depends on how
much a listener's music varies.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error, r2_score, root_mean_squared_error

from gold.learning.evaluation import HIGHER_IS_BETTER
from gold.learning.feature_scores import measured_plays
from gold.learning.folds import catalogue_folds, with_folds
from gold.learning.model_building import PROBABILITIES, TrainedModel, predict_feature, predict_moods
from gold.learning.model_parameters import ENERGY, MOOD, PARAMETERS, ModelSpec
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.models.trained_models import models_of
from lakehouse.settings import Settings
from pipeline.registry import pipeline_nodes
from silver.artists.artist_estimate_model import evaluate
from silver.artists.artist_means import PARAMETERS as ARTIST_PARAMETERS
from silver.artists.artist_means import ArtistModel
from silver.artists.recording_groups import BoolArray, FloatArray
from tests.support.frames import Tables

pytestmark = pytest.mark.real_data

Metrics = dict[tuple[str, str, str], dict[str, Any]]

TOLERANCE = 1.05
SEGMENTS = ("per_play", "per_track")
REGRESSIONS = {
    "mood": ("mood_predictions", "valence", 0.147),
    "energy": ("energy_forecasts", "energy", 0.075),
}
LOG_LOSS = 0.90
CALIBRATION_ERROR = 0.06
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
    assert row["ece"] <= CALIBRATION_ERROR * TOLERANCE
    assert row["beats_baseline"]


@pytest.fixture(scope="module")
def measured(real_table: Tables) -> pd.DataFrame:
    """The measured tracks, with their plays."""
    plays = measured_plays(real_table("listening_with_features")).groupBy("track_key").agg(F.count("*").alias("plays"))
    tracks = real_table("measured_tracks")
    return tracks.join(plays, on="track_key", how="inner").toPandas().sort_values("track_key", ignore_index=True)


def scored_by(
    settings: Settings, spark: SparkSession, measured: pd.DataFrame, name: str
) -> tuple[TrainedModel, pd.DataFrame]:
    """The saved model, and the tracks with the folds that it scores them by."""
    node: Any = pipeline_nodes()[f"{name}_model"]
    trained = TrainedModel.from_parts(models_of(settings).read(node, spark).parts)
    return trained, with_folds(measured, trained.recordings, PARAMETERS)


def of_variant(metrics: Metrics, model: str, variant: str, segment: str) -> dict[str, Any]:
    """The row of a baseline, or of the model that saw nothing of the artist."""
    if variant == "artist_unseen":
        unseen = {"per_play": "artist_unseen", "per_track": "artist_unseen_per_track"}
        return metrics[(model, "listener", unseen[segment])]
    return metrics[(f"{model}_{variant}", "listener", segment)]


@pytest.mark.parametrize("spec", [MOOD, ENERGY], ids=lambda spec: spec.name)
def test_errors_of_the_baselines_and_without_the_artist_are_those_of_their_predictions(
    real_lake: Settings, spark: SparkSession, measured: pd.DataFrame, metrics: Metrics, spec: ModelSpec
) -> None:
    trained, tracks = scored_by(real_lake, spark, measured, spec.name)
    columns = {"artist_unseen": "artist_unseen_predicted"} | {
        name: name for name in ("linear", "listener_mean", "catalogue_mean")
    }
    scored = predict_feature(trained, spec, tracks, PARAMETERS).assign(plays=tracks["plays"])
    for variant, column in columns.items():
        known = scored.dropna(subset=["truth", column])
        for segment, weight in (("per_play", known["plays"]), ("per_track", None)):
            row, both = of_variant(metrics, spec.name, variant, segment), (known["truth"], known[column])
            assert row["mae"] == pytest.approx(mean_absolute_error(*both, sample_weight=weight))
            assert row["rmse"] == pytest.approx(root_mean_squared_error(*both, sample_weight=weight))
            assert row["r2"] == pytest.approx(r2_score(*both, sample_weight=weight))


def test_figures_of_the_mood_class_and_its_baselines_are_those_of_their_predictions(
    real_lake: Settings, spark: SparkSession, measured: pd.DataFrame, metrics: Metrics
) -> None:
    trained, tracks = scored_by(real_lake, spark, measured, "mood_class")
    moods = predict_moods(trained, tracks, PARAMETERS)
    for variant, scored in moods.items():
        known = scored.assign(plays=tracks["plays"]).dropna(subset=["truth", *PROBABILITIES])
        truth, chosen, chances = known["truth"].astype(int), known["chosen"], known[PROBABILITIES].to_numpy()
        loss = -np.log(np.clip(chances[range(len(truth)), truth], 1e-6, 1))
        of_catalogue = -np.log(trained.by_recording.target_mean[truth])
        for segment, weight in (("per_play", known["plays"]), ("per_track", known["plays"] * 0 + 1)):
            own = ("mood_class", "listener", segment)
            row = metrics[own] if variant == "predicted" else of_variant(metrics, "mood_class", variant, segment)
            assert row["accuracy"] == pytest.approx(accuracy_score(truth, chosen, sample_weight=weight))
            assert row["f1"] == pytest.approx(f1_score(truth, chosen, average="macro", sample_weight=weight))
            assert row["log_loss"] == pytest.approx(np.average(loss, weights=weight))
            assert row["skill"] == pytest.approx(1 - (loss @ weight) / (of_catalogue @ weight))
            assert row["ece"] == pytest.approx(calibration_gap(chances, truth, weight))


def calibration_gap(chances: FloatArray, truth: pd.Series, weight: pd.Series) -> float:
    """Bin by bin, how far the confidence is from the share that is right, weighted by the plays in the bin."""
    rows = pd.DataFrame({"confidence": chances.max(axis=1), "right": chances.argmax(axis=1) == truth, "w": weight})
    bins = rows.groupby(pd.cut(rows["confidence"], np.linspace(0, 1, 11).tolist(), right=False), observed=True)
    gaps = [abs(((each["right"] - each["confidence"]) * each["w"]).sum()) for _, each in bins]
    return float(sum(gaps) / weight.sum())


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


@pytest.mark.parametrize("table", ["mood_predictions", "energy_forecasts", "mood_classifications"])
def test_the_model_that_scored_a_play_saw_no_track_of_its_recording(
    real_table: Tables, real_silver: pd.DataFrame, held_out_tracks: tuple[pd.DataFrame, BoolArray], table: str
) -> None:
    """Every catalogue track that could give a play away, by its id, its artist and title or its sound, was held out."""
    catalogue, held_out = held_out_tracks
    fold = real_table(table).toPandas().set_index("play_id")["fold"].dropna()
    plays = with_names(real_silver[real_silver["play_id"].isin(fold.index)], "artist_name")
    plays = plays.assign(fold=plays["play_id"].map(fold).astype(int))
    for same in (["track_id"], ["artist", "title"], list(AUDIO_FEATURES)):
        known = plays.dropna(subset=same)[["fold", *same]]
        linked = known.merge(catalogue.dropna(subset=same)[["row", *same]], on=same)
        assert len(linked) > 1_000
        assert held_out[linked["row"], linked["fold"]].all(), same


@pytest.fixture(scope="module")
def held_out_tracks(real_catalogue_tracks: DataFrame) -> tuple[pd.DataFrame, BoolArray]:
    """The catalogue's tracks, numbered by row, and which row each fold's model must not see, as training dealt them."""
    tracks = with_names(real_catalogue_tracks.toPandas(), "first_artist")
    held_out = catalogue_folds(tracks, PARAMETERS).held_out("recording", PARAMETERS.n_folds)
    return tracks.assign(row=range(len(tracks))), held_out


def with_names(tracks: pd.DataFrame, artist: str) -> pd.DataFrame:
    """Artist and title whatever their case."""
    return tracks.assign(artist=tracks[artist].str.casefold(), title=tracks["track_name"].str.casefold())
