"""Every counted play once, in local time, with session, features and mood."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import DataFrame, Row, SparkSession

from bronze.listening_history import listening_history_bronze
from lakehouse.lake.checks import enforce
from lakehouse.lake.schema import conform
from lakehouse.listeners import ByListener
from silver.artist_estimates import artist_estimates
from silver.feature_matches import feature_matches
from silver.listening_with_features import listening_with_features
from tests.support.frames import WEEKDAYS, Tables, frame_of, mood, part_of_day, rows

TRACK = {"track_id": "track", "track_name": "Old Title", "artist_name": "Artist"}
MATCH = {
    "track_key": "track", "track_id": "track", "recording_key": "artist | title", "track_name": "Title",
    "artist_name": "Artist", "feature_source": "kaggle", "valence": 0.5, "energy": 0.5, "track_genre": "pop",
    "duration_ms": 200_000,
}  # fmt: skip


def listened(at: str, **values: Any) -> dict[str, Any]:
    """A row of bronze, by its UTC time."""
    played_at = datetime.fromisoformat(at)
    source = values.get("source", "extended_history")
    plain = {**TRACK, "play_id": f"{source} {at}", "ms_played": 180_000, "source": source}
    return {**plain, "played_at": played_at, **values}


def silver(
    spark: SparkSession,
    plays: Sequence[dict[str, Any]],
    matches: Sequence[dict[str, Any]] = (MATCH,),
    estimates: Sequence[dict[str, Any]] = (),
    *,
    zone: str = "UTC",
    own_zones: dict[str, str] | None = None,
    partitions: int = 1,
) -> DataFrame:
    found: DataFrame = listening_with_features(
        frame_of(spark, listening_history_bronze, list(plays)).repartition(partitions),
        frame_of(spark, feature_matches, list(matches)).repartition(partitions),
        frame_of(spark, artist_estimates, list(estimates)).repartition(partitions),
        listener_time_zone=ByListener(zone, own_zones or {}),
    )
    return found


# ---- local time

# UTC instants, and the local time that a wall clock there showed.
ZONES = {
    "America/New_York": {
        "2021-03-14 06:59:59": "2021-03-14 01:59:59",  # the last second before the spring gap
        "2021-03-14 07:00:00": "2021-03-14 03:00:00",  # 2:00 to 3:00 does not exist
        "2021-11-07 05:30:00": "2021-11-07 01:30:00",  # daylight saving time
        "2021-11-07 06:30:00": "2021-11-07 01:30:00",  # the same wall clock an hour later
        "2021-11-07 07:00:00": "2021-11-07 02:00:00",
        "2022-01-01 04:59:59": "2021-12-31 23:59:59",
        "2022-01-01 05:00:00": "2022-01-01 00:00:00",
    },
    "Europe/Berlin": {
        "2022-03-27 00:59:59": "2022-03-27 01:59:59",
        "2022-03-27 01:00:00": "2022-03-27 03:00:00",
        "2022-10-30 00:30:00": "2022-10-30 02:30:00",
        "2022-10-30 01:30:00": "2022-10-30 02:30:00",
        "2022-07-31 22:00:00": "2022-08-01 00:00:00",
        "2020-02-28 23:00:00": "2020-02-29 00:00:00",
    },
    "Asia/Kolkata": {"2022-01-01 18:29:59": "2022-01-01 23:59:59", "2022-01-01 18:30:00": "2022-01-02 00:00:00"},
}


@pytest.mark.parametrize("zone", ZONES)
def test_local_time(spark: SparkSession, zone: str) -> None:
    found = silver(spark, [listened(at) for at in ZONES[zone]], zone=zone).collect()
    local = {str(row["played_at"]): row["played_at_local"] for row in found}
    assert local == {at: datetime.fromisoformat(wall) for at, wall in ZONES[zone].items()}


def test_each_listener_has_their_own_time_zone(spark: SparkSession) -> None:
    names = ("ann", "ben", "me")
    plays = [listened("2022-01-01 12:00:00", listener=name) for name in names]
    matches = [{**MATCH, "listener": name} for name in names]
    found = silver(spark, plays, matches, zone="UTC", own_zones={"ann": "Asia/Kolkata", "ben": "America/New_York"})
    assert rows(found, "listener", "hour_of_day") == [("ann", 17), ("ben", 7), ("me", 12)]


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
def test_every_hour_of_a_year_agrees_with_zoneinfo(spark: SparkSession, zone: str) -> None:
    instants = [datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * n) for n in range(0, 365 * 48, 7)]
    plays = [listened(f"{at:%Y-%m-%d %H:%M:%S}") for at in instants]
    columns = ("played_at_local", "date", "hour_of_day", "day_of_week", "day_name", "is_weekend", "part_of_day")
    found = silver(spark, plays, zone=zone).orderBy("played_at").select(*columns).collect()
    for at, row in zip(instants, found, strict=True):
        wall = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        weekday = wall.isoweekday() % 7
        expected = (wall, wall.date(), wall.hour, weekday, WEEKDAYS[weekday], weekday in (0, 6), part_of_day(wall.hour))
        assert tuple(row) == expected


@pytest.fixture(scope="module")
def by_hour(spark: SparkSession) -> dict[int, str]:
    """The part of day of every hour."""
    found = silver(spark, [listened(f"2022-01-03 {hour:02}:00:00") for hour in range(24)]).collect()
    return {row["hour_of_day"]: row["part_of_day"] for row in found}


@pytest.mark.parametrize(
    ("hour", "part"),
    [(0, "night"), (5, "night"), (6, "morning"), (11, "morning"), (12, "afternoon"), (17, "afternoon"),
     (18, "evening"), (22, "evening"), (23, "night")],
)  # fmt: skip
def test_part_of_day(by_hour: dict[int, str], hour: int, part: str) -> None:
    assert by_hour[hour] == part


def test_weekdays_start_with_sunday_as_0(spark: SparkSession) -> None:
    found = silver(spark, [listened(f"2022-01-0{day} 12:00:00") for day in range(2, 9)]).orderBy("played_at").collect()
    assert [(row["day_of_week"], row["day_name"], row["is_weekend"]) for row in found] == [
        (number, name, name in ("Saturday", "Sunday")) for number, name in enumerate(WEEKDAYS)
    ]
    assert found[0]["date"] == date(2022, 1, 2)


def test_sessions_are_of_time_not_of_wall_clock(spark: SparkSession) -> None:
    # The clock goes back between these two: 01:45 then 01:05, twenty minutes later.
    plays = [listened("2021-11-07 05:45:00"), listened("2021-11-07 06:05:00")]
    found = silver(spark, plays, zone="America/New_York").collect()
    assert len({row["session_id"] for row in found}) == 1


# ---- plays

# Cases by day; tracks that share the prefix of `recording_key` are one recording.
PLAYS = [
    listened("2022-01-01 10:00:00", ms_played=29_999),
    listened("2022-01-01 11:00:00", ms_played=30_000),
    listened("2022-01-01 12:00:00", ms_played=None, source="spotify_api"),
    # The one in the middle is too short, so half an hour is without counted plays.
    listened("2022-01-02 10:00:00"),
    listened("2022-01-02 10:20:00", ms_played=1_000),
    listened("2022-01-02 10:40:00"),
    listened("2022-01-03 10:00:00"),
    listened("2022-01-03 10:00:30", source="spotify_api", track_id="relinked", ms_played=None),
    listened("2022-01-03 10:00:00", source="account_history", track_id=None),
    listened("2022-01-04 10:00:00"),
    listened("2022-01-04 10:00:30", source="spotify_api", track_id="other"),
    listened("2022-01-05 10:00:00"),
    listened("2022-01-06 10:00:00", track_id=None),
    listened("2022-01-07 10:00:00", track_id=None, track_name="\u200b", artist_name="\u200b"),
]
MATCHES = [
    MATCH,
    {**MATCH, "track_key": "relinked", "track_id": "relinked"},
    {**MATCH, "track_key": "other", "track_id": "other", "recording_key": "artist | other"},
    {**MATCH, "track_key": "artist | old title", "track_id": None},
    {**MATCH, "track_key": "\u200b | \u200b", "track_id": None, "recording_key": "\u200b | \u200b"},
]


@pytest.fixture(scope="module")
def on_day(spark: SparkSession) -> dict[int, list[Row]]:
    """Silver of `PLAYS`, by day of the month and time."""
    found = silver(spark, PLAYS, MATCHES).orderBy("played_at").collect()
    return {day: [row for row in found if row["date"].day == day] for day in range(1, 8)}


def test_only_counted_plays(on_day: dict[int, list[Row]]) -> None:
    assert [row["hour_of_day"] for row in on_day[1]] == [11, 12]


def test_sessions_are_of_counted_plays(on_day: dict[int, list[Row]]) -> None:
    assert len({row["session_id"] for row in on_day[2]}) == len(on_day[2]) == 2


def test_reports_of_one_play_appear_once_though_their_track_ids_differ(on_day: dict[int, list[Row]]) -> None:
    assert [row["source"] for row in on_day[3]] == ["extended_history"]


def test_reports_of_different_recordings_both_count(on_day: dict[int, list[Row]]) -> None:
    assert [row["track_id"] for row in on_day[4]] == ["track", "other"]


def test_names_genre_and_length_are_the_tracks(on_day: dict[int, list[Row]]) -> None:
    (row,) = on_day[5]
    assert (row["track_name"], row["track_genre"], row["duration_ms"]) == ("Title", "pop", 200_000)
    assert (row["recording_key"], row["ms_played"]) == ("artist | title", 180_000)


def test_play_without_track_id(on_day: dict[int, list[Row]]) -> None:
    (row,) = on_day[6]
    assert (row["track_id"], row["track_name"], row["feature_source"]) == (None, "Title", "kaggle")


def test_play_without_any_letter_in_its_names_is_not_lost(on_day: dict[int, list[Row]]) -> None:
    assert len(on_day[7]) == 1


# ---- mood


LEVELS = (0.0, 0.3999, 0.4, 0.5, 0.5999, 0.6, 1.0)


@pytest.fixture(scope="module")
def moods(spark: SparkSession) -> dict[tuple[float, float, str], Row]:
    """Plays by valence, energy and source, an hour apart."""
    cases = list(product((*LEVELS, None), (*LEVELS, None), ("kaggle",)))
    cases += [
        (0.9, 0.9, source) for source in ("spotify", "reccobeats", "kaggle_recording", "imputed_artist", "synthetic")
    ]
    cases.append((None, None, "none"))
    plays, matches = [], []
    for number, (valence, energy, source) in enumerate(cases):
        at = datetime(2022, 1, 1) + timedelta(hours=number)
        key = {"track_key": f"{number}", "track_id": f"{number}", "recording_key": f"{number}"}
        plays.append(listened(f"{at}", track_id=f"{number}"))
        matches.append({**MATCH, **key, "valence": valence, "energy": energy, "feature_source": source})
    found = silver(spark, plays, matches).collect()
    return {(row["valence"], row["energy"], row["feature_source"]): row for row in found}


def test_mood_at_the_thresholds(moods: dict[tuple[float, float, str], Row]) -> None:
    measured = {key[:2]: row["mood_category"] for key, row in moods.items() if key[2] == "kaggle"}
    assert measured == {(valence, energy): mood(valence, energy) for valence, energy in measured}
    assert len(measured) == (len(LEVELS) + 1) ** 2


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("spotify", "Happy & Energetic"),
        ("reccobeats", "Happy & Energetic"),
        ("kaggle_recording", "Happy & Energetic"),
        ("imputed_artist", None),
        ("synthetic", None),
    ],
)
def test_mood_of_measured_plays_only(
    moods: dict[tuple[float, float, str], Row], source: str, expected: str | None
) -> None:
    assert moods[0.9, 0.9, source]["mood_category"] == expected


def test_play_without_features_has_no_mood(moods: dict[Any, Row]) -> None:
    assert moods[None, None, "none"]["mood_category"] is None


# ---- estimates

ESTIMATE = {
    "valence": 0.7, "energy": 0.6, "danceability": 0.5, "acousticness": 0.4, "instrumentalness": 0.3,
    "valence_lower_90": 0.4, "valence_upper_90": 1.0, "energy_lower_90": 0.3, "energy_upper_90": 0.9,
    "danceability_lower_90": 0.2, "danceability_upper_90": 0.8,
}  # fmt: skip
SOURCES = ("spotify", "reccobeats", "kaggle", "kaggle_recording", "synthetic", "none")


@pytest.fixture(scope="module")
def estimated(spark: SparkSession) -> dict[str, Row]:
    """One play per source of its track, all with an estimate; 'unknown' has neither source nor estimate."""
    plays, matches = [], []
    for hour, name in enumerate((*SOURCES, "unknown")):
        source = "none" if name == "unknown" else name
        features = {} if source == "none" else {"tempo": 99.0, "loudness": -9.0}
        plays.append(listened(f"2022-01-01 {hour:02}:00:00", track_id=name))
        key = {"track_key": name, "track_id": name, "recording_key": name, "feature_source": source}
        values = {"valence": 0.1, "energy": 0.1} if features else {"valence": None, "energy": None}
        matches.append({**MATCH, **values, **features, **key})
    estimates = [{"track_key": name, **ESTIMATE} for name in SOURCES]
    return {row["track_id"]: row for row in silver(spark, plays, matches, estimates).collect()}


@pytest.mark.parametrize("source", ["none", "synthetic"])
def test_estimates_take_the_place_of_unknown_and_synthetic_features(estimated: dict[str, Row], source: str) -> None:
    row = estimated[source].asDict()
    assert row["feature_source"] == "imputed_artist"
    assert {name: row[name] for name in ESTIMATE} == ESTIMATE
    assert (row["tempo"], row["loudness"], row["mood_category"]) == (None, None, None)


@pytest.mark.parametrize("source", SOURCES[:4])
def test_measured_features_stay_as_they_are(estimated: dict[str, Row], source: str) -> None:
    row = estimated[source]
    assert (row["feature_source"], row["valence"], row["tempo"]) == (source, 0.1, 99.0)
    assert (row["valence_lower_90"], row["danceability_upper_90"], row["danceability"]) == (None, None, None)


def test_without_an_estimate_features_stay_unknown(estimated: dict[str, Row]) -> None:
    assert (estimated["unknown"]["feature_source"], estimated["unknown"]["valence"]) == ("none", None)


# ---- the whole frame


def test_no_plays_give_no_rows_of_the_right_schema(spark: SparkSession) -> None:
    assert enforce(listening_with_features, conform(listening_with_features, silver(spark, [])))[0] == 0


def test_order_and_partitions_of_the_rows_do_not_matter(spark: SparkSession) -> None:
    chance = random.Random(5)
    plays = []
    for number in range(120):
        at = datetime(2022, 1, 1) + timedelta(minutes=chance.randint(0, 4_000))
        source = chance.choice(["extended_history", "spotify_api", "account_history"])
        plays.append(listened(f"{at}", play_id=f"{number:04}", source=source, track_id=f"{number % 3}"))
    keys = [{"track_key": f"{n}", "track_id": f"{n}", "recording_key": f"{n % 2}"} for n in range(3)]
    matches = [{**MATCH, **key} for key in keys]
    expected = rows(silver(spark, plays, matches, zone="Europe/Berlin"))
    chance.shuffle(plays)
    assert rows(silver(spark, plays, matches[::-1], zone="Europe/Berlin", partitions=5)) == expected


def test_silver_of_the_demo_data_has_each_counted_play(demo_table: Tables) -> None:
    silver = demo_table("listening_with_features")
    assert [silver.count(), silver.select("play_id").distinct().count()] == [1504, 1504]
