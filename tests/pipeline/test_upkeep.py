"""A thousand ticks leave neither ever more files nor a log that is ever slower to read."""

from functools import partialmethod
from pathlib import Path

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakehouse.lake import upkeep
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from tests.lakehouse.lake.tiny_plays import PLAYS, a_play
from tests.support.frames import frame_of

pytestmark = pytest.mark.long

# As often as the scheduler compacts, at 48 ticks a day.
TICKS_A_WEEK = 336
CHECKPOINT_EVERY = 10


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a reader may need for another week is deleted at once: a week goes by in a minute."""
    monkeypatch.setattr(upkeep, "KEEP_HOURS", 0)
    vacuum = partialmethod(DeltaTable.vacuum, enforce_retention_duration=False)
    monkeypatch.setattr(DeltaTable, "vacuum", vacuum)


@pytest.mark.usefixtures("no_waiting")
def test_log_and_files_stay_bounded_over_a_thousand_ticks(spark: SparkSession, tmp_path: Path, sampled: bool) -> None:
    lake = Lake(f"file:{tmp_path}/lake", spark)
    folder = tmp_path / "lake" / PLAYS.location
    ticks, compact_every = (60, 20) if sampled else (1_000, TICKS_A_WEEK)
    for tick in range(1, ticks + 1):
        rows = frame_of(spark, PLAYS, [a_play(valence=tick % 90 / 100)])
        state = lake.overwrite(PLAYS, rows, Provenance(run_id=str(tick)), likely_rows=1).state
        assert state.provenance.run_id == str(tick)
        if tick % compact_every == 0:
            lake.compact(PLAYS)
            assert len(list(folder.glob("*.parquet"))) == 1
        assert len(list(folder.glob("*.parquet"))) <= compact_every + 1
        # From the first checkpoint after the first compaction on.
        if tick > compact_every + CHECKPOINT_EVERY:
            assert len(list((folder / "_delta_log").iterdir())) <= compact_every + 2 * CHECKPOINT_EVERY
            assert _commits_to_read(folder / "_delta_log") <= CHECKPOINT_EVERY
    assert DeltaTable(folder).to_pyarrow_table()["valence"].to_pylist() == [ticks % 90 / 100]


def _commits_to_read(log: Path) -> int:
    """Files that a reader opens one by one: the commits after the newest checkpoint."""
    checkpoints = [int(path.name.split(".")[0]) for path in log.glob("*.checkpoint*.parquet")]
    return sum(int(path.stem) > max(checkpoints, default=-1) for path in log.glob("*.json"))
