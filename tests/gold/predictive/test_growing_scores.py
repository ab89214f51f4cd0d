"""Large tables of scored plays take in new plays instead of being made anew, and hold the same rows then."""

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

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


# With another track the lines that all scores are fitted by are others.
@pytest.mark.parametrize(("track_of", "mode"), [(heard_last, "Append"), (never_heard, "Overwrite")])
def test_a_new_play_is_added_to_what_was_scored_or_all_is_scored_anew(
    track_of: Callable[[Settings], dict[str, Any]], mode: str, large: Settings
) -> None:
    run(large)
    before = {name: log_of(large, name).version() for name in SCORED}
    track = track_of(large)
    last = max(log_of(large, "listening_with_features").to_pyarrow_table()["played_at"].to_pylist())
    played = extended(
        f"{last + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}", spotify_track_uri=f"spotify:track:{track['track_id']}",
        master_metadata_track_name=track["track_name"], master_metadata_album_artist_name=track["artist_name"],
        master_metadata_album_album_name=track["album_name"],
    )  # fmt: skip
    runner.import_files(large, [write_json(large.import_dir / "demo_Streaming_History_Audio_9.json", [played])])
    run(large)
    taken_in = {name: rows_of(large, name) for name in SCORED}
    for name in SCORED:
        log = log_of(large, name)
        assert (log.version(), log.history(1)[0]["operationParameters"]["mode"]) == (before[name] + 1, mode)
        shutil.rmtree(Path(log.table_uri.removeprefix("file://")))
    run(large)
    assert {name: rows_of(large, name) for name in SCORED} == taken_in
