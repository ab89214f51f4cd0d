"""Recorded answers of the real Web API, replayed by the local server, are polled and imported."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bronze.delivered.inbox import waiting_files
from bronze.listening_history import listening_history_bronze
from bronze.web.spotify_polling import poll
from lakehouse.settings import Settings
from tests.bronze.lakes import SmallLake
from tests.bronze.test_real_data import ANSWERS
from tests.support.frames import rows
from tests.support.spotify_server import SpotifyServer, log_in

pytestmark = pytest.mark.real_data


def test_polled_answers_become_the_same_plays_as_the_recorded_files(
    logged_in: Settings, spotify: SpotifyServer, spark: SparkSession, real_data_dir: Path, tmp_path: Path
) -> None:
    for name in ANSWERS:
        recorded = json.loads((real_data_dir / name).read_text("utf-8"))
        newest = max(datetime.fromisoformat(item["played_at"]) for item in recorded["items"])
        spotify.plays = recorded["items"]
        log_in(logged_in, spotify, newest)
        found = poll(logged_in, newest + timedelta(minutes=1))
        assert found.new_plays == len(recorded["items"])
        assert poll(logged_in, newest + timedelta(minutes=31)).new_plays == 0
    polled, files = SmallLake(tmp_path / "polled", spark), SmallLake(tmp_path / "files", spark)
    waiting = waiting_files(logged_in)
    assert polled.import_history(*waiting).errors == []
    assert files.import_history(*(real_data_dir / name for name in ANSWERS)).errors == []
    assert polled.import_history(*waiting).new_plays == 0
    columns = [c.name for c in listening_history_bronze.columns if c.name not in ("source_file", "ingested_at")]
    plays = [rows(small.lake.read(listening_history_bronze), *columns) for small in (polled, files)]
    assert len(plays[0]) == 86
    assert plays[0] == plays[1]
