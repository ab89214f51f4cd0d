"""A small table of plays for tests of the lake, with frames of it."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakehouse.contract import Table, accepted_values, expression, in_range, not_null, source_table
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from tests.support.frames import frame_of, rows

PLAYS = source_table(
    "tiny_plays",
    "lakehouse.contract.ops",
    grain="One row per play.",
    key="play_id",
    columns="play_id valence mood_label played_at track_name",
    checks=[
        in_range("valence", 0, 1),
        accepted_values("track_name", "One", "Two"),
        expression("not too happy", "valence < 0.9", "warn"),
        not_null("mood_label", "warn"),
    ],
)
TWO_KEYS = replace(PLAYS, key=("play_id", "track_name"), checks=())
MADE = Provenance(run_id="run", code="code", parameters={"zone": "UTC"}, inputs={"other": 3})
# The second table of each test that needs one.
OTHER = replace(PLAYS, name="other_plays")


def a_play(play_id: str | None = "a", **values: Any) -> dict[str, Any]:
    plain = {"valence": 0.5, "mood_label": 1, "played_at": datetime(2026, 1, 5, 12), "track_name": "One"}
    return {"play_id": play_id, **plain, **values}


def plays(spark: SparkSession, *ids: str, **values: Any) -> DataFrame:
    return frame_of(spark, PLAYS, [a_play(play_id, **values) for play_id in ids])


def ids(lake: Lake, table: Table = PLAYS) -> list[str]:
    return [row[0] for row in rows(lake.read(table), "play_id")]
