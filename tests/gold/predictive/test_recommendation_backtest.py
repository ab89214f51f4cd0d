"""Would the listener have played what is recommended?"""

from typing import Any

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.predictive.recommendation_backtest import recommendation_backtest
from gold.prescriptive.listed_songs import listed_songs
from gold.prescriptive.mood_improvement_recommendations import mood_improvement_recommendations
from tests.gold.prescriptive.music import day, inputs, lifting, offer, plays_of
from tests.support.frames import Tables

USUAL = plays_of("Usual", "Song", 20)


def by_method(spark: SparkSession, plays: list[dict[str, Any]], offers: list[dict[str, Any]]) -> pd.DataFrame:
    history, catalogue = inputs(spark, plays, offers)
    frame: DataFrame = recommendation_backtest(history, listed_songs(history, catalogue))
    return frame.toPandas().set_index("method")


def test_a_recommended_song_that_is_then_played_is_a_hit(spark: SparkSession) -> None:
    offers = [offer("Usual", "Bright", valence=0.9), offer("Usual", "Brighter", valence=0.95)]
    later = plays_of("Usual", "Bright", 1, day=40, track_id="another release")
    found = by_method(spark, [*USUAL, *later], offers).loc["Recommendations"]
    assert (found["list_size"], found["hit_count"], found["hit_rate"]) == (2, 1, 0.5)
    assert found["hidden_from_date"] == day(11)
    assert (found["random_hit_rate"], found["lift"]) == (0.5, 1.0)
    assert found["note"] == (
        "Played in the hidden 30 dates: 1 of 2; no lift over random (50.0 %), more than the most played (0.0 %)."
    )


def test_the_play_on_the_30th_last_date_is_hidden_and_the_one_before_is_not(spark: SparkSession) -> None:
    last = plays_of("Usual", "Song", 1, day=40)
    hidden, visible = (plays_of("B", "Bright", 20, day=day, valence=0.9) for day in (11, 10))
    offers = [offer("B", "Other", valence=0.1)]
    assert "Recommendations" not in by_method(spark, [*USUAL, *hidden, *last], offers).index
    assert by_method(spark, [*USUAL, *visible, *last], offers).loc["Recommendations", "hit_count"] == 0


def test_most_played_is_a_baseline(spark: SparkSession) -> None:
    plays = [*USUAL, *(row for i in range(30) for row in plays_of("B", f"Song {i:02d}", 1, valence=0.6 + i / 100))]
    later = [*plays_of("Usual", "Song", 1, day=40), *plays_of("B", "Song 29", 1, day=40)]
    found = by_method(spark, [*plays, *later], []).loc["Most played"]
    assert (found["list_size"], found["hit_count"]) == (25, 1)
    assert found["random_hit_rate"] == pytest.approx(2 / 31)
    assert found["note"] == "Played in the hidden 30 dates: 1 of 25; no lift over random (6.5 %)."


def test_intervals_hold_the_rate(spark: SparkSession) -> None:
    found = by_method(spark, *lifting())
    assert {"Recommendations", "Recommendations, new to you", "Mood Lift", "Most played"} <= set(found.index)
    assert ((found["ci_low"] <= found["hit_rate"]) & (found["hit_rate"] <= found["ci_high"])).all()
    assert found["most_played_hit_rate"].nunique() == 1


@pytest.mark.real_data
def test_the_real_listeners_hits(
    real_table: Tables, real_silver_spark: DataFrame, real_catalogue_tracks: DataFrame
) -> None:
    found: Any = real_table("recommendation_backtest").toPandas().set_index("method")
    plays = real_silver_spark.toPandas()
    first = plays["date"].max() - pd.Timedelta(days=29)
    assert set(found["hidden_from_date"]) == {first}
    before, later = plays[plays["date"] < first], set(plays.loc[plays["date"] >= first, "recording_key"])
    counts = before.groupby("recording_key").size().reset_index(name="plays")
    top = counts.sort_values(["plays", "recording_key"], ascending=[False, True]).head(25)["recording_key"]
    assert found.loc["Most played", "hit_count"] == top.isin(later).sum()
    assert found.loc["Most played", "random_hit_rate"] == pytest.approx(counts["recording_key"].isin(later).mean())
    # The table itself, made from the plays before: the same list.
    visible = real_silver_spark.where(real_silver_spark["date"] < first)
    songs = mood_improvement_recommendations(listed_songs(visible, real_catalogue_tracks)).limit(25).toPandas()
    names = plays[plays["recording_key"].isin(later)].groupby(["artist_name", "track_name"]).size()
    hits = pd.MultiIndex.from_frame(songs[["artist_name", "track_name"]]).isin(names.index).sum()
    # By exact name, so at most as many as by recording; the half-life counts from a slightly earlier last date.
    assert abs(found.loc["Recommendations", "hit_count"] - hits) <= 1
    assert found.loc["Recommendations", "hit_rate"] > found.loc["Recommendations", "random_hit_rate"]
