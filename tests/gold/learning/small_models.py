"""Models of the small catalogue, and the frames that a lake with its listener would give them."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame, SparkSession

from gold.learning.model_parameters import ENERGY, MOOD, MOOD_CLASS, PARAMETERS, ModelParameters, ModelSpec
from gold.learning.model_training import trained_on
from lakehouse.contract import Table
from lakehouse.lake.schema import conform
from lakehouse.models.artifacts import Artifact, TrainingResult
from silver.artist_model import artist_model
from silver.catalogue_tracks import catalogue_tracks
from silver.feature_matches import feature_matches
from silver.listening_with_features import listening_with_features
from silver.measured_tracks import measured_tracks
from silver.rules.feature_source import MEASURED_SOURCES, MOODS
from tests.gold.learning.small_catalogue import listened, small_catalogue
from tests.support.frames import frame_of, mood, play

SMALL_TREES = (("max_iter", 5), ("min_samples_leaf", 5))
# Folds and calibration as in the lake, whose transforms score with them.
QUICK = ModelParameters(regression=SMALL_TREES, classification=SMALL_TREES, bootstrap_samples=20)
assert QUICK.n_folds == PARAMETERS.n_folds


def as_artifact(name: str, trained: TrainingResult) -> Artifact:
    """What training gave, as the lake would keep it."""
    return Artifact(name, f"{name} 1", trained.parts, {**trained.card, "trained_at": "2026-01-31T12:00:00+01:00"})


def quickly_trained(spec: ModelSpec, catalogue: pd.DataFrame) -> Artifact:
    return as_artifact(spec.name, trained_on(catalogue, spec, QUICK))


@dataclass(frozen=True)
class World:
    """A catalogue with its models, and a listener who plays each of some tracks twice."""

    catalogue: pd.DataFrame
    tracks: pd.DataFrame
    _frames: dict[str, DataFrame] = field(default_factory=dict)

    @cached_property
    def mood(self) -> Artifact:
        return quickly_trained(MOOD, self.catalogue)

    @cached_property
    def energy(self) -> Artifact:
        return quickly_trained(ENERGY, self.catalogue)

    @cached_property
    def mood_class(self) -> Artifact:
        return quickly_trained(MOOD_CLASS, self.catalogue)

    @cached_property
    def artists(self) -> Artifact:
        return as_artifact("artists", artist_model(self.catalogue))

    def frames(self, spark: SparkSession) -> dict[str, DataFrame]:
        """The tables that models are scored on, by name; computed once."""
        if not self._frames:
            catalogue = frame_of(spark, catalogue_tracks, _records(self.catalogue, catalogue_tracks))
            tracks = conform(measured_tracks, measured_tracks(self.matches(spark), catalogue))
            self._frames["listening_with_features"] = frame_of(spark, listening_with_features, self._plays())
            self._frames["measured_tracks"] = spark.createDataFrame(tracks.toArrow(), tracks.schema)
        return self._frames

    def matches(self, spark: SparkSession) -> DataFrame:
        """The table `feature_matches`."""
        return frame_of(spark, feature_matches, _records(self.tracks, feature_matches))

    def _plays(self) -> list[dict[str, Any]]:
        plays = []
        for number, values in enumerate(_records(self.tracks, listening_with_features)):
            if values["feature_source"] in MEASURED_SOURCES:
                values["mood_category"] = mood(values["valence"], values["energy"])
            plays += [play(f"2026-01-{day} {number // 60:02}:{number % 60:02}:00", **values) for day in (10, 20)]
        return plays


def usual_world() -> World:
    """150 measured tracks, of which one each is estimated, synthetic and without features."""
    catalogue = small_catalogue()
    tracks = listened(catalogue, slice(0, 150))
    tracks.loc[:2, "feature_source"] = ["imputed_artist", "synthetic", "none"]
    return World(catalogue, tracks)


def poor_worlds() -> dict[str, World]:
    """Every kind of bad input."""
    catalogue = small_catalogue()
    tracks = listened(catalogue, slice(0, 60))
    happy_calm = (catalogue["valence"] >= 0.6) & (catalogue["energy"] < 0.4)
    without_a_class = catalogue[~happy_calm].reset_index(drop=True)
    constant = catalogue.assign(loudness=-8.0)
    return {
        "no catalogue": World(catalogue.iloc[:0], tracks.assign(feature_source="spotify", matched_track_id=None)),
        "no matched play": World(catalogue, tracks.assign(feature_source="none")),
        "nothing at all": World(catalogue.iloc[:0], tracks.iloc[:0]),
        "a feature missing": World(catalogue.assign(valence=np.nan), tracks.assign(valence=np.nan)),
        "an input missing": World(catalogue.assign(loudness=np.nan), tracks.assign(loudness=np.nan)),
        "a constant feature": World(constant, tracks.assign(loudness=-8.0)),
        "a constant target": World(catalogue.assign(energy=0.5), tracks.assign(energy=0.5)),
        "a class absent": World(without_a_class, listened(without_a_class, slice(0, 60))),
        "one play": World(catalogue, tracks.iloc[:1]),
    }


POOR_WORLDS = poor_worlds()


def _records(frame: pd.DataFrame, table: Table) -> list[dict[str, Any]]:
    """The frame's rows with the table's columns."""
    types = {column.name: column.type for column in table.columns if column.name in frame}
    return [
        {str(name): _python(value, types[str(name)]) for name, value in row.items()}
        for row in frame[list(types)].to_dict("records")
    ]


def _python(value: Any, type_name: str) -> Any:
    """Python's own value, None for what is not there; pandas makes doubles of whole numbers with gaps."""
    if pd.isna(value):
        return None
    return int(value) if type_name in ("int", "bigint") else value.item() if isinstance(value, np.generic) else value


def label_of(name: str | None) -> int | None:
    """The mood's label."""
    return MOODS.index(name) if name else None
