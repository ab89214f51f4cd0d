"""A large table of plays takes in new ones incrementally wherever a rebuild would give the same rows."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.registry import pipeline_tables
from pipeline.runs import incremental, upkeep
from pipeline.runs import run as runs
from silver.listening_with_features import listening_with_features
from tests.bronze.lakes import small_settings
from tests.bronze.records import extended, write_json

OLD, NEW = "0" * 22, "1" * 22


def play(track: str, at: str) -> dict[str, Any]:
    return extended(at, spotify_track_uri=f"spotify:track:{track}", master_metadata_track_name=f"Song {track}")


def run(settings: Settings, *, full: bool = False) -> None:
    upkeep.import_files(settings, sorted(settings.import_dir.glob("*.json")))
    assert not runs.run(settings, select=[listening_with_features.name], full=full).errors


def deliver(settings: Settings, name: str, content: object) -> str:
    """A file comes and is taken in.

    Returns:
        How the table's last commit wrote.
    """
    write_json(settings.import_dir / f"{name}.json", content)
    run(settings)
    [commit] = log_of(settings).history(1)
    mode: str = commit["operationParameters"]["mode"]
    assert json.loads(commit["userMetadata"])["rows"] == rows_of(settings).num_rows
    return mode


def log_of(settings: Settings) -> DeltaTable:
    return DeltaTable(DeltaLogs(settings.lake_uri).location(pipeline_tables()[listening_with_features.name]))


def rows_of(settings: Settings) -> pa.Table:
    return log_of(settings).to_pyarrow_table().sort_by("play_id")


def test_new_plays_are_added_where_they_change_no_other(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One lake takes one file after the other; after those that were added a full run gives the same rows."""
    monkeypatch.setattr(incremental, "LARGE_ROWS", 0)
    settings = small_settings(tmp_path)
    sessions = [play(OLD, f"2025-05-0{day}T10:00:00Z") for day in (1, 2)]
    assert deliver(settings, "Streaming_History_Audio_0", sessions) == "Overwrite"

    with monkeypatch.context() as patch:
        # A known track's match stays as it is.
        patch.setattr("silver.feature_matches._with_recording_key", refuse_to_match)
        assert deliver(settings, "Streaming_History_Audio_1", [play(OLD, "2025-05-03T10:00:00Z")]) == "Append"
    assert deliver(settings, "Streaming_History_Audio_2", [play(NEW, "2025-05-04T10:00:00Z")]) == "Append"
    appended = rows_of(settings)
    run(settings, full=True)
    assert rows_of(settings).equals(appended)

    begins_a_session_earlier = play(OLD, "2025-05-02T09:45:00Z")
    assert deliver(settings, "Streaming_History_Audio_3", [begins_a_session_earlier]) == "Overwrite"
    known = {"href": f"https://open.spotify.com/track/{OLD}", "energy": 0.5, "valence": 0.25, "danceability": 0.75}
    answer = {"provider": "reccobeats", "fetched_at": "2025-05-05T00:00:00+00:00", "answer": {"content": [known]}}
    assert deliver(settings, "audio_features_reccobeats_1", answer) == "Overwrite"


def refuse_to_match(tracks: DataFrame) -> DataFrame:
    raise AssertionError("all tracks are matched")
