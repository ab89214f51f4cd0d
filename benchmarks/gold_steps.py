"""Parts of a run on a lake that is already built, each as a process of its own that `make bench` measures."""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.yardstick import LEFT_OUT, TABLES
from gold.learning.feature_scores import predicted_features, predicted_moods
from gold.learning.model_parameters import ENERGY, MOOD
from lakehouse.contract import Model, Table
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.storage import Lake
from lakehouse.models.trained_models import models_of
from lakehouse.settings import Settings, load_settings
from lakehouse.spark.session import build_session
from pipeline.registry import pipeline_nodes, pipeline_tables
from pipeline.runs.builder import PARALLEL_TABLES
from pipeline.runs.shared_reads import SharedReads

ROWS_TO_SCORE = 1_000_000
MADE_OF_PLAYS = ("plays_by_hour", "sampled_plays")


def diagnostic_and_cognitive(settings: Settings, spark: SparkSession) -> None:
    """Build and write the nine diagnostic and cognitive tables, as a run does."""
    assert _build_groups(settings, spark, ("diagnostic", "cognitive"), left_out={}) == 9


def descriptive_and_diagnostic(settings: Settings, spark: SparkSession) -> None:
    """Build and write the ten tables that the yardstick makes, as far as it makes them."""
    assert _build_groups(settings, spark, ("descriptive", "diagnostic"), left_out=LEFT_OUT) == len(TABLES)


def _build_groups(
    settings: Settings, spark: SparkSession, groups: Sequence[str], left_out: Mapping[str, Sequence[str]]
) -> int:
    lake, tables = Lake(settings.lake_uri, spark), pipeline_tables()
    shared = SharedReads(lake)
    under_way: dict[str, Future[None]] = {}

    def build(table: Table) -> None:
        for name in under_way.keys() & table.inputs:
            under_way[name].result()
        spark.sparkContext.setJobDescription(table.name)
        frame = table(*(shared.read(tables[name]) for name in table.inputs))
        # The lake holds these rows already; what is measured includes writing them.
        written = without(frame, left_out.get(table.name, ()))
        lake.overwrite(table, written, Provenance(run_id="benchmark"), rewrite=True)

    chosen = [table for table in tables.values() if table.group in groups]
    with ThreadPoolExecutor(PARALLEL_TABLES) as pool:
        # What several of them are made of is part of the work, and begins with it.
        under_way |= {name: pool.submit(build, tables[name]) for name in MADE_OF_PLAYS}
        made_of_plays_come_last = sorted(chosen, key=lambda table: not under_way.keys().isdisjoint(table.inputs))
        for built in [pool.submit(build, table) for table in made_of_plays_come_last]:
            built.result()
    return len(chosen)


def without(frame: DataFrame, names: Sequence[str]) -> DataFrame:
    """The frame with null in some columns, without the work that they are."""
    if not names:
        return frame
    # Distinct rows of a join's left side need no join.
    kept = frame.drop(*names).distinct()
    return kept.withColumns({name: F.lit(None).cast(frame.schema[name].dataType) for name in names})


def scoring(settings: Settings, spark: SparkSession) -> None:
    """Score a million tracks by the mood, energy and mood class models: the measured ones, over and over."""
    lake, nodes = Lake(settings.lake_uri, spark), pipeline_nodes()
    measured = lake.read(pipeline_tables()["measured_tracks"]).cache()
    copies = spark.range(ROWS_TO_SCORE // measured.count() + 1).withColumnRenamed("id", "copy")
    tracks = measured.crossJoin(copies).withColumn("track_key", F.concat_ws(" ", "track_key", "copy"))
    tracks = tracks.limit(ROWS_TO_SCORE).repartition(2 * spark.sparkContext.defaultParallelism)
    mood, energy, mood_class = (nodes[name] for name in ("mood_model", "energy_model", "mood_class_model"))
    assert isinstance(mood, Model) and isinstance(energy, Model) and isinstance(mood_class, Model)
    models = models_of(settings)
    for scores in (
        predicted_features(tracks, models.read(mood, spark), MOOD),
        predicted_features(tracks, models.read(energy, spark), ENERGY),
        predicted_moods(tracks, models.read(mood_class, spark)),
    ):
        scores.write.format("noop").mode("overwrite").save()


STEPS: dict[str, Callable[[Settings, SparkSession], None]] = {
    step.__name__: step for step in (diagnostic_and_cognitive, descriptive_and_diagnostic, scoring)
}

if __name__ == "__main__":
    loaded = load_settings()
    STEPS[sys.argv[1]](loaded, build_session(loaded, app_name=sys.argv[1]))
