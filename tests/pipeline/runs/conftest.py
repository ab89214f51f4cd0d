"""Lakes of the small graph after one run and after two."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from pipeline.runs.summary import RunSummary
from tests.bronze.lakes import small_settings
from tests.pipeline.runs.small_run import (
    SmallRun,
)


@pytest.fixture(scope="module")
def first_run(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, RunSummary]:
    folder = tmp_path_factory.mktemp("first")
    with pytest.MonkeyPatch.context() as patch:
        small = SmallRun(small_settings(folder), spark, patch)
        small.deliver("1", 10, 11)
        return small.settings.lake_path, small.run()


@pytest.fixture
def small(
    first_run: tuple[Path, RunSummary], spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> SmallRun:
    """A lake after its first run."""
    settings = small_settings(tmp_path)
    shutil.copytree(first_run[0], settings.lake_path)
    return SmallRun(settings, spark, monkeypatch)


@pytest.fixture(scope="module")
def second_run(
    first_run: tuple[Path, RunSummary], spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SmallRun]:
    """A lake after a second run, which took one more play; only to be looked at."""
    settings = small_settings(tmp_path_factory.mktemp("second"))
    shutil.copytree(first_run[0], settings.lake_path)
    with pytest.MonkeyPatch.context() as patch:
        small = SmallRun(settings, spark, patch)
        small.deliver("2", 12)
        small.run(trigger="schedule")
    yield small
