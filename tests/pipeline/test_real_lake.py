"""What the commands tell of the real listener's lake."""

import pytest

from lakehouse.settings import Settings
from pipeline.registry import pipeline_nodes
from pipeline.report import print_status
from pipeline.runs.run import run
from tests.lakehouse.spotify.console import cells, printed

pytestmark = pytest.mark.real_data


def test_status_shows_where_the_features_of_all_plays_come_from(real_lake: Settings) -> None:
    lines = printed(print_status, real_lake).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("audio features of the plays")))
    *sources, total = [cells(line) for line in lines[start:] if line.startswith("│")]
    assert total[:4] == ["me", "all", "13,596", "100.0 %"]
    assert sum(int(plays.replace(",", "")) for _, _, plays, _, _ in sources) == 13_596
    assert sum(float(share.removesuffix(" %")) for _, _, _, share, _ in sources) == pytest.approx(100, abs=0.2)


def test_a_second_run_finds_all_up_to_date(real_lake: Settings) -> None:
    summary = run(real_lake)
    assert summary.up_to_date == len(pipeline_nodes())
    assert (summary.imported, summary.builds) == (None, [])
