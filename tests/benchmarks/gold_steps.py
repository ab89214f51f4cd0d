"""Parts of a run on a lake that is already built, each as a process of its own that `make bench` measures."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from gold.predictive.feature_scores import predicted_features, predicted_moods
from gold.predictive.listened_tracks import measured_tracks
from gold.predictive.model_parameters import ENERGY, MOOD
from lakehouse.contract import Model, Table
from lakehouse.models import models_of
from lakehouse.registry import pipeline_nodes, pipeline_tables
from lakehouse.runner import PARALLEL_TABLES
from lakehouse.settings import Settings, load_settings
from lakehouse.spark import build_session
from lakehouse.storage import Lake, Provenance

ROWS_TO_SCORE = 1_000_000


def diagnostic_and_cognitive(settings: Settings, spark: SparkSession) -> None:
    """Build and write the nine diagnostic and cognitive tables, as a run does."""
    lake, tables = Lake(settings.lake_uri, spark), pipeline_tables()

    def build(table: Table) -> None:
        inputs = (lake.read(tables[name]) for name in table.inputs)
        lake.overwrite(table, table(*inputs), Provenance(run_id="benchmark"))

    nine = [table for table in tables.values() if table.group in ("diagnostic", "cognitive")]
    assert len(nine) == 9
    with ThreadPoolExecutor(PARALLEL_TABLES) as pool:
        list(pool.map(build, nine))


def scoring(settings: Settings, spark: SparkSession) -> None:
    """Score a million tracks by the mood, energy and mood class models: the measured ones, over and over."""
    lake, nodes = Lake(settings.lake_uri, spark), pipeline_nodes()
    matches, catalogue = (lake.read(pipeline_tables()[name]) for name in ("feature_matches", "catalogue_tracks"))
    measured = measured_tracks(matches, catalogue).cache()
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
    step.__name__: step for step in (diagnostic_and_cognitive, scoring)
}

if __name__ == "__main__":
    loaded = load_settings()
    STEPS[sys.argv[1]](loaded, build_session(loaded, app_name=sys.argv[1]))
