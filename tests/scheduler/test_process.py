"""The scheduler as a process: it starts, does its work in children, logs it, and ends on a signal."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from deltalake import DeltaTable

from lakehouse.contract.ops import PIPELINE_RUNS
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from tests.support.spotify_server import Fault, SpotifyServer, environment_of, log_in, play_item

LONGEST_END_SECONDS = 10.0


class Scheduler:
    """A running `python -m scheduler` and what it logged."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process, self._log = process, log

    def events(self, name: str = "", **facts: Any) -> list[dict[str, Any]]:
        """What it logged, every line of it JSON."""
        lines = self._log.read_text().split("\n")[:-1]
        found = [json.loads(line) for line in lines]
        return [e for e in found if (not name or e["event"] == name) and facts.items() <= e.items()]

    def wait_for(self, what: Callable[[], object], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert self.process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.1)

    def end(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Seconds that it takes to end, with all it started."""
        started = time.monotonic()
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(number)
        self.process.wait(30)
        _, alive = psutil.wait_procs(family, timeout=1)
        assert alive == []
        return time.monotonic() - started


@pytest.fixture
def environment(web_settings: Settings, spotify: SpotifyServer) -> dict[str, str]:
    return environment_of(web_settings, spotify)


@contextmanager
def scheduler(environment: dict[str, str], folder: Path) -> Iterator[Scheduler]:
    log = folder / "scheduler.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([sys.executable, "-m", "scheduler"], cwd=folder, env=environment, stderr=stream)
    try:
        yield Scheduler(process, log)
    finally:
        for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()


def health(environment: dict[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scheduler", "health"], cwd=folder, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.long
@pytest.mark.usefixtures("sampled")
def test_a_play_that_is_heard_gets_into_gold_by_itself(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    log_in(web_settings, spotify, now)
    spotify.plays = [play_item(now - timedelta(minutes=5 * n), n) for n in range(1, 4)]
    with scheduler(environment, tmp_path) as running:
        running.wait_for(lambda: running.events("ended", job="run", command="run --trigger schedule"), 550)
        assert [event["exit_code"] for event in running.events("ended")] == [0, 0, 0]
        commands = [event["command"] for event in running.events("started")]
        assert commands == ["poll", "features", "run --trigger schedule"]
        answer = health(environment, tmp_path)
        assert (answer.returncode, answer.stdout) == (0, "the scheduler is at work\n")
        assert running.end() < LONGEST_END_SECONDS
        assert running.process.returncode == 0
        assert [event["event"] for event in running.events()][-2:] == ["scheduler is ending", "scheduler ended"]
    lake = DeltaLogs(web_settings.lake_uri)
    runs = DeltaTable(lake.location(PIPELINE_RUNS)).to_pyarrow_table().to_pylist()
    assert sorted((run["trigger"], run["status"], run["new_plays"]) for run in runs) == [
        ("poll", "succeeded", 0), ("schedule", "succeeded", 3),
    ]  # fmt: skip
    patterns = DeltaTable(f"{web_settings.lake_uri}/gold/descriptive/listening_patterns_by_time").to_pyarrow_table()
    assert sum(patterns["play_count"].to_pylist()) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_within_seconds_while_a_poll_hangs(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path, number: signal.Signals
) -> None:
    log_in(web_settings, spotify, datetime.now(UTC))
    spotify.silent_for = 30
    spotify.faults.extend([Fault("silence", path="recently-played")] * 3)
    with scheduler(environment, tmp_path) as running:
        running.wait_for(lambda: spotify.asked)
        assert running.end(number) < LONGEST_END_SECONDS
        assert running.process.returncode == 0
        # It was broken off, so it is done again at the next start.
        assert running.events("ended") == []


def test_it_ends_within_seconds_while_the_webhook_hangs(
    environment: dict[str, str], web_settings: Settings, spotify: SpotifyServer, tmp_path: Path
) -> None:
    log_in(web_settings, spotify, datetime.now(UTC) - timedelta(days=170))
    spotify.silent_for = 30
    spotify.faults.append(Fault("drip", path="webhook"))
    with scheduler(environment | {"ALERT_WEBHOOK_URL": f"{spotify.url}/webhook"}, tmp_path) as running:
        running.wait_for(lambda: "/webhook" in spotify.paths())
        assert running.end() < LONGEST_END_SECONDS


def test_two_schedulers_on_one_lake_are_one_too_many(
    environment: dict[str, str], web_settings: Settings, tmp_path: Path
) -> None:
    with scheduler(environment, tmp_path) as running:
        running.wait_for(lambda: running.events("scheduler started"))
        second = subprocess.run(
            [sys.executable, "-m", "scheduler"], cwd=tmp_path, env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert second.returncode == 1
        assert second.stderr == f"error another scheduler keeps {web_settings.lake_path} fresh: one is enough\n"


@pytest.mark.parametrize(
    ("arguments", "changed", "message"),
    [
        (["help"], {}, "takes no argument, `--fill` or `health`"),
        ([], {"POLL_INTERVAL_MINUTES": "0"}, "POLL_INTERVAL_MINUTES='0'"),
    ],
)
def test_wrong_usage_is_one_clear_line(
    environment: dict[str, str], tmp_path: Path, arguments: list[str], changed: dict[str, str], message: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "scheduler", *arguments], cwd=tmp_path, env=environment | changed, capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip
    assert answer.returncode == 2
    assert message in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_health_of_a_scheduler_that_is_not_there(environment: dict[str, str], tmp_path: Path) -> None:
    answer = health(environment, tmp_path)
    assert answer.returncode == 1
    assert answer.stdout == "the scheduler has not been seen yet: start it with `python -m scheduler`\n"


def test_scheduler_and_polls_load_nothing_heavy() -> None:
    program = "import sys, scheduler.__main__, bronze.web.spotify_polling; print(*sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"pyspark", "deltalake", "pyarrow", "pandas", "numpy"} & set(answer.stdout.split())
