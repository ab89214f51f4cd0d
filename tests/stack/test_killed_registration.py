"""SIGKILL at random instants of a registration: afterwards every table can be registered and read."""

import os
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from lakehouse.stack.trino_registration import register
from pipeline.registry import all_tables
from tests.stack.conftest import Query


@pytest.mark.long
def test_a_registration_killed_at_any_instant_is_completed_by_the_next(
    trino: Settings, query: Query, sampled: bool, seed: int
) -> None:
    tables, chance = list(all_tables().values()), Random(seed)
    stored = [table for table in tables if DeltaLogs(trino.lake_uri).state(table)]
    register(trino, tables[:3])
    started = time.monotonic()
    assert registering(trino).wait() == 0
    seconds = time.monotonic() - started
    for _ in range(3 if sampled else 10):
        # Most tables have to be registered anew.
        register(trino, tables[:3])
        process = registering(trino)
        time.sleep(chance.uniform(0.3, 1) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        registration = register(trino, tables)
        assert registration.broken == {}
        for table in stored:
            [(count,)] = query(f"SELECT count(*) FROM delta.{table.trino_schema}.{table.name}")
            state = DeltaLogs(trino.lake_uri).state(table)
            assert state is not None
            assert count == state.provenance.rows


def registering(settings: Settings) -> "subprocess.Popen[bytes]":
    """`lakehouse register` as a process."""
    environment = {"LAKE_URI": settings.lake_uri, "TRINO_PORT": str(settings.trino_port)}
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "register"], env=os.environ | environment, stdout=subprocess.DEVNULL
    )
