"""What counts as a play, and which reports are of one play."""

import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from pyspark.sql import DataFrame, SparkSession

from silver.rules.counted_plays import counted_plays, distinct_plays
from tests.support.frames import small_frame

START = datetime(2026, 1, 5, 12)
EXPORT, API, ACCOUNT, DEMO = "extended_history", "spotify_api", "account_history", "demo"


class Report(NamedTuple):
    """A play as a source reports it, by minutes and seconds after noon."""

    play_id: str
    source: str | None
    time: str
    recording: str = "song"

    @property
    def played_at(self) -> datetime:
        minutes, seconds = self.time.split(":")
        return START + timedelta(minutes=int(minutes), seconds=float(seconds))


# Reports, and the ids of those that stay. Every case is about recordings of its own.
CASES: dict[str, tuple[list[Report], str]] = {
    "60 s apart is one play": ([Report("e", EXPORT, "0:00"), Report("a", API, "1:00")], "e"),
    "60 s apart the other way is one play": ([Report("e", EXPORT, "1:00"), Report("a", API, "0:00")], "e"),
    "61 s apart are two": ([Report("e", EXPORT, "0:00"), Report("a", API, "1:01")], "ea"),
    "60.001 s apart are two": ([Report("e", EXPORT, "0:00"), Report("a", API, "1:00.001")], "ea"),
    "another recording is another play": ([Report("e", EXPORT, "0:00"), Report("a", API, "0:00", "other")], "ea"),
    "the account form in the same minute": ([Report("e", EXPORT, "5:59"), Report("c", ACCOUNT, "5:00")], "e"),
    "the account form a second before its minute": ([Report("e", EXPORT, "4:59"), Report("c", ACCOUNT, "5:00")], "ec"),
    "the account form a second after its minute": ([Report("e", EXPORT, "6:00"), Report("c", ACCOUNT, "5:00")], "ec"),
    "the API beats the account form": ([Report("a", API, "5:30"), Report("c", ACCOUNT, "5:00")], "a"),
    "three reports of one play": (
        [Report("e", EXPORT, "5:10"), Report("a", API, "5:12"), Report("c", ACCOUNT, "5:00")], "e"),
    "three reports, the account form agrees with the API alone": (
        [Report("e", EXPORT, "4:55"), Report("a", API, "5:05"), Report("c", ACCOUNT, "5:00")], "e"),
    "three reports of two plays": (
        [Report("e", EXPORT, "5:05"), Report("a", API, "9:00"), Report("c", ACCOUNT, "9:00")], "ea"),
    "of two account rows for one play the nearer to any of its reports": (
        [Report("e", EXPORT, "4:55"), Report("a", API, "5:05"), Report("c", ACCOUNT, "4:00"),
         Report("d", ACCOUNT, "5:00")], "ec"),
    "two of the export never merge": ([Report("e", EXPORT, "0:00"), Report("f", EXPORT, "0:00")], "ef"),
    "two of the API never merge": ([Report("a", API, "0:00"), Report("b", API, "0:31")], "ab"),
    "two of the account form never merge": ([Report("c", ACCOUNT, "0:00"), Report("d", ACCOUNT, "0:00")], "cd"),
    "two of the API need two of the export": (
        [Report("e", EXPORT, "0:10"), Report("a", API, "0:00"), Report("b", API, "0:30")], "eb"),
    "two and two are two": (
        [Report("e", EXPORT, "0:00"), Report("f", EXPORT, "0:40"), Report("a", API, "0:05"), Report("b", API, "0:45")],
        "ef"),
    # a is 30 s from e and 20 s from f, b is 50 s from f and out of reach of e: a goes with f, b stays.
    "nearest first, though another pairing would merge more": (
        [Report("e", EXPORT, "0:00"), Report("f", EXPORT, "0:50"), Report("a", API, "0:30"), Report("b", API, "1:40")],
        "efb"),
    "of equally near ones the earlier pair": (
        [Report("z", EXPORT, "0:00"), Report("f", EXPORT, "1:00"), Report("a", API, "0:30"), Report("b", API, "1:30")],
        "zf"),
    "demo plays count as an export": ([Report("m", DEMO, "0:00"), Report("a", API, "0:10")], "m"),
    "a source nobody knows is kept": ([Report("x", "vinyl", "0:00"), Report("y", None, "0:00")], "xy"),
}  # fmt: skip


