"""Large tables take in new plays incrementally, and hold the same rows as after a rebuild."""

import shutil
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive import temporal_trends
from lakehouse.contract import Table
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Written
from lakehouse.settings import Settings
from pipeline.registry import pipeline_tables
from pipeline.runs import incremental, upkeep
from pipeline.runs import run as runs
from tests.bronze.records import extended, write_json

TRENDS = "temporal_trends"
SUMS = ("plays_by_hour", "sampled_plays", "feature_source_coverage", "mood_shift_patterns", "sequential_patterns")
SCORED = ("mood_predictions", "energy_forecasts", "mood_classifications")
TABLES = (TRENDS, *SUMS, *SCORED)


class Large:
    """A copy of the demo lake, as if it were large, and what its last run did."""

    def __init__(self, demo_lake: Settings, folder: Path, patch: pytest.MonkeyPatch) -> None:
        shutil.copytree(demo_lake.lake_path, folder / "lake")
        lake = {"lake_uri": f"file://{folder}/lake", "import_dir": folder / "import"}
        self.settings = demo_lake.model_copy(update=lake)
        self.updated: list[str] = []
        self.trended_plays: list[int] = []
        patch.setattr(incremental, "LARGE_ROWS", 0)
        build, by_date = incremental.Incremental.build, temporal_trends._by_date

        def noting_build(self_: incremental.Incremental, table: Table, making: Provenance) -> Written | None:
            written = build(self_, table, making)
            self.updated += [table.name] if written else []
            return written

        def noting_plays(plays: DataFrame) -> DataFrame:
            self.trended_plays.append(plays.count())
            return by_date(plays)

        patch.setattr(incremental.Incremental, "build", noting_build)
        patch.setattr(temporal_trends, "_by_date", noting_plays)

    def run(self, tables: Iterable[str] = TABLES) -> None:
        self.updated.clear()
        self.trended_plays.clear()
        assert not runs.run(self.settings, select=tables).errors

    def take(self, track: dict[str, Any], at: datetime, tables: Iterable[str] = TABLES) -> None:
        """A new play comes, and the tables take it in."""
        played = extended(
            f"{at:%Y-%m-%dT%H:%M:%SZ}", spotify_track_uri=f"spotify:track:{track['track_id']}",
            master_metadata_track_name=track["track_name"], master_metadata_album_artist_name=track["artist_name"],
            master_metadata_album_album_name=track["album_name"],
        )  # fmt: skip
        file = self.settings.import_dir / f"demo_Streaming_History_Audio_{at:%Y%m%d%H%M%S}.json"
        upkeep.import_files(self.settings, [write_json(file, [played])])
        self.run(tables)

    def log(self, name: str) -> DeltaTable:
        return DeltaTable(DeltaLogs(self.settings.lake_uri).location(pipeline_tables()[name]))

    def modes(self) -> dict[str, str]:
        """How the last commit of each scored table wrote."""
        return {name: self.log(name).history(1)[0]["operationParameters"]["mode"] for name in SCORED}

    def rows(self, name: str) -> pa.Table:
        key = [(column, "ascending") for column in pipeline_tables()[name].key]
        return self.log(name).to_pyarrow_table().sort_by(key)

    def plays(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.rows("listening_with_features").sort_by("played_at").to_pylist()
        return rows

    def shifts(self) -> int:
        count: int = pc.sum(self.rows("mood_shift_patterns")["shift_count"]).as_py()
        return count

    def drop(self) -> None:
        """Remove the tables, so that the next run makes them of all rows."""
        for name in TABLES:
            shutil.rmtree(Path(self.log(name).table_uri.removeprefix("file://")))


def within_a_session(plays: list[dict[str, Any]]) -> datetime:
    """Between two measured plays that follow one another, months before the last."""
    for one, other in pairwise(plays):
        between: datetime = one["played_at"] + (other["played_at"] - one["played_at"]) / 2
        sources = {one["feature_source"], other["feature_source"]}
        if one["session_id"] == other["session_id"] and sources == {"kaggle"}:
            return between.replace(microsecond=0)
    raise AssertionError("no session has two measured plays")


def never_heard(large: Large, plays: list[dict[str, Any]]) -> dict[str, Any]:
    """A track of the catalogue that was never played."""
    heard = {play["recording_key"] for play in plays}
    tracks = large.rows("catalogue_tracks").to_pylist()
    found: dict[str, Any] = next(track for track in tracks if track["name_key"] and track["name_key"] not in heard)
    return found | {"artist_name": found["first_artist"]}


def test_new_plays_are_taken_in_and_the_rows_are_those_of_a_rebuild(
    demo_lake: Settings, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three plays come one after the other; after the second all tables are rebuilt and compared."""
    large = Large(demo_lake, tmp_path, monkeypatch)
    plays, shifts = large.plays(), large.shifts()
    known = next(play for play in reversed(plays) if play["feature_source"] == "kaggle")
    last = plays[-1]["played_at"]

    # A play of a known track in the last session.
    large.take(known, last + timedelta(minutes=5))
    assert {*SUMS, *SCORED, TRENDS} <= set(large.updated)
    assert large.shifts() == shifts + 1
    assert set(large.modes().values()) == {"Append"}
    assert large.trended_plays[0] < len(plays) / 10

    # One that comes late, within a session of months ago, as if plays since then were too many to broadcast.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(incremental, "MOST_FEW_ROWS", 0)
        large.take(known, within_a_session(plays))
    assert {*SUMS, *SCORED} <= set(large.updated)
    assert large.shifts() == shifts + 2
    assert set(large.modes().values()) == {"Append"}
    assert large.trended_plays == [len(plays) + 2]

    taken_in = {name: large.rows(name) for name in TABLES}
    large.drop()
    large.run()
    for name in SCORED:
        assert large.rows(name).equals(taken_in[name])
    for name in (TRENDS, *SUMS):
        pd.testing.assert_frame_equal(large.rows(name).to_pandas(), taken_in[name].to_pandas(), rtol=1e-9, atol=0)

    # A track never heard before changes the lines that all scores and estimates are fitted by.
    large.take(never_heard(large, plays), last + timedelta(days=1), SCORED)
    assert set(large.modes().values()) == {"Overwrite"}
