"""Tables of or about many plays take in new ones instead of being made anew, and hold the same rows then."""

import shutil
from collections.abc import Callable
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
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake, Written
from lakehouse.settings import Settings
from pipeline import incremental, runner
from pipeline.registry import pipeline_tables
from tests.bronze.records import extended, write_json

TRENDS = "temporal_trends"
SUMS = ("plays_by_hour", "sampled_plays", "feature_source_coverage", "mood_shift_patterns", "sequential_patterns")
SCORED = ("mood_predictions", "energy_forecasts", "mood_classifications")


@pytest.fixture
def large(demo_lake: Settings, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the demo lake, as if it were large."""
    monkeypatch.setattr(incremental, "LARGE_ROWS", 0)
    shutil.copytree(demo_lake.lake_path, tmp_path / "lake")
    (tmp_path / "import").mkdir()
    return demo_lake.model_copy(update={"lake_uri": f"file://{tmp_path}/lake", "import_dir": tmp_path / "import"})


def log_of(settings: Settings, name: str) -> DeltaTable:
    return DeltaTable(Lake(settings.lake_uri).location(pipeline_tables()[name]))


def rows_of(settings: Settings, name: str) -> pa.Table:
    key = [(column, "ascending") for column in pipeline_tables()[name].key]
    return log_of(settings, name).to_pyarrow_table().sort_by(key)


def run(settings: Settings, *names: str) -> None:
    assert not runner.run(settings, select=names).errors


def deliver(settings: Settings, track: dict[str, Any], at: datetime) -> None:
    played = extended(
        f"{at:%Y-%m-%dT%H:%M:%SZ}", spotify_track_uri=f"spotify:track:{track['track_id']}",
        master_metadata_track_name=track["track_name"], master_metadata_album_artist_name=track["artist_name"],
        master_metadata_album_album_name=track["album_name"],
    )  # fmt: skip
    runner.import_files(settings, [write_json(settings.import_dir / "demo_Streaming_History_Audio_9.json", [played])])


def last_played_at(settings: Settings) -> datetime:
    last: datetime = pc.max(log_of(settings, "listening_with_features").to_pyarrow_table()["played_at"]).as_py()
    return last


def heard_last(settings: Settings) -> dict[str, Any]:
    """The measured track that was played last."""
    plays = log_of(settings, "listening_with_features").to_pyarrow_table().sort_by("played_at").to_pylist()
    found: dict[str, Any] = next(play for play in reversed(plays) if play["feature_source"] == "kaggle")
    return found


def never_heard(settings: Settings) -> dict[str, Any]:
    """A track of the catalogue that was never played."""
    plays = log_of(settings, "listening_with_features").to_pyarrow_table()
    heard = set(plays["recording_key"].to_pylist())
    tracks = log_of(settings, "catalogue_tracks").to_pyarrow_table().sort_by("track_id").to_pylist()
    found: dict[str, Any] = next(track for track in tracks if track["name_key"] and track["name_key"] not in heard)
    return found | {"artist_name": found["first_artist"]}


@pytest.mark.parametrize(
    ("track_of", "most_few_rows", "mode"),
    [
        pytest.param(heard_last, 1, "Append", id="few plays of known tracks"),
        pytest.param(heard_last, 0, "Append", id="many plays of known tracks"),
        # The lines that all scores and estimates are fitted by are others then.
        pytest.param(never_heard, 1, "Overwrite", id="a track never heard before"),
    ],
)
def test_a_new_play_is_added_to_what_was_scored_or_all_is_scored_anew(
    track_of: Callable[[Settings], dict[str, Any]],
    most_few_rows: int,
    mode: str,
    large: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(incremental, "MOST_FEW_ROWS", most_few_rows)
    run(large, *SCORED)
    before = {name: log_of(large, name).version() for name in SCORED}
    deliver(large, track_of(large), last_played_at(large) + timedelta(days=1))
    run(large, *SCORED)
    taken_in = {name: rows_of(large, name) for name in SCORED}
    for name in SCORED:
        log = log_of(large, name)
        assert (log.version(), log.history(1)[0]["operationParameters"]["mode"]) == (before[name] + 1, mode)
        shutil.rmtree(Path(log.table_uri.removeprefix("file://")))
    run(large, *SCORED)
    assert {name: rows_of(large, name) for name in SCORED} == taken_in


@pytest.mark.parametrize("most_few_rows", [1, 0])
def test_a_new_play_changes_the_last_dates_of_the_trends(
    most_few_rows: int, large: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incremental, "MOST_FEW_ROWS", most_few_rows)
    looked_at: list[int] = []
    by_date = temporal_trends._by_date

    def noted(plays: DataFrame) -> DataFrame:
        looked_at.append(plays.count())
        return by_date(plays)

    monkeypatch.setattr(temporal_trends, "_by_date", noted)
    run(large, TRENDS)
    deliver(large, heard_last(large), last_played_at(large) + timedelta(days=3))
    run(large, TRENDS)
    taken_in = rows_of(large, TRENDS)
    shutil.rmtree(Path(log_of(large, TRENDS).table_uri.removeprefix("file://")))
    run(large, TRENDS)
    [after_new_play, in_all] = looked_at
    assert (after_new_play < in_all / 10) == bool(most_few_rows)
    assert rows_of(large, TRENDS).to_pandas().equals(taken_in.to_pandas())


def soon_after_all(settings: Settings) -> datetime:
    return last_played_at(settings) + timedelta(minutes=5)


def within_a_session(settings: Settings) -> datetime:
    """Between two measured plays that follow one another, months before the last."""
    plays = log_of(settings, "listening_with_features").to_pyarrow_table().sort_by("played_at").to_pylist()
    for one, other in pairwise(plays):
        between: datetime = one["played_at"] + (other["played_at"] - one["played_at"]) / 2
        sources = {one["feature_source"], other["feature_source"]}
        if one["session_id"] == other["session_id"] and sources == {"kaggle"}:
            return between.replace(microsecond=0)
    raise AssertionError("no session has two measured plays")


@pytest.mark.parametrize("instant", [soon_after_all, within_a_session])
def test_a_new_play_is_added_to_the_sums(
    instant: Callable[[Settings], datetime], large: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    updated: list[str] = []
    build = incremental.Incremental.build

    def noted(self: incremental.Incremental, table: Table, making: Provenance) -> Written | None:
        written = build(self, table, making)
        updated.extend([table.name] if written else [])
        return written

    monkeypatch.setattr(incremental.Incremental, "build", noted)
    run(large, *SUMS)
    shifts = pc.sum(rows_of(large, "mood_shift_patterns")["shift_count"]).as_py()
    deliver(large, heard_last(large), instant(large))
    updated.clear()
    run(large, *SUMS)
    assert set(SUMS) < set(updated)
    assert pc.sum(rows_of(large, "mood_shift_patterns")["shift_count"]).as_py() == shifts + 1
    taken_in = {name: rows_of(large, name) for name in SUMS}
    for name in SUMS:
        shutil.rmtree(Path(log_of(large, name).table_uri.removeprefix("file://")))
    run(large, *SUMS)
    for name in SUMS:
        pd.testing.assert_frame_equal(rows_of(large, name).to_pandas(), taken_in[name].to_pandas(), rtol=1e-9, atol=0)
