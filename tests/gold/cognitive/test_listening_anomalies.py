"""At which hours did the listener play music that is unusual for that hour?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from scipy import stats

from gold.cognitive.listening_anomalies import listening_anomalies
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.wording import compared, number
from tests.support.frames import Tables, frame_of, only, play, rows

# Around 0.5, with a MAD of 0.05: 3.5 robust deviations are 0.2595 away.
USUAL = [0.45, 0.5, 0.55] * 7
BEYOND, WITHIN = 0.5 + 0.26, 0.5 + 0.259


def at_hour(hour: int, *valences: float, **others: Any) -> list[dict[str, Any]]:
    return [
        play(f"2026-01-{1 + i:02d} {hour:02d}:00:00", track_id=f"t{i:02d}", valence=valence, **others)
        for i, valence in enumerate(valences)
    ]


def anomalies(spark: SparkSession, plays: list[dict[str, Any]]) -> DataFrame:
    frame: DataFrame = listening_anomalies(frame_of(spark, listening_with_features, plays))
    return frame


def test_a_play_far_from_the_hours_median_is_unusual(spark: SparkSession) -> None:
    row = only(anomalies(spark, at_hour(10, *USUAL, BEYOND)))
    assert (row["hour_of_day"], row["anomaly_count"], row["sample_size"]) == (10, 1, 22)
    assert (row["avg_valence_deviation"], row["avg_energy_deviation"]) == (pytest.approx(0.26), 0.0)
    assert (row["anomaly_severity"], row["example_track"]) == ("Low", "Artist – Title t21")
    assert row["interpretation"] == (
        "Unusual at 10:00: 1 of 22 measured plays, on average with a valence 0.26 above the usual 0.50 and an energy "
        "level with the usual 0.50. Furthest off: Artist – Title t21, at 3.51 robust deviations (unusual is above 3.5)."
    )


def test_a_play_up_to_the_threshold_is_usual(spark: SparkSession) -> None:
    assert anomalies(spark, at_hour(10, *USUAL, WITHIN)).count() == 0


def test_what_is_usual_at_one_hour_may_be_unusual_at_another(spark: SparkSession) -> None:
    early, late = at_hour(0, *(value - 0.4 for value in USUAL)), at_hour(23, *USUAL, 0.1)
    assert rows(anomalies(spark, early + late), "hour_of_day", "anomaly_count") == [(23, 1)]


def test_few_plays_give_no_anomaly(spark: SparkSession) -> None:
    assert anomalies(spark, at_hour(10, *USUAL[:18], BEYOND)).count() == 0
    assert anomalies(spark, at_hour(10, *USUAL[:19], BEYOND)).count() == 1


@pytest.mark.parametrize("source", ["imputed_artist", "synthetic"])
def test_plays_that_were_not_measured_are_neither_usual_nor_unusual(spark: SparkSession, source: str) -> None:
    made_up = at_hour(10, 0.99, 0.99, feature_source=source)
    assert anomalies(spark, at_hour(10, *USUAL) + made_up).count() == 0


def test_without_any_spread_nothing_is_unusual(spark: SparkSession) -> None:
    assert anomalies(spark, at_hour(10, *[0.5] * 21, 0.9)).count() == 0


def test_energy_alone_can_be_unusual(spark: SparkSession) -> None:
    plays = at_hour(10, *USUAL, 0.5)
    for row_number, energy in enumerate([*USUAL, 0.01]):
        plays[row_number]["energy"] = energy
    row = only(anomalies(spark, plays))
    assert (row["avg_valence_deviation"], row["avg_energy_deviation"]) == (0.0, pytest.approx(-0.49))


@pytest.mark.parametrize(("valence", "severity"), [(0.885, "Low"), (0.895, "Medium"), (1.0, "Medium"), (0.0, "High")])
def test_severity_grows_with_the_distance(spark: SparkSession, valence: float, severity: str) -> None:
    shift = 0.05 if severity == "High" else 0.0
    row = only(anomalies(spark, at_hour(10, *(value + shift for value in USUAL), valence)))
    assert row["anomaly_severity"] == severity


def test_of_two_equally_unusual_plays_the_later_is_the_example(spark: SparkSession) -> None:
    assert only(anomalies(spark, at_hour(10, *USUAL, 0.1, 0.9)))["example_track"] == "Artist – Title t22"


@pytest.mark.real_data
def test_real_plays_give_what_scipy_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)].dropna(subset=["valence", "energy"])
    expected = []
    for hour, plays in measured.groupby("hour_of_day"):
        deviations = plays[["valence", "energy"]] - plays[["valence", "energy"]].median()
        scores = 0.6745 * deviations.abs() / stats.median_abs_deviation(plays[["valence", "energy"]])
        unusual = scores.max(axis=1) > 3.5
        if len(plays) < 20 or not unusual.any():
            continue
        worst = plays.loc[scores.max(axis=1).idxmax()]
        means = deviations[unusual].mean()
        severity = np.select([scores.max().max() >= 7, scores.max().max() >= 5.25], ["High", "Medium"], "Low").item()
        example = f"{worst['artist_name']} – {worst['track_name']}"
        usual = plays[["valence", "energy"]].median()
        text = (
            f"Unusual at {hour:02d}:00: {unusual.sum()} of {len(plays)} measured plays, on average with a valence "
            f"{compared(means['valence'])} the usual {number(usual['valence'])} and an energy "
            f"{compared(means['energy'])} the usual {number(usual['energy'])}. Furthest off: {example}, at "
            f"{number(scores.max().max())} robust deviations (unusual is above 3.5)."
        )
        figures = (hour, unusual.sum(), len(plays), means["valence"], means["energy"], severity, text, example)
        expected.append(figures)
    names = ["hour_of_day", "anomaly_count", "sample_size", "avg_valence_deviation", "avg_energy_deviation"]
    names += ["anomaly_severity", "interpretation", "example_track"]
    assert_same_rows(real_table("listening_anomalies"), pd.DataFrame(expected, columns=names), ["hour_of_day"])
