"""Into which slices does the listener's music fall by how it sounds?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from sklearn.cluster import KMeans
from sklearn.metrics import silhouette_samples

from gold.cognitive.mood_state_clusters import FEATURE_WORDS, LOG_OFFSET, LOGARITHMIC, mood_state_clusters
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.wording import compared, number, percent
from tests.support.frames import Tables, frame_of, play, rows

Plays = list[dict[str, Any]]


def clusters(spark: SparkSession, plays: Plays) -> DataFrame:
    frame: DataFrame = mood_state_clusters(frame_of(spark, listening_with_features, plays))
    return frame


def kind(name: str, count: int, values: dict[str, float], plays_each: int = 1) -> Plays:
    """Tracks of one kind, each a little different."""
    rng = np.random.default_rng(5)
    plays = []
    for track in range(count):
        own = {feature: value + float(rng.normal(0, 0.02)) for feature, value in values.items()}
        plays += [
            play(f"2026-01-{1 + i:02d} 10:{track:02d}:00", track_id=f"{name}{track}", **own) for i in range(plays_each)
        ]
    return plays


BRIGHT = {"valence": 0.8, "energy": 0.8, "danceability": 0.6, "loudness": -5.0}
DARK = {"valence": 0.2, "energy": 0.2, "danceability": 0.4, "loudness": -15.0}


def test_fitted_on_tracks_and_counted_by_plays(spark: SparkSession) -> None:
    frame = clusters(spark, kind("b", 15, BRIGHT) + kind("d", 15, DARK, plays_each=3))
    assert rows(frame, "cluster", "member_count", "track_count") == [(0, 15, 15), (1, 45, 15)]
    assert {bright > 0.5 for (bright,) in rows(frame.where("cluster = 0"), "avg_valence")} == {True}


def test_names_and_texts_come_from_the_numbers(spark: SparkSession) -> None:
    frame = clusters(spark, kind("b", 15, BRIGHT) + kind("d", 15, DARK, plays_each=3))
    names = [name for _, name in rows(frame, "cluster", "mood_state_name")]
    assert len(set(names)) == 2
    (text,) = frame.where("cluster = 0").select("cluster_description").first() or ("",)
    assert text.startswith("15 of 60 measured plays (25 %), 15 tracks, set apart by their ")
    assert "standard deviations above the mean): valence 0.80 (0.45 above the mean of all), energy" in text
    assert "instrumentalness" in text
    assert "A slice of a continuum, not a type" in text


def test_few_recordings_make_no_clusters(spark: SparkSession) -> None:
    assert clusters(spark, kind("b", 10, BRIGHT, 5) + kind("d", 9, DARK, 5)).count() == 0


def test_music_that_all_sounds_the_same_makes_no_clusters(spark: SparkSession) -> None:
    same = [play(f"2026-01-01 10:{i:02d}:00", track_id=f"t{i}") for i in range(30)]
    assert clusters(spark, same).count() == 0


@pytest.mark.parametrize("left_out", [{"feature_source": "imputed_artist"}, {"tempo": None}])
def test_plays_without_all_measured_features_are_left_out(spark: SparkSession, left_out: dict[str, Any]) -> None:
    plays = kind("b", 15, BRIGHT) + kind("d", 15, DARK)
    more = [row | left_out | {"play_id": f"more {row['play_id']}"} for row in plays]
    assert {count for (count,) in rows(clusters(spark, plays + more), "member_count")} == {15}


@pytest.mark.real_data
def test_real_plays_give_what_sklearn_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    found = real_table("mood_state_clusters").toPandas().sort_values("cluster", ignore_index=True)
    features = list(FEATURE_WORDS)
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)].dropna(subset=features)
    scaled = measured.assign(**{name: np.log(measured[name] + LOG_OFFSET) for name in LOGARITHMIC})
    recordings = scaled.groupby("recording_key")[features].mean()
    points = (recordings - recordings.mean()) / recordings.std(ddof=0)
    fit = KMeans(len(found), n_init=20, random_state=1).fit(points)
    order = np.argsort(-fit.cluster_centers_[:, features.index("valence")])
    labels = pd.Series(np.argsort(order)[fit.labels_], index=recordings.index)
    plays = measured.assign(cluster=measured["recording_key"].map(labels)).groupby("cluster")
    means = ["valence", "energy", "danceability", "acousticness", "instrumentalness"]
    expected = plays[means].mean().add_prefix("avg_")
    expected["member_count"] = plays.size()
    expected["track_count"] = labels.value_counts()
    expected[["valence_variability", "energy_variability"]] = plays[["valence", "energy"]].std()
    expected["silhouette"] = (
        pd.Series(silhouette_samples(points, labels), index=recordings.index).groupby(labels).mean()
    )
    overall = measured[means].mean()
    texts = found.set_index("cluster")["cluster_description"].to_dict()
    for cluster, row in zip(expected.index.tolist(), expected.to_dict("records"), strict=True):
        known = ", ".join(
            f"{name} {number(row[f'avg_{name}'])} ({compared(row[f'avg_{name}'] - overall[name])} the mean of all)"
            for name in means
        )
        share = percent(row["member_count"] / len(measured))
        plays_told = f"{row['member_count']:.0f} of {len(measured)} measured plays ({share})"
        assert texts[cluster].startswith(f"{plays_told}, {row['track_count']:.0f} tracks, set apart by their ")
        assert f"the mean): {known}. A slice" in texts[cluster]
        assert f"silhouette {number(row['silhouette'])}," in texts[cluster]
    columns = ["cluster", *expected.columns]
    assert_same_rows(
        real_table("mood_state_clusters").select(*columns),
        expected.rename_axis("cluster").reset_index(),
        ["cluster"],
    )
    assert found["mood_state_name"].is_unique
