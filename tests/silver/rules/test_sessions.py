"""A gap of 30 minutes starts a new session."""

import random
from datetime import datetime, timedelta

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from silver.rules.sessions import with_session_id
from tests.support.frames import small_frame

EPOCH = datetime(1970, 1, 1)
SCHEMA = "listener string, play_id string, played_at timestamp"
# End times of plays, and for each of them which play of the list began its session.
CASES = {
    "one play": (["2026-01-05 12:00:00"], [0]),
    "29:59 goes on": (["2026-01-05 12:00:00", "2026-01-05 12:29:59"], [0, 0]),
    "29:59.9 goes on": (["2026-01-05 12:00:00.900", "2026-01-05 12:30:00.800"], [0, 0]),
    "30:00 starts anew": (["2026-01-05 12:00:00", "2026-01-05 12:30:00"], [0, 1]),
    "30:00 between fractions": (["2026-01-05 12:00:00.500", "2026-01-05 12:30:00.500"], [0, 1]),
    "gaps count from the play before": (["2026-01-05 12:00:00", "2026-01-05 12:20:00", "2026-01-05 12:40:00"], [0] * 3),
    "across midnight": (["2026-01-05 23:45:00", "2026-01-06 00:10:00", "2026-01-06 00:39:00"], [0, 0, 0]),
    "new one at midnight": (["2026-01-05 23:30:00", "2026-01-06 00:00:00"], [0, 1]),
    "across two midnights": (
        [f"{EPOCH + timedelta(days=20_000, minutes=29 * n)}" for n in range(120)],
        [0] * 120,
    ),
    "across empty days": (["2026-01-05 23:59:00", "2026-01-09 00:01:00", "2026-01-09 00:02:00"], [0, 1, 1]),
    "at one instant": (["2026-01-05 12:00:00", "2026-01-05 12:00:00", "2026-01-05 12:01:00"], [0, 0, 0]),
}


def plays_at(spark: SparkSession, times: list[datetime]) -> DataFrame:
    return small_frame(spark, [("me", f"{n:05}", at) for n, at in enumerate(times)], SCHEMA)


def sessions(plays: DataFrame) -> list[int]:
    return [row["session_id"] for row in with_session_id(plays).orderBy("play_id").collect()]


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> dict[str, list[int]]:
    """Sessions by case, of all cases at once: a year apart they do not touch each other."""
    times = {case: [at.replace(year=at.year + n) for at in moments(case)] for n, case in enumerate(CASES)}
    ids = iter(sessions(plays_at(spark, [at for case in CASES for at in times[case]])))
    offsets = {case: times[case][0] - moments(case)[0] for case in CASES}
    return {case: [next(ids) - offsets[case] // timedelta(seconds=1) for _ in times[case]] for case in CASES}


def moments(case: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in CASES[case][0]]


@pytest.mark.parametrize("case", CASES)
def test_session_begins(found: dict[str, list[int]], case: str) -> None:
    times = moments(case)
    assert found[case] == [(times[n] - EPOCH) // timedelta(seconds=1) for n in CASES[case][1]]


def test_session_ids_before_1970(spark: SparkSession) -> None:
    times = [datetime(1969, 12, 31, 23, 50), datetime(1970, 1, 1, 0, 10)]
    assert sessions(plays_at(spark, times)) == [-600, -600]


def test_no_plays_no_sessions(spark: SparkSession) -> None:
    frame = with_session_id(plays_at(spark, []))
    assert dict(frame.dtypes)["session_id"] == "bigint"
    assert frame.collect() == []


def test_other_columns_stay(spark: SparkSession) -> None:
    assert with_session_id(plays_at(spark, [])).columns == ["listener", "play_id", "played_at", "session_id"]


@pytest.mark.parametrize("seed", [1, 2])
def test_equals_pandas_whatever_the_order_and_partitions(spark: SparkSession, seed: int) -> None:
    chance = random.Random(seed)
    gaps = chance.choices(
        [0, 60, 200, 1799, 1800, 1801, 7200, 86_400, 5 * 86_400], [2, 20, 20, 3, 3, 3, 3, 1, 1], k=500
    )
    seconds = pd.Series(gaps).cumsum() + 1_700_000_000
    expected = seconds.where(seconds.diff().fillna(1800) >= 1800).ffill().astype(int)
    rows = [("me", f"{n:05}", EPOCH + timedelta(seconds=int(at))) for n, at in enumerate(seconds)]
    chance.shuffle(rows)
    frame = small_frame(spark, rows, SCHEMA)
    for partitions in (1, 7):
        assert sessions(frame.repartition(partitions)) == list(expected)


def test_listeners_have_sessions_of_their_own(spark: SparkSession) -> None:
    noon = datetime(2026, 1, 5, 12)
    rows = [("ann", "1", noon), ("ben", "2", noon + timedelta(minutes=20)), ("ann", "3", noon + timedelta(minutes=40))]
    first, second, third = sessions(small_frame(spark, rows, SCHEMA))
    assert len({first, second, third}) == 3
