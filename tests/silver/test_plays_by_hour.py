"""Plays added up by hour, weekday and feature source, and the aggregates that gold makes of the sums."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from silver.listening_with_features import listening_with_features
from silver.plays_by_hour import FEATURES, HOUR, deviation, mean, plays, plays_by_hour, total
from silver.rules.feature_source import is_featured, is_measured
from tests.gold.descriptive.comparison import assert_same_rows
from tests.support.frames import Tables, frame_of, only, play, rows

SATURDAY = "2026-01-31"


def sums(spark: SparkSession, *played: dict[str, Any]) -> DataFrame:
    frame: DataFrame = plays_by_hour(frame_of(spark, listening_with_features, list(played)))
    return frame


def valence_of(spark: SparkSession, *played: dict[str, Any]) -> Row:
    return only(sums(spark, *played).where("feature_name = 'valence'"))


def test_every_feature_of_an_hour_and_source_has_a_row(spark: SparkSession) -> None:
    found = sums(spark, play(f"{SATURDAY} 10:00:00"), play(f"{SATURDAY} 10:30:00", feature_source="none"))
    expected = [(10, 6, source, name) for source in ("kaggle", "none") for name in sorted(FEATURES)]
    assert sorted(rows(found, "hour_of_day", "day_of_week", "feature_source", "feature_name")) == expected


def test_plays_of_the_same_hour_of_the_week_add_up(spark: SparkSession) -> None:
    row = valence_of(
        spark, play(f"{SATURDAY} 10:00:00", valence=0.25), play("2026-02-07 10:59:59", valence=0.75)
    )  # fmt: skip
    assert (row["play_count"], row["known_plays"], row["value_sum"], row["square_sum"]) == (2, 2, 1.0, 0.125)
    assert (row["min"], row["max"]) == (0.25, 0.75)


def test_low_and_high_are_the_contracts(spark: SparkSession) -> None:
    values = (0.1, 0.39, 0.4, 0.59, 0.6)
    row = valence_of(spark, *(play(f"{SATURDAY} 10:0{i}:00", valence=value) for i, value in enumerate(values)))
    assert (row["low_plays"], row["high_plays"]) == (2, 1)


def test_a_play_without_the_feature_counts_but_adds_nothing(spark: SparkSession) -> None:
    row = valence_of(spark, play(f"{SATURDAY} 10:00:00", feature_source="none"))
    assert (row["play_count"], row["known_plays"], row["low_plays"], row["value_sum"]) == (1, 0, 0, None)


def aggregated(spark: SparkSession, *played: dict[str, Any]) -> Row:
    return only(
        sums(spark, *played).agg(
            plays().alias("all_plays"), plays(is_featured()).alias("featured"), plays(is_measured()).alias("measured"),
            mean("valence").alias("mean"), mean("valence", is_measured()).alias("measured_mean"),
            deviation("valence", is_measured()).alias("deviation"),
            total("low_plays", "valence", is_measured()).alias("low"),
        )
    )  # fmt: skip


def test_aggregates_take_the_rows_that_count(spark: SparkSession) -> None:
    row = aggregated(
        spark,
        play(f"{SATURDAY} 10:00:00", valence=0.2),
        play(f"{SATURDAY} 11:00:00", valence=0.6),
        play(f"{SATURDAY} 11:30:00", valence=1.0, feature_source="imputed_artist"),
        play(f"{SATURDAY} 12:00:00", feature_source="none"),
    )
    assert (row["all_plays"], row["featured"], row["measured"], row["low"]) == (4, 3, 2, 1)
    assert row["mean"] == pytest.approx(0.6, rel=1e-12)
    assert row["measured_mean"] == pytest.approx(0.4, rel=1e-12)
    assert row["deviation"] == pytest.approx(np.std([0.2, 0.6], ddof=1), rel=1e-12)


@pytest.mark.parametrize(("count", "expected"), [(1, None), (7, 0.0)])
def test_equal_values_do_not_deviate(count: int, expected: float | None, spark: SparkSession) -> None:
    played = [play(f"{SATURDAY} 10:0{i}:00", valence=0.1) for i in range(count)]
    assert aggregated(spark, *played)["deviation"] == expected


def test_nothing_has_no_plays_and_no_mean(spark: SparkSession) -> None:
    row = aggregated(spark)
    assert (row["all_plays"], row["mean"], row["deviation"]) == (0, None, None)


def test_no_plays_make_no_rows(spark: SparkSession) -> None:
    assert sums(spark).count() == 0


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    long = real_silver.melt([*HOUR, "feature_source"], list(FEATURES), "feature_name", "value")
    long = long.assign(low=long["value"] < 0.4, high=long["value"] >= 0.6)
    grouped = long.groupby(["day_of_week", "hour_of_day", "feature_source", "feature_name"])
    expected = grouped.agg(
        play_count=("value", "size"), known_plays=("value", "count"), low_plays=("low", "sum"),
        high_plays=("high", "sum"), value_sum=("value", lambda values: values.sum(min_count=1)),
        square_sum=("value", lambda values: values.var(ddof=0) * values.count()), min=("value", "min"),
        max=("value", "max"),
    ).reset_index()  # fmt: skip
    expected.loc[expected["feature_name"] == "tempo", ["low_plays", "high_plays"]] = np.nan
    found = real_table("plays_by_hour").select(*expected.columns)
    assert_same_rows(found, expected, list(plays_by_hour.key))
