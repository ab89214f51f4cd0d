"""A month of listening, polled in accelerated time with faults and kills; then the privacy export of that month."""

import json
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from bronze import imports
from bronze.delivered.inbox import waiting_files
from bronze.listening_history import listening_history_bronze
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog, new_run_id
from lakehouse.settings import Settings
from pipeline.registry import pipeline_tables
from pipeline.runs.run import run
from tests.simulation.listener import SHORTEST_SHOWN_MS, Heard, listen
from tests.support.spotify_server import Fault, SpotifyServer, environment_of, error, log_in, too_often

START = datetime(2026, 6, 1, tzinfo=UTC)
POLL_EVERY, IMPORT_EVERY = timedelta(minutes=30), timedelta(days=1)
SOME_FAULTS = (
    Fault("reset"), Fault("malformed"), Fault("cut"), Fault("not_an_object"), Fault("empty"), Fault("silence"),
    Fault("drip"), error(500), error(503), error(401, path="recently-played"), error(403), error(502, path="token"),
    too_often("600"), too_often("5400"), too_often("20000"),
)  # fmt: skip
KILLED = -signal.SIGKILL
Key = tuple[datetime, str]


def key_of(heard: Heard) -> Key:
    return heard.ended_at.replace(microsecond=heard.ended_at.microsecond // 1000 * 1000), f"{heard.number:022d}"


class Month:
    """The month as it goes by."""

    def __init__(self, settings: Settings, spotify: SpotifyServer, spark: SparkSession, days: int, seed: int) -> None:
        self.settings, self.spotify, self.chance = settings, spotify, Random(seed)
        self.lake = Lake(settings.lake_uri, spark)
        self.heard = listen(self.chance, START, days)
        self.end = START + timedelta(days=days)
        # For some days the scheduler is down: more is heard than Spotify shows afterwards.
        self.down_from = START + timedelta(days=days * 0.4)
        self.up_from = self.down_from + timedelta(days=max(1.5, days / 10))
        self.offered: set[Key] = set()
        self.outcomes: list[int] = []
        self.broken_imports = 0

    def go_by(self, worker: "subprocess.Popen[str]") -> None:
        now, next_import = START + timedelta(hours=6), START + timedelta(days=1)
        while now < self.end + timedelta(hours=8):
            if not self.down_from < now < self.up_from:
                self.poll(worker, now, has_faults=now < self.end)
                if now >= next_import:
                    self.take(now)
                    next_import += IMPORT_EVERY
            now += POLL_EVERY * self.chance.uniform(0.9, 1.1)
        self.take(now)

    def poll(self, worker: "subprocess.Popen[str]", now: datetime, has_faults: bool) -> None:
        self.spotify.plays = [h.item for h in self.heard if h.shown_at and h.shown_at <= now]
        self.spotify.faults.clear()
        if has_faults and self.chance.random() < 0.2:
            self.spotify.faults.extend(self.chance.choices(SOME_FAULTS, k=self.chance.randint(1, 4)))
        kill_at = self.chance.uniform(0, 1) if has_faults and self.chance.random() < 0.15 else None
        self.spotify.shown.clear()
        assert worker.stdin
        assert worker.stdout
        worker.stdin.write(json.dumps({"now": now.isoformat(), "kill_at": kill_at}) + "\n")
        worker.stdin.flush()
        self.outcomes.append(int(worker.stdout.readline()))
        if self.outcomes[-1] != KILLED:  # what it told a killed process, nobody heard
            self.offered |= {
                (datetime.fromisoformat(item["played_at"]), item["track"]["id"]) for item in self.spotify.shown
            }

    def take(self, now: datetime) -> None:
        """What a run does first; every fifth time it is broken off after the commit."""
        log = RunLog(
            self.settings.lake_path / "spool", run_id=new_run_id(now), trigger="run", code_version="0", started_at=now
        )
        with pytest.MonkeyPatch.context() as patch:
            if is_broken := self.chance.random() < 0.2:
                self.broken_imports += 1
                patch.setattr(imports, "remember", broken_off)
            try:
                report = imports.take(self.lake, self.settings, waiting_files(self.settings), log, now)
                assert report.errors == []
            except KeyboardInterrupt:
                assert is_broken
        log.finish("succeeded", now)

    def in_bronze(self) -> list[Key]:
        history = self.lake.read(listening_history_bronze).where("source = 'spotify_api'")
        return [
            (row["played_at"].astimezone(UTC), row["track_id"])
            for row in history.select("played_at", "track_id").collect()
        ]

    def in_silver(self) -> list[Key]:
        summary = run(self.settings, select=["listening_with_features"])
        assert summary.errors == []
        silver = self.lake.read(pipeline_tables()["listening_with_features"]).select("played_at", "track_id")
        return [(row["played_at"].astimezone(UTC), row["track_id"]) for row in silver.collect()]

    def export(self, file: Path) -> Path:
        with zipfile.ZipFile(file, "w") as zipped:
            records = json.dumps([heard.record for heard in self.heard])
            zipped.writestr("Spotify Extended Streaming History/Streaming_History_Audio_2026_0.json", records)
        return file


def broken_off(*arguments: object, **options: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def poll_worker(settings: Settings, spotify: SpotifyServer, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "tests.simulation.poll_worker"]
    process = subprocess.Popen(
        command, env=environment_of(settings, spotify), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.long
def test_every_play_that_was_offered_is_kept_once_and_the_export_adds_what_was_missed(
    web_settings: Settings, spotify: SpotifyServer, spark: SparkSession, tmp_path: Path, sampled: bool, seed: int
) -> None:
    month = Month(web_settings, spotify, spark, days=4 if sampled else 30, seed=seed)
    spotify.silent_for = 1.5
    log_in(web_settings, spotify, START)
    with poll_worker(web_settings, spotify, tmp_path) as worker:
        month.go_by(worker)
    heard = {key_of(h) for h in month.heard if h.ms_played >= SHORTEST_SHOWN_MS}
    if not sampled:
        assert 700 <= len(heard) <= 1_500
        assert month.broken_imports >= 2
    for outcome in (0, 1, KILLED):  # polls that went well, that failed and that were killed
        assert month.outcomes.count(outcome) >= (1 if sampled else 20)

    in_bronze = month.in_bronze()
    assert len(in_bronze) == len(set(in_bronze)), "a play is in bronze twice"
    assert month.offered <= set(in_bronze), "a play that was offered is not in bronze"
    assert set(in_bronze) <= heard, "a play was made up"
    missed = heard - set(in_bronze)
    assert missed, "the month was too easy"
    assert sorted(month.in_silver()) == sorted(in_bronze)

    log = RunLog(
        web_settings.lake_path / "spool", run_id="export", trigger="import", code_version="0", started_at=month.end
    )
    report = imports.take(month.lake, web_settings, [month.export(tmp_path / "my_spotify_data.zip")], log, month.end)
    assert report.errors == []
    assert sorted(month.in_bronze()) == sorted(in_bronze)
    in_silver = month.in_silver()
    # The export tells seconds where the Web API tells milliseconds.
    assert sorted(in_silver) == sorted((ended_at.replace(microsecond=0), track) for ended_at, track in heard)
    assert len(in_silver) - len(in_bronze) == len(missed)
