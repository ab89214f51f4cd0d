"""What sets the music of each part of the day apart from the rest of the day?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from statsmodels.stats.weightstats import CompareMeans

from gold.diagnostic.part_of_day_drivers import CANDIDATES, part_of_day_drivers
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.sandwich import interval
from tests.support.frames import Tables, frame_of, made_of_plays, only, play, rows

MORNING, NIGHT = "2026-01-31 08:0{}:00", "2026-01-31 23:0{}:00"


def drivers(spark: SparkSession, *plays: dict[str, Any]) -> DataFrame:
    return made_of_plays(part_of_day_drivers, frame_of(spark, listening_with_features, list(plays)))


def plays_at(at: str, feature: str, *values: float, **others: Any) -> list[dict[str, Any]]:
    return [
        play(at.format(i), track_id=f"{at} {i} {others}", **{feature: value}, **others)
        for i, value in enumerate(values)
    ]


def test_the_driver_is_the_largest_difference_in_pooled_deviations(spark: SparkSession) -> None:
    quiet_but_similar = [{"tempo": 90.0, "energy": 0.2}, {"tempo": 150.0, "energy": 0.3}]
    fast_and_similar = [{"tempo": 100.0, "energy": 0.7}, {"tempo": 160.0, "energy": 0.8}]
    plays = [play(NIGHT.format(i), track_id=f"n{i}", **p) for i, p in enumerate(quiet_but_similar)]
    plays += [play(MORNING.format(i), track_id=f"m{i}", **p) for i, p in enumerate(fast_and_similar)]
    deviation = np.sqrt(0.005)
    assert rows(drivers(spark, *plays), "part_of_day", "top_driver", "driver_effect_size") == [
        ("morning", "energy", pytest.approx(0.5 / deviation, rel=1e-8)),
        ("night", "energy", pytest.approx(-0.5 / deviation, rel=1e-8)),
    ]


def test_of_equal_effects_the_first_feature_drives(spark: SparkSession) -> None:
    equal = [{"valence": value, "energy": value} for value in (0.2, 0.3)]
    plays = [play(NIGHT.format(i), track_id=f"n{i}", **p) for i, p in enumerate(equal)]
    plays += plays_at(MORNING, "danceability", 0.5, 0.5)
    assert {name for (name,) in rows(drivers(spark, *plays), "top_driver")} == {"energy"}


def test_estimated_plays_count_for_averages_only(spark: SparkSession) -> None:
    measured = [*plays_at(NIGHT, "energy", 0.2, 0.3), *plays_at(MORNING, "energy", 0.7, 0.8)]
    estimated = plays_at(NIGHT, "valence", 1.0, 0.9, feature_source="imputed_artist")
    night = only(drivers(spark, *measured, *estimated).where("part_of_day = 'night'"))
    assert (night["top_driver"], night["total_plays"], night["featured_play_count"], night["sample_size"]) == (
        "energy",
        4,
        4,
        2,
    )
    assert night["avg_valence"] == pytest.approx((0.5 + 0.5 + 1.0 + 0.9) / 4)


@pytest.mark.parametrize(
    "plays",
    [
        pytest.param(plays_at(NIGHT, "energy", 0.2, 0.9), id="nothing to compare with"),
        pytest.param([*plays_at(NIGHT, "energy", 0.2), *plays_at(MORNING, "energy", 0.2, 0.3)], id="one play"),
        pytest.param([*plays_at(NIGHT, "energy", 0.5, 0.5), *plays_at(MORNING, "energy", 0.5, 0.5)], id="no spread"),
        pytest.param(plays_at(NIGHT, "energy", 0.5, feature_source="none"), id="no features"),
    ],
)
def test_without_a_comparison_there_is_no_driver(spark: SparkSession, plays: list[dict[str, Any]]) -> None:
    assert {(name, size) for name, size in rows(drivers(spark, *plays), "top_driver", "driver_effect_size")} == {
        (None, None)
    }


def test_midnight_belongs_to_the_night(spark: SparkSession) -> None:
    frame = drivers(spark, play("2026-01-31 22:59:59"), play("2026-01-31 23:00:00"), play("2026-02-01 00:00:00"))
    assert rows(frame, "part_of_day", "total_plays") == [("evening", 1), ("night", 2)]


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)]
    parts, measured_parts = real_silver.groupby("part_of_day"), measured.groupby("part_of_day")
    averaged = ["valence", "energy", "danceability", "acousticness", "instrumentalness", "tempo"]
    expected = parts[averaged].mean().add_prefix("avg_")
    expected["total_plays"] = parts.size()
    expected["featured_play_count"] = parts["feature_source"].agg(lambda source: (source != "none").sum())
    expected["sample_size"] = measured_parts.size()
    expected[["valence_stddev", "energy_stddev"]] = measured_parts[["valence", "energy"]].std()
    expected = expected.reset_index()
    driver = ["top_driver", "driver_effect_size", "driver_ci_low", "driver_ci_high"]
    expected[driver] = [top_driver(measured, measured["part_of_day"] == part) for part in expected["part_of_day"]]
    assert_same_rows(real_table("part_of_day_drivers"), expected, ["part_of_day"])


def top_driver(plays: pd.DataFrame, inside: pd.Series) -> tuple[str, float, float, float]:
    """The driver by statsmodels' pooled standard deviation."""
    effects, deviations = {}, {}
    for name in CANDIDATES:
        here, elsewhere = plays.loc[inside, name].dropna(), plays.loc[~inside, name].dropna()
        compared = CompareMeans.from_data(here, elsewhere)
        deviations[name] = compared.std_meandiff_pooledvar / np.sqrt(1 / len(here) + 1 / len(elsewhere))
        effects[name] = (here.mean() - elsewhere.mean()) / deviations[name]
    top = max(effects, key=lambda name: round(abs(effects[name]), 9))
    low, high = interval(plays, top, inside, 1 - 0.05 / len(CANDIDATES))
    return top, round(effects[top], 9), low / deviations[top], high / deviations[top]
