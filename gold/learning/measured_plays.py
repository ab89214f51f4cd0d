"""The plays that the models' scores go to."""

from pyspark.sql import DataFrame

from silver.rules.feature_source import is_measured
from silver.rules.track_facts import track_key


def measured_plays(listening_with_features: DataFrame) -> DataFrame:
    """The measured plays, with the key of their track."""
    return listening_with_features.where(is_measured()).withColumn("track_key", track_key())
