"""Which measured play follows which within a session?"""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from gold.shared.consecutive_plays import consecutive_measured_plays
from silver.listening_with_features import listening_with_features
from tests.support.frames import frame_of, play, rows


def pairs(spark: SparkSession, *plays: dict[str, Any]) -> list[tuple[Any, ...]]:
    return rows(
        consecutive_measured_plays(frame_of(spark, listening_with_features, list(plays))),
        "hour_of_day",
        "valence_change",
        "energy_change",
    )


def in_session(at: str, valence: float | None, **values: Any) -> dict[str, Any]:
    return play(at, **{"session_id": 1, "valence": valence} | values)


def test_a_pair_belongs_to_the_hour_of_its_later_play_also_over_midnight(spark: SparkSession) -> None:
    found = pairs(spark, in_session("2026-01-31 23:58:00", 0.4), in_session("2026-02-01 00:02:00", 0.7, energy=0.6))
    assert found == [(0, 0.3, 0.1)]


def test_the_last_play_of_a_session_has_no_successor(spark: SparkSession) -> None:
    first = in_session("2026-01-31 10:00:00", 0.4)
    assert pairs(spark, first, in_session("2026-01-31 10:29:00", 0.7, session_id=2)) == []


@pytest.mark.parametrize(
    "unknown",
    [
        {"valence": 0.9, "feature_source": "imputed_artist"},
        {"valence": 0.9, "feature_source": "synthetic"},
        {"valence": None, "feature_source": "none"},
        {"valence": None, "feature_source": "kaggle"},
        {"valence": 0.9, "energy": None},
    ],
)
def test_unmeasured_plays_are_passed_over(spark: SparkSession, unknown: dict[str, Any]) -> None:
    found = pairs(
        spark,
        in_session("2026-01-31 10:00:00", 0.4),
        play("2026-01-31 10:04:00", **{"session_id": 1} | unknown),
        in_session("2026-01-31 10:08:00", 0.6),
    )
    assert found == [(10, 0.2, 0.0)]


def test_plays_that_end_in_the_same_second_follow_one_another_by_id(spark: SparkSession) -> None:
    found = pairs(
        spark,
        in_session("2026-01-31 10:00:00", 0.9, track_id="b"),
        in_session("2026-01-31 10:00:00", 0.4, track_id="a"),
    )
    assert found == [(10, 0.5, 0.0)]
