"""Builds frames for tests from the few values that matter to a case."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from lakehouse.contract import Table
from lakehouse.lake.schema import schema_of
from silver.plays_by_hour import plays_by_hour
from silver.sampled_plays import sampled_plays

# Reads a table of a lake, by its name: the fixtures real_table and demo_table.
Tables = Callable[[str], DataFrame]

LISTENER = "me"
WEEKDAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def frame_of(spark: SparkSession, table: Table, rows: list[dict[str, Any]]) -> DataFrame:
    """A frame with the table's schema; columns that a row does not name are null, its listener is `LISTENER`."""
    names = [column.name for column in table.columns]
    unknown = {name for row in rows for name in row} - set(names)
    assert not unknown, f"{table.name} has no column {unknown}"
    if "listener" in names:
        rows = [{"listener": LISTENER, **row} for row in rows]
    return _frame(spark, rows, schema_of(table))


def small_frame(spark: SparkSession, rows: list[tuple[Any, ...]], schema: str) -> DataFrame:
    """A frame of a few rows with a schema of its own: "name string, number bigint"."""
    parsed = StructType.fromDDL(schema)
    assert isinstance(parsed, StructType)
    return _frame(spark, [dict(zip(parsed.names, row, strict=True)) for row in rows], parsed)


def _frame(spark: SparkSession, rows: list[dict[str, Any]], schema: StructType) -> DataFrame:
    """By way of Arrow: Spark has to start a Python worker to read a list of rows."""
    return spark.createDataFrame(pa.Table.from_pylist(rows, to_arrow_schema(schema, timezone="UTC")), schema)


def made_of_plays(table: Table, plays: DataFrame, **others: DataFrame) -> DataFrame:
    """What a table is made of these plays, by way of the tables of silver that are made of them.

    Args:
        table: its inputs are looked for by name.
        plays: rows of `listening_with_features`.
        others: further inputs.
    """
    by_name = {
        "listening_with_features": plays, "plays_by_hour": plays_by_hour(plays), "sampled_plays": sampled_plays(plays),
    }  # fmt: skip
    frame: DataFrame = table(*((by_name | others)[name] for name in table.inputs))
    return frame


def play(at: str, **values: Any) -> dict[str, Any]:
    """One row of `listening_with_features`, measured by default.

    Args:
        at: local time, which is also UTC here: "2026-01-31 23:59:00".
        values: columns to set; the rest is derived from them or has a plain default.
    """
    moment = datetime.fromisoformat(at)
    hour = moment.hour
    track_id = values.get("track_id", "track")
    row: dict[str, Any] = {
        "play_id": f"{at} {track_id}",
        "played_at": moment,
        "played_at_local": moment,
        "date": moment.date(),
        "hour_of_day": hour,
        "day_of_week": moment.isoweekday() % 7,
        "day_name": WEEKDAYS[moment.isoweekday() % 7],
        "is_weekend": moment.isoweekday() > 5,
        "part_of_day": part_of_day(hour),
        "session_id": int((moment - datetime(1970, 1, 1)).total_seconds()),
        "track_id": track_id,
        "recording_key": f"artist {track_id}",
        "track_name": f"Title {track_id}",
        "artist_name": "Artist",
        "album_name": "Album",
        "track_genre": "pop",
        "ms_played": 180_000,
        "source": "extended_history",
        "feature_source": "kaggle",
        "danceability": 0.5, "energy": 0.5, "key": 0, "loudness": -8.0, "mode": 1, "speechiness": 0.05,
        "acousticness": 0.2, "instrumentalness": 0.0, "liveness": 0.1, "valence": 0.5, "tempo": 120.0,
        "time_signature": 4,
    }  # fmt: skip
    if values.get("feature_source") == "none":
        row |= dict.fromkeys(FEATURES)
    row |= values
    if "mood_category" not in values:
        measured = row["feature_source"] in ("spotify", "reccobeats", "kaggle", "kaggle_recording")
        row["mood_category"] = mood(row["valence"], row["energy"]) if measured else None
    return row


FEATURES = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness",
    "valence", "tempo", "time_signature",
)  # fmt: skip


def part_of_day(hour: int) -> str:
    """The contract's part of day, written a second time so that tests do not check the code with itself."""
    if 6 <= hour <= 11:
        return "morning"
    if 12 <= hour <= 17:
        return "afternoon"
    return "evening" if 18 <= hour <= 22 else "night"


def mood(valence: float | None, energy: float | None) -> str | None:
    """The contract's mood, written a second time."""
    if valence is None or energy is None:
        return None
    levels = ["low" if value < 0.4 else "high" if value >= 0.6 else "middle" for value in (valence, energy)]
    return {
        ("high", "high"): "Happy & Energetic",
        ("high", "low"): "Happy & Calm",
        ("low", "high"): "Sad & Energetic",
        ("low", "low"): "Sad & Calm",
    }.get((levels[0], levels[1]), "Neutral")


def dates(first: str, count: int) -> list[date]:
    """Consecutive dates."""
    return [date.fromisoformat(first) + timedelta(days=i) for i in range(count)]


def rows(frame: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The frame's rows as sorted tuples, of the named columns or all."""
    chosen = frame.select(*columns) if columns else frame
    return sorted((tuple(row) for row in chosen.collect()), key=repr)


def only(frame: DataFrame) -> Row:
    """The frame's one row."""
    found = frame.collect()
    assert len(found) == 1, f"expected one row, got {len(found)}"
    return found[0]
