"""Large tables of scored plays take in new plays instead of being made anew, and hold the same rows then."""

import shutil
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse import runner
from lakehouse.registry import pipeline_tables
from lakehouse.settings import Settings
from lakehouse.storage import Lake
from tests.bronze.records import extended, write_json

SCORED = ("mood_predictions", "energy_forecasts", "mood_classifications")


@pytest.fixture
def large(demo_lake: Settings, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of the demo lake, as if it were large."""
    monkeypatch.setattr(runner, "GROWS_FROM_ROWS", 0)
    shutil.copytree(demo_lake.lake_path, tmp_path / "lake")
    (tmp_path / "import").mkdir()
    return demo_lake.model_copy(update={"lake_uri": f"file://{tmp_path}/lake", "import_dir": tmp_path / "import"})


def log_of(settings: Settings, name: str) -> DeltaTable:
    return DeltaTable(Lake(settings.lake_uri).location(pipeline_tables()[name]))


def rows_of(settings: Settings, name: str) -> pa.Table:
    return log_of(settings, name).to_pyarrow_table().sort_by("play_id")


def run(settings: Settings) -> None:
    assert not runner.run(settings, select=SCORED).errors


def test_a_play_of_a_measured_track_is_added_to_what_was_scored(large: Settings) -> None:
    run(large)
    before = {name: log_of(large, name).version() for name in SCORED}
    plays = log_of(large, "listening_with_features").to_pyarrow_table().sort_by("played_at").to_pylist()
    last = next(play for play in reversed(plays) if play["feature_source"] == "kaggle")
    later = plays[-1]["played_at"] + timedelta(days=1)
    again = extended(
        f"{later:%Y-%m-%dT%H:%M:%SZ}", spotify_track_uri=f"spotify:track:{last['track_id']}",
        master_metadata_track_name=last["track_name"], master_metadata_album_artist_name=last["artist_name"],
        master_metadata_album_album_name=last["album_name"],
    )  # fmt: skip
    runner.import_files(large, [write_json(large.import_dir / "demo_Streaming_History_Audio_9.json", [again])])
    run(large)
    grown = {name: rows_of(large, name) for name in SCORED}
    for name in SCORED:
        log = log_of(large, name)
        assert (log.version(), log.history(1)[0]["operationParameters"]["mode"]) == (before[name] + 1, "Append")
        shutil.rmtree(Path(log.table_uri.removeprefix("file://")))
    run(large)
    assert {name: rows_of(large, name) for name in SCORED} == grown
