"""A delivery that kills the run that imports it is tried again on its own, then set aside, and said."""

import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bronze.delivered.attempts import ATTEMPTS, noted_attempt
from bronze.delivered.inbox import delete_deliveries, set_aside, signatures_of, waiting_files
from bronze.listening_history import listening_history_bronze
from pipeline.health import problems
from tests.bronze.lakes import SmallLake
from tests.bronze.records import NOW, account, write_json


@pytest.fixture
def small(tmp_path: Path, spark: SparkSession) -> SmallLake:
    return SmallLake(tmp_path, spark)


def deliver(small: SmallLake, name: str, length_ms: int = 50_000) -> Path:
    return write_json(small.settings.import_dir / name, [account(msPlayed=length_ms)])


def die_while_importing(small: SmallLake, *paths: Path) -> None:
    """As a process that is killed in the middle of it."""
    child = os.fork()
    if not child:
        with noted_attempt(small.settings, signatures_of(paths)):
            os._exit(9)
    os.waitpid(child, 0)


def test_after_one_death_each_is_tried_on_its_own(small: SmallLake) -> None:
    good, bad = deliver(small, "good.json"), deliver(small, "bad.json", 60_000)
    deliver(small, "new.json", 70_000)
    deliver(small, "newer.json", 80_000)
    die_while_importing(small, good, bad)
    assert len(waiting_files(small.settings)) == 4
    report = small.take_waiting()
    assert (report.new_plays, report.errors, len(report.verdicts)) == (4, [], 4)
    # Together those that were never tried, and each of the two others: three commits.
    assert small.version(listening_history_bronze) == 2
    assert waiting_files(small.settings) == []


def test_after_two_deaths_it_is_left_out_and_said_until_it_changes(small: SmallLake) -> None:
    good, bad = deliver(small, "good.json"), deliver(small, "bad.json", 60_000)
    die_while_importing(small, good, bad)
    die_while_importing(small, bad)
    assert waiting_files(small.settings) == [good]
    assert small.take_waiting().new_plays == 1
    assert set_aside(small.settings) == [bad]
    [problem] = problems(small.settings, NOW)
    assert problem.text == (
        f"{bad} is left out until it changes: 2 runs died while they imported it, perhaps for want of memory; "
        f"`lakehouse import {bad}` tries it again"
    )
    deliver(small, "bad.json", 65_000)
    os.utime(bad, (1, 1))
    assert (waiting_files(small.settings), set_aside(small.settings), problems(small.settings, NOW)) == ([bad], [], [])


def test_a_command_imports_what_was_set_aside(small: SmallLake) -> None:
    bad = deliver(small, "bad.json")
    die_while_importing(small, bad)
    die_while_importing(small, bad)
    assert small.take(bad).new_plays == 1
    assert (waiting_files(small.settings), set_aside(small.settings)) == ([], [])


@pytest.mark.parametrize("ending", [KeyboardInterrupt, RuntimeError])
def test_an_import_that_ended_by_itself_is_no_death(small: SmallLake, ending: type[BaseException]) -> None:
    path = deliver(small, "a.json")
    for _ in range(3):
        with pytest.raises(ending), noted_attempt(small.settings, signatures_of([path])):
            raise ending
    assert waiting_files(small.settings) == [path]


def test_a_damaged_note_is_none(small: SmallLake) -> None:
    path = deliver(small, "a.json")
    write_json(small.settings.work_path / ATTEMPTS, {str(path): {"signature": signatures_of([path])[str(path)]}})
    assert waiting_files(small.settings) == [path]


def test_nothing_is_noted_of_what_was_deleted(small: SmallLake) -> None:
    path = deliver(small, "anna/a.json")
    die_while_importing(small, path)
    delete_deliveries([path.parent], small.settings)
    assert "anna" not in (small.settings.work_path / ATTEMPTS).read_text()
