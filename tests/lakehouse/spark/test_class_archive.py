"""Spark's JVM starts from the class archive that the set-up created."""

from pathlib import Path

from pyspark.sql import SparkSession

from lakehouse.spark.session import CLASS_ARCHIVE


def test_the_jvm_maps_the_archive(spark: SparkSession) -> None:
    gateway = spark.sparkContext._gateway
    assert gateway is not None
    assert str(CLASS_ARCHIVE) in Path(f"/proc/{gateway.proc.pid}/maps").read_text()
