"""The catalogue as the models see it: one row per recording, dealt into folds, with its mood class."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gold.learning.folds import CatalogueFolds
from gold.learning.model_parameters import ModelParameters
from silver.artists.recording_groups import IntArray, RecordingFolds, hash_folds
from silver.artists.shrunken_means import Links, link_tracks
from silver.rules.feature_source import HIGH, LOW


def mood_labels(valence: "pd.Series[float]", energy: "pd.Series[float]") -> "pd.Series[float]":
    """Mood class 0..4 from valence and energy, as in `feature_source.MOODS`; NaN where either is null."""
    happy, sad, lively, calm = valence >= HIGH, valence < LOW, energy >= HIGH, energy < LOW
    labels = np.select([happy & lively, happy & calm, sad & lively, sad & calm], [0.0, 1.0, 2.0, 3.0], 4.0)
    return pd.Series(labels, index=valence.index).where(valence.notna() & energy.notna())


@dataclass(frozen=True)
class TrainingSet:
    """The catalogue as the models see it: one row per recording, its most popular release.

    Attributes:
        rows: catalogue columns, mood_label and recording_group; sorted by recording_group.
        folds: folds of these rows, and the rows each fold's model must not see.
        inner_fold: fold of each row for out-of-fold encodings.
        links: artists and genres of each row.
        recordings: folds of all catalogue tracks, to find a listened track's.
    """

    rows: pd.DataFrame
    folds: CatalogueFolds
    inner_fold: IntArray
    links: Links
    recordings: RecordingFolds


def split(catalogue: pd.DataFrame, folds: CatalogueFolds, parameters: ModelParameters) -> TrainingSet:
    """Reduce the catalogue to one row per recording, with the folds the recordings were dealt to.

    Args:
        catalogue: all catalogue tracks.
        folds: result of `folds.catalogue_folds` for these rows.
        parameters: the same parameters.
    """
    order = catalogue.reset_index(drop=True).assign(recording_group=folds.group.to_numpy())
    order = order.sort_values(["recording_group", "popularity", "track_id"], ascending=[True, False, True])
    rows = order.drop_duplicates("recording_group")
    kept = rows.index.to_numpy()
    rows = rows.reset_index(drop=True)
    rows["mood_label"] = mood_labels(numeric_column(rows, "valence"), numeric_column(rows, "energy"))
    return TrainingSet(
        rows=rows,
        folds=folds.take(kept),
        inner_fold=hash_folds(rows["recording_group"], parameters.n_inner_folds, f"inner {parameters.seed}"),
        links=link_tracks(rows["artists"], genres_of(rows)),
        recordings=RecordingFolds.of_catalogue(catalogue, folds.recording_fold),
    )


def numeric_column(frame: pd.DataFrame, name: str) -> "pd.Series[float]":
    """A numeric column, all null where the frame does not have it."""
    if name not in frame:
        return pd.Series(np.nan, index=frame.index)
    return frame[name].astype(float)


def genres_of(frame: pd.DataFrame) -> "pd.Series[Any]":
    """All genres where they are known, else the first genre."""
    if "track_genres" in frame:
        return frame["track_genres"]
    return frame["track_genre"] if "track_genre" in frame else pd.Series(None, index=frame.index, dtype=object)
