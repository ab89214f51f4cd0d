"""24 simulated hours without news: no Spark, little memory, and not more of it from hour to hour."""

import json
import statistics
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakehouse.java import find_java
from lakehouse.settings import Settings
from tests.support.spotify_server import SpotifyServer, environment_of, log_in

MOST_MEGABYTES = 150.0
FLAT_MEGABYTES = 3.0


def noting_java(folder: Path) -> tuple[Path, Path]:
    """A JAVA_HOME whose `java` notes that it was started; and where."""
    notes, java = folder / "java-starts", folder / "java-home" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f'#!/bin/sh\necho "$*" >> "{notes}"\nexec "{find_java()}" "$@"\n')
    java.chmod(0o755)
    return java.parents[1], notes


@pytest.mark.long
def test_a_day_without_news_starts_no_spark_and_no_memory_is_lost(
    web_settings: Settings, spotify: SpotifyServer, tmp_path: Path, sampled: bool
) -> None:
    log_in(web_settings, spotify, datetime.now(UTC))
    java_home, java_starts = noting_java(tmp_path)
    speed, least_polls = (1440, 5) if sampled else (240, 24)
    day = subprocess.run(
        [sys.executable, "-m", "tests.simulation.fast_scheduler", str(speed)], text=True, capture_output=True,
        env=environment_of(web_settings, spotify) | {"JAVA_HOME": str(java_home)}, check=False,
    )  # fmt: skip
    assert day.returncode == 0, day.stderr
    events = [json.loads(line) for line in day.stderr.splitlines()]
    polls = [event for event in events if event["event"] == "ended" and event["command"] == "poll"]
    assert len(polls) >= least_polls
    assert {event["exit_code"] for event in polls} == {0}
    # On a slow machine there are events of no command: jobs that were late.
    assert {event["command"] for event in events if "command" in event} == {"poll"}
    assert not java_starts.exists(), java_starts.read_text()
    megabytes = [json.loads(line)["megabytes"] for line in day.stdout.splitlines()]
    assert len(megabytes) == 24
    assert max(megabytes) < MOST_MEGABYTES
    assert statistics.median(megabytes[-6:]) - statistics.median(megabytes[2:8]) < FLAT_MEGABYTES


def test_a_start_of_java_would_be_noticed(tmp_path: Path) -> None:
    java_home, java_starts = noting_java(tmp_path)
    subprocess.run([java_home / "bin" / "java", "-version"], check=True, capture_output=True)
    assert java_starts.read_text() == "-version\n"
