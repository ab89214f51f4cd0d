"""A large table of plays takes in what is new instead of being made anew, wherever that gives the same rows."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from pipeline import incremental, runner
from pipeline.registry import pipeline_tables
from silver.listening_with_features import listening_with_features
from tests.bronze.lakes import small_settings
from tests.bronze.records import extended, write_json

OLD, NEW = "0" * 22, "1" * 22


def play(track: str, at: str) -> dict[str, Any]:
    return extended(at, spotify_track_uri=f"spotify:track:{track}", master_metadata_track_name=f"Song {track}")


def run(settings: Settings, *, full: bool = False) -> runner.RunSummary:
    runner.import_files(settings, sorted(settings.import_dir.glob("*.json")))
    summary = runner.run(settings, select=[listening_with_features.name], full=full)
    assert not summary.errors
    return summary


@pytest.fixture(scope="module")
def first_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with two sessions of one track."""
    folder = tmp_path_factory.mktemp("first")
    settings = small_settings(folder)
    plays = [play(OLD, f"2025-05-0{day}T10:00:00Z") for day in (1, 2)]
    write_json(settings.import_dir / "Streaming_History_Audio_0.json", plays)
    run(settings)
    return folder / "lake"


@pytest.fixture
def large(first_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The same for a test of its own, and large."""
    monkeypatch.setattr(incremental, "LARGE_ROWS", 0)
    shutil.copytree(first_run, tmp_path / "lake")
    return small_settings(tmp_path)


def new_play(track: str, at: str) -> Callable[[Path], Path]:
    return lambda folder: write_json(folder / "Streaming_History_Audio_1.json", [play(track, at)])


def features_of(track: str) -> Callable[[Path], Path]:
    found = {"href": f"https://open.spotify.com/track/{track}", "energy": 0.5, "valence": 0.25, "danceability": 0.75}
    answer = {
        "provider": "reccobeats", "fetched_at": "2025-05-03T00:00:00+00:00", "answer": {"content": [found]},
    }  # fmt: skip
    return lambda folder: write_json(folder / "audio_features_reccobeats_1.json", answer)


def test_a_play_that_tells_nothing_new_of_its_track_leaves_the_matches_as_they_are(
    large: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made_anew(tracks: DataFrame) -> DataFrame:
        raise AssertionError("all tracks are matched anew")

    monkeypatch.setattr("silver.feature_matches._with_recording_key", made_anew)
    new_play(OLD, "2025-05-03T10:00:00Z")(large.import_dir)
    run(large)


@pytest.mark.parametrize(
    ("comes", "mode"),
    [
        pytest.param(new_play(OLD, "2025-05-03T10:00:00Z"), "Append", id="a play of a known track"),
        pytest.param(new_play(NEW, "2025-05-03T10:00:00Z"), "Append", id="a play of a track never heard before"),
        pytest.param(new_play(OLD, "2025-05-02T09:45:00Z"), "Overwrite", id="a play that begins a session earlier"),
        pytest.param(features_of(OLD), "Overwrite", id="features of a known track"),
    ],
)
def test_what_is_new_is_added_or_all_made_anew(comes: Callable[[Path], Path], mode: str, large: Settings) -> None:
    comes(large.import_dir)
    run(large)
    location = Lake(large.lake_uri).location(pipeline_tables()[listening_with_features.name])
    commit = DeltaTable(location).history(1)[0]
    made = DeltaTable(location).to_pyarrow_table().sort_by("play_id")
    assert commit["operationParameters"]["mode"] == mode
    assert json.loads(commit["userMetadata"])["rows"] == made.num_rows
    run(large, full=True)
    assert made.equals(DeltaTable(location).to_pyarrow_table().sort_by("play_id"))
