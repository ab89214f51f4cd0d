"""An empty lake for each test."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakehouse.lake.storage import Lake


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> Lake:
    """A lake in a folder, without tables."""
    return Lake(f"file:{tmp_path}/lake", spark)
