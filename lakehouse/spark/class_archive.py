"""Create the class archive that Spark's JVM starts with: `python -m lakehouse.spark.class_archive`, run by the set-up.

Finding, loading and verifying classes takes a third of a session's start-up CPU time. With dynamic class-data sharing
(JEP 350, https://openjdk.org/jeps/350) a JVM dumps its loaded classes when it ends, and later JVMs map them.
"""

import tempfile

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.spark.session import CLASS_ARCHIVE, build_session


def work_as_runs_do(session: SparkSession, folder: str) -> None:
    """Write, read, window, group, join and score some rows, so that the JVM loads the classes that runs need."""
    plays = session.range(2000).select(
        (F.col("id") % 50).alias("key"),
        F.concat_ws(" ", F.lit("Track"), F.col("id").cast("string")).alias("name"),
        F.timestamp_seconds(F.col("id") * 1000).alias("at"),
        (F.col("id") / 2000).alias("value"),
    )
    plays.write.format("delta").save(folder)
    by_key = Window.partitionBy("key").orderBy("at")
    stored = session.read.format("delta").load(folder)
    ordered = stored.withColumn("order", F.row_number().over(by_key)).withColumn("before", F.lag("value").over(by_key))
    summary = ordered.groupBy("key").agg(
        F.count("*").alias("plays"), F.avg("value").alias("mean"), F.stddev("value").alias("spread"),
        F.max_by("name", "at").alias("latest"), F.collect_set("order").alias("orders"),
    )  # fmt: skip
    joined = ordered.join(summary, on="key", how="left").where(F.lower("name").rlike("track [0-9]+")).cache()
    joined.select("key", "plays").mapInPandas(lambda frames: frames, "key long, plays long").orderBy("key").toPandas()
    joined.drop("orders").write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(folder)


def main() -> None:
    """Run typical work in a JVM that writes the archive when it ends.

    Raises:
        LakehouseError: it wrote none.
    """
    CLASS_ARCHIVE.unlink(missing_ok=True)
    options = f"-XX:ArchiveClassesAtExit={CLASS_ARCHIVE} -Xlog:disable"
    with tempfile.TemporaryDirectory() as folder:
        session = build_session(Settings(_env_file=None), app_name="class archive", class_data=options)
        gateway = session.sparkContext._gateway
        assert gateway is not None, "a running session has a gateway"
        work_as_runs_do(session, f"{folder}/plays")
        session.stop()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    if not CLASS_ARCHIVE.exists():
        raise LakehouseError(f"Java did not write {CLASS_ARCHIVE}: is there room on the disk?")


if __name__ == "__main__":
    main()