SCHEMA = "listener string, play_id string, recording_key string, played_at timestamp, source string"


def frame_of_reports(spark: SparkSession, reports: list[tuple[str, Report]]) -> DataFrame:
    rows = [("me", f"{case}/{r.play_id}", f"{case}/{r.recording}", r.played_at, r.source) for case, r in reports]
    return small_frame(spark, rows, SCHEMA)


@pytest.fixture(scope="module")
def kept(spark: SparkSession) -> dict[str, list[str]]:
    """Ids that stay by case, of all cases at once."""
    reports = [(case, report) for case, (reports, _) in CASES.items() for report in reports]
    found = defaultdict(list)
    for row in distinct_plays(frame_of_reports(spark, reports)).collect():
        case, play_id = row["play_id"].rsplit("/", 1)
        found[case].append(play_id)
    return found


@pytest.mark.parametrize("case", CASES)
def test_distinct_plays(kept: dict[str, list[str]], case: str) -> None:
    assert sorted(kept[case]) == sorted(CASES[case][1])


def test_listeners_hear_the_same_at_the_same_time(spark: SparkSession) -> None:
    """Two of them, by two sources: neither is a report of the other."""
    at = datetime(2026, 1, 5, 12)
    reports = [("ann", "1", "song", at, EXPORT), ("ben", "2", "song", at, API)]
    assert distinct_plays(small_frame(spark, reports, SCHEMA)).count() == 2


def test_columns_stay_as_they_are(spark: SparkSession) -> None:
    frame = frame_of_reports(spark, [])
    assert distinct_plays(frame).dtypes == frame.dtypes
    assert distinct_plays(frame).collect() == []


# ---- against a second implementation


def nearest_first(worse: list[Report], better: list[tuple[str, Report]], is_close: object) -> dict[str, str]:
    """Pair reports one to one, the nearest first, of equals the earliest."""
    pairs = sorted(
        (abs((w.played_at - b.played_at).total_seconds()), w.played_at, b.played_at, play, w.play_id)
        for w in worse
        for play, b in better
        if is_close(w.played_at, b.played_at)  # type: ignore[operator]
    )
    found: dict[str, str] = {}
    for *_, play, repeat in pairs:
        if repeat not in found and play not in found.values():
            found[repeat] = play
    return found


def expected_plays(reports: list[Report]) -> set[str]:
    by_source = {source: [r for r in reports if r.source == source] for source in (EXPORT, API, ACCOUNT)}
    plays = [(r.play_id, r) for r in by_source[EXPORT]]
    of_api = nearest_first(by_source[API], plays, lambda one, other: abs((one - other).total_seconds()) <= 60)
    plays += [(of_api.get(r.play_id, r.play_id), r) for r in by_source[API]]
    of_account = nearest_first(
        by_source[ACCOUNT], plays, lambda one, other: one.replace(second=0) == other.replace(second=0)
    )
    return {r.play_id for r in reports} - set(of_api) - set(of_account)


def test_random_reports_equal_brute_force_whatever_their_order(spark: SparkSession) -> None:
    chance = random.Random(7)
    reports: list[tuple[str, Report]] = []
    expected: set[str] = set()
    for case in map(str, range(150)):
        own = []
        for number in range(chance.randint(1, 9)):
            source = chance.choice([EXPORT, API, ACCOUNT])
            seconds = 0 if source == ACCOUNT else chance.choice([0, 5, 10, 30, 55])
            own.append(Report(f"{source} {number}", source, f"{chance.randint(0, 3)}:{seconds}"))
        reports += [(case, report) for report in own]
        expected |= {f"{case}/{play_id}" for play_id in expected_plays(own)}
    chance.shuffle(reports)
    found = distinct_plays(frame_of_reports(spark, reports).repartition(3)).collect()
    assert sorted(row["play_id"] for row in found) == sorted(expected)


# ---- counted


def test_a_play_counts_from_30_seconds_or_when_its_length_is_unknown(spark: SparkSession) -> None:
    lengths = [None, 0, 29_999, 30_000, 30_001]
    frame = small_frame(spark, [(ms,) for ms in lengths], "ms_played bigint")
    assert [row["ms_played"] for row in counted_plays(frame).collect()] == [None, 30_000, 30_001]
