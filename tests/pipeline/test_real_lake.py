"""What the commands tell of the real listener's lake."""

import pytest

from lakehouse.settings import Settings
from pipeline.report import print_run, print_status
from pipeline.runner import run
from tests.lakehouse.spotify.console import cells, printed

pytestmark = pytest.mark.real_data


def test_status_shows_where_the_features_of_all_plays_come_from(real_lake: Settings) -> None:
    lines = printed(print_status, real_lake).splitlines()
    start = lines.index(next(line for line in lines if line.startswith("audio features of the plays")))
    *sources, total = [cells(line) for line in lines[start:] if line.startswith("│")]
    assert total[:3] == ["all", "13,596", "100.0 %"]
    assert sum(int(plays.replace(",", "")) for _, plays, _, _ in sources) == 13_596
    assert sum(float(share.removesuffix(" %")) for _, _, share, _ in sources) == pytest.approx(100, abs=0.2)


def test_a_second_run_adds_nothing_and_says_so(real_lake: Settings) -> None:
    summary = run(real_lake)
    assert {build.status for build in summary.builds} == {"skipped"}
    assert summary.imported is None
    assert not summary.started_spark
    assert printed(print_run, summary, real_lake) == (
        f"no news: all {len(summary.builds)} tables and models are up to date\n"
    )
