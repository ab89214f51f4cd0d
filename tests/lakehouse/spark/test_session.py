"""A session has what it needs, or one line says what to do."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.spark import jars, session

ADAPTIVE = "spark.sql.adaptive.enabled"


def test_without_jars_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jars, "JARS_FOLDER", tmp_path)
    with pytest.raises(LakehouseError, match=f"the Delta jars are missing in {tmp_path}: run `make setup` once with"):
        session.build_session(Settings(_env_file=None))


STORE: dict[str, Any] = {"lake_uri": "s3a://bucket/lake", "aws_endpoint_url": "http://127.0.0.1:9000"}


def test_without_s3_jars_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jars, "S3_JARS_FOLDER", tmp_path)
    with pytest.raises(
        LakehouseError, match=f"Spark's S3 jars are missing in {tmp_path}: run `make s3-jars` once with"
    ):
        session.build_session(Settings(**STORE, _env_file=None))


def test_a_cluster_has_its_own_settings_and_reaches_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a-key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    settings = Settings(**STORE, spark_master="spark://somewhere:7077", _env_file=None)
    options = session._configuration(settings, [Path("/jars/delta.jar")], "")
    assert not {"spark.driver.host", "spark.driver.bindAddress", "spark.sql.shuffle.partitions"} & set(options)
    assert options["spark.sql.adaptive.enabled"] == "true"
    assert options["spark.executor.extraClassPath"] == "/jars/delta.jar"
    assert options["spark.hadoop.fs.s3a.endpoint"] == "http://127.0.0.1:9000"
    assert not any("a-key" in value or "a-secret" in value for value in options.values())


def test_a_lake_in_a_folder_has_no_option_of_an_object_store() -> None:
    options = session._configuration(Settings(_env_file=None), [], "")
    assert not [name for name in options if "s3a" in name]
    assert options["spark.driver.host"] == "127.0.0.1"


def test_memory_for_large_data_brings_the_settings_for_it(spark: SparkSession) -> None:
    assert spark.conf.get(ADAPTIVE) == "false"
    script = (
        "from lakehouse.settings import load_settings; from lakehouse.spark.session import build_session;"
        "print(build_session(load_settings()).conf.get('%s'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script % ADAPTIVE], env=os.environ | {"SPARK_DRIVER_MEMORY": "3g"}, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == "true"
