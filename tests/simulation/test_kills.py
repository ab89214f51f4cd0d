"""SIGKILL at random instants of a run, and two runs at once."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.contract.ops import OPS_TABLES, PIPELINE_RUNS
from lakehouse.lake.lock import writer_at_work
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline.registry import all_tables
from pipeline.runs.run import run
from pipeline.runs.upkeep import import_files
from tests.bronze.records import write_json
from tests.simulation.listener import listen
from tests.simulation.run_worker import TABLES
from tests.support.spotify_server import SpotifyServer, environment_of, log_in, play_item

START = datetime(2026, 5, 1, tzinfo=UTC)
# When something happened, in which run and from which answer: the same rows are made at another time.
VOLATILE = {"ingested_at", "run_id", "source_file"}
Rows = dict[str, list[str]]


def rows_of(settings: Settings) -> Rows:
    """The rows of every table of the three layers; fails where one cannot be read."""
    lake = DeltaLogs(settings.lake_uri)
    found: Rows = {}
    for table in all_tables().values():
        if lake.state(table) is None:
            continue
        rows = DeltaTable(lake.location(table)).to_pyarrow_table().to_pylist()
        if table in OPS_TABLES:
            keys = [tuple(row[name] for name in table.key) for row in rows]
            assert len(keys) == len(set(keys)), f"{table.name} holds a record twice"
        else:
            stable = ({name: value for name, value in row.items() if name not in VOLATILE} for row in rows)
            found[table.name] = sorted(json.dumps(row, default=str, sort_keys=True) for row in stable)
    return found


class Runs:
    """Copies of one lake for which new plays wait at Spotify, and runs on them as processes."""

    def __init__(self, settings: Settings, spotify: SpotifyServer, spark: SparkSession, folder: Path) -> None:
        self.start, self.spotify, self.folder = settings, spotify, folder
        records = [heard.record for heard in listen(Random(1), START, 6)]
        history = write_json(folder / "Streaming_History_Audio_2026.json", records)
        assert import_files(settings, [history]).errors == []
        assert run(settings, select=TABLES).errors == []
        now = datetime.now(UTC)
        log_in(settings, spotify, now)
        spotify.plays = [play_item(now - timedelta(minutes=4 * n), n) for n in range(1, 41)]

    def copy(self, name: str) -> Settings:
        lake = self.folder / name / "lake"
        shutil.copytree(self.start.lake_path, lake)
        return self.start.model_copy(update={"lake_uri": f"file:{lake}"})

    def process(self, settings: Settings) -> "subprocess.Popen[str]":
        """A run of its own session, so that its Java dies with it; returns when it begins to poll."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.run_worker"], env=environment_of(settings, self.spotify),
            text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        assert process.stdout
        assert process.stdout.readline() == "poll\n"
        return process


def kill(process: "subprocess.Popen[str]") -> bool:
    """Kill a run with all it started; whether it was still at work."""
    was_at_work = process.poll() is None
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)] if was_at_work else []
    if was_at_work:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    psutil.wait_procs(family, timeout=10)
    return was_at_work


@pytest.mark.long
def test_killed_at_any_instant_the_next_run_ends_as_if_nothing_had_happened(
    web_settings: Settings, spotify: SpotifyServer, spark: SparkSession, tmp_path: Path, sampled: bool, seed: int
) -> None:
    runs, chance = Runs(web_settings, spotify, spark, tmp_path), Random(seed)
    undisturbed = runs.copy("undisturbed")
    started = time.monotonic()
    assert runs.process(undisturbed).wait() == 0
    seconds = time.monotonic() - started
    before, after = rows_of(web_settings), rows_of(undisturbed)
    changed = {name for name in after if before[name] != after[name]}
    assert {"listening_history_bronze", "listening_with_features", *TABLES} <= changed
    kills = 0
    for number in range(3 if sampled else 30):
        settings = runs.copy(f"killed-{number}")
        process = runs.process(settings)
        time.sleep(chance.uniform(0, seconds))
        kills += kill(process)
        for name, rows in rows_of(settings).items():
            assert rows in (before[name], after[name]), f"{name} is neither as before nor as after"
        assert runs.process(settings).wait() == 0
        assert rows_of(settings) == after
        shutil.rmtree(settings.lake_path)
    assert kills > 0


def lakehouse(settings: Settings, *arguments: str, wait_seconds: int) -> "subprocess.Popen[str]":
    environment = {"LAKE_URI": settings.lake_uri, "LOCK_WAIT_SECONDS": str(wait_seconds), "COLUMNS": "200"}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments], env=os.environ | environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=settings.lake_path.parent,
    )  # fmt: skip


def test_of_two_runs_started_together_one_waits_or_declines(tmp_path: Path) -> None:
    settings = Settings(lake_uri=f"file:{tmp_path}/lake", _env_file=None)
    settings.lake_path.mkdir()
    records: list[dict[str, Any]] = [heard.record for heard in listen(Random(1), START, 2)]
    history = write_json(tmp_path / "Streaming_History_Audio_2026.json", records)
    first = lakehouse(settings, "import", str(history), wait_seconds=600)
    while not writer_at_work(settings.lake_path):
        assert first.poll() is None
        time.sleep(0.05)
    waits = lakehouse(settings, "import", str(history), wait_seconds=600)
    declines = lakehouse(settings, "import", str(history), wait_seconds=0)
    told, _ = declines.communicate(timeout=120)
    assert declines.returncode == 1
    message = f"another run is writing to this lake (import, process {first.pid} on "
    assert message in told
    assert told.strip().endswith("UTC): try again later")
    told_first, told_waiting = first.communicate(timeout=500)[0], waits.communicate(timeout=500)[0]
    assert (first.returncode, waits.returncode) == (0, 0)
    assert f"{len(records)} new plays" in told_first
    assert "nothing new: 0 plays were added" in told_waiting
    runs = DeltaTable(DeltaLogs(settings.lake_uri).location(PIPELINE_RUNS)).to_pyarrow_table()["status"].to_pylist()
    assert runs == ["succeeded", "succeeded"]
