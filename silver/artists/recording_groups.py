"""Which catalogue tracks are the same recording, and stable hashes to deal them into folds.

A catalogue of 89,740 track ids holds about 79,800 recordings: the same recording is sold as single, album and
compilation, and some copies even carry another title. A model that has seen one copy knows the answer for every other,
so everything is held out by recording, not by id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.contract.columns import AUDIO_FEATURES
from silver.artists.artist_names import artist_key, credited_artists
from silver.rules.recording_key import NAME_SEPARATOR

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]
# Row numbers and, parallel to them, keys of those rows.
Link = tuple[IntArray, npt.NDArray[np.object_]]

# Fewer features can be equal by chance; Spotify's numbers have three significant digits.
MIN_TWIN_FEATURES = 6
# Instead of a fold, for a track whose keys lead to recordings in different folds: each model may have seen it.
CONFLICT = -1

# Columns in which a listened track may have an id of the catalogue.
ID_COLUMNS = ("track_id", "track_key", "matched_track_id")


def recording_groups(catalogue: pd.DataFrame) -> "pd.Series[str]":
    """Name every track's recording by the smallest track id among its releases and audio twins.

    Two tracks are one recording when they share the normalised title and a credited artist, or every audio
    feature, directly or through a third: connected components of the graph of tracks and keys.

    Args:
        catalogue: one row per track: track_id (unique), artists, name_key, audio features as far as there
            are any.

    Returns:
        The group's name per row, on the catalogue's index.
    """
    if catalogue.empty:
        return pd.Series([], index=catalogue.index, dtype=object)
    links = [name_links(catalogue), sound_links(catalogue, signature_features(catalogue))]
    labels = _components(len(catalogue), links)
    # The first of each group in sorted order, because a grouped min of strings takes seconds.
    members = pd.DataFrame({"group": labels, "name": catalogue["track_id"].to_numpy(dtype=object)})
    first = members.sort_values("name").drop_duplicates("group").sort_values("group")["name"]
    return pd.Series(first.to_numpy()[labels], index=catalogue.index, name="recording_group", dtype=object)


def name_links(catalogue: pd.DataFrame) -> Link:
    """Row numbers and name keys: the row's own, and the same title under each of its other artists.

    "A;B" and "B;A" are one recording, and a history may name either.
    """
    own = catalogue["name_key"].reset_index(drop=True)
    titles = own.map(lambda key: key.partition(NAME_SEPARATOR)[2], na_action="ignore")
    guests = catalogue["artists"].map(lambda value: credited_artists(value)[1:])
    guests = guests.reset_index(drop=True).explode().dropna()
    under_guests = guests.map(artist_key) + NAME_SEPARATOR + titles.loc[guests.index]
    keys = pd.concat([own, under_guests]).dropna()
    return keys.index.to_numpy(dtype=np.int64), keys.to_numpy(dtype=object)


def signature_features(catalogue: pd.DataFrame) -> list[str]:
    """The audio features that the catalogue has; none if they are too few to distinguish tracks."""
    present = [name for name in AUDIO_FEATURES if name in catalogue and catalogue[name].notna().any()]
    return present if len(present) >= MIN_TWIN_FEATURES else []


def sound_links(tracks: pd.DataFrame, features: list[str]) -> Link:
    """Row numbers and hashes of the features, for the rows that have all of them.

    Spotify's analysis failed for rows with a missing feature: otherwise the 138 sleep tracks whose features are zeros
    would be twins.
    """
    if not features:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=object)
    values = tracks[features].astype(float)
    complete = np.flatnonzero(values.notna().all(axis=1).to_numpy())
    hashes = pd.util.hash_pandas_object(values.iloc[complete], index=False)
    return complete.astype(np.int64), hashes.to_numpy().astype(object)


def _components(size: int, links: list[Link]) -> IntArray:
    """Label the connected components of rows that share a key; keys are nodes of their own."""
    rows, nodes, offset = [], [], size
    for link_rows, keys in links:
        codes, uniques = pd.factorize(keys)
        rows.append(link_rows)
        nodes.append(codes + offset)
        offset += len(uniques)
    ends = (np.concatenate(rows), np.concatenate(nodes))
    graph = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(offset, offset))
    _, labels = connected_components(graph.tocsr(), directed=False)
    return np.asarray(labels[:size], dtype=np.int64)


def stable_hashes(keys: Iterable[str], salt: str = "") -> IntArray:
    """Hash strings to 63 bits, the same on every machine and in every process (unlike hash())."""
    digests = (blake2b(key.encode(), digest_size=8, key=salt.encode()).digest() for key in keys)
    hashes = [int.from_bytes(digest, "big") >> 1 for digest in digests]
    return np.asarray(hashes, dtype=np.int64)


def hash_folds(keys: "pd.Series[str]", n_folds: int, salt: str) -> IntArray:
    """Deal keys into folds 0 .. n_folds-1 by hash, so that a key keeps its fold when rows are added or reordered."""
    codes, names = pd.factorize(keys.fillna(""))
    return stable_hashes(names, salt)[codes] % n_folds


@dataclass(frozen=True)
class RecordingFolds:
    """The fold of each recording, under every key that it is known by: track ids, names and sounds.

    Saved with a model, so that a listened track finds the fold of the recordings that the model was trained on.

    Attributes:
        features: the audio features that a sound is hashed from.
        keys: (k,) sorted hashes of all ids, names and sounds of the catalogue.
        low: (k,) smallest fold of the catalogue tracks with that key.
        high: (k,) largest.
    """

    features: tuple[str, ...]
    keys: IntArray
    low: IntArray
    high: IntArray

    @classmethod
    def of_catalogue(cls, catalogue: pd.DataFrame, fold: IntArray) -> "RecordingFolds":
        """Index the catalogue.

        Args:
            catalogue: n tracks: track_id, artists, name_key and audio features as far as there are any.
            fold: (n,) fold of each, the same for all tracks of a recording.
        """
        features = signature_features(catalogue)
        ids = (np.arange(len(catalogue)), catalogue["track_id"].to_numpy(dtype=object))
        rows, keys = _hash_keys([ids], name_links(catalogue), sound_links(catalogue, features))
        by_key = pd.Series(fold[rows], dtype=np.int64).groupby(keys).agg(["min", "max"])
        low, high = by_key["min"].to_numpy(), by_key["max"].to_numpy()
        return cls(tuple(features), by_key.index.to_numpy(dtype=np.int64), low, high)

    def find(self, tracks: pd.DataFrame, unlinked: IntArray) -> IntArray:
        """Find the fold of each listened track's recording, for any of its releases.

        Args:
            tracks: n tracks: name_key, audio features, and as far as there are any track_id, track_key,
                matched_track_id.
            unlinked: (n,) fold for tracks that match nothing: no model has seen them, so any fold will do.

        Returns:
            (n,) the fold; CONFLICT where a track's keys lead to different folds.
        """
        numbers = np.arange(len(tracks))
        ids = [(numbers, tracks[name].to_numpy(dtype=object)) for name in ID_COLUMNS if name in tracks]
        names = (numbers, tracks["name_key"].to_numpy(dtype=object))
        rows, keys = _hash_keys(ids, names, sound_links(tracks, list(self.features)))
        place = np.searchsorted(self.keys, keys)
        place[place == len(self.keys)] = 0
        found = self.keys[place] == keys if len(self.keys) else np.zeros(len(keys), dtype=bool)
        result, highest = unlinked.astype(np.int64), np.full(len(tracks), CONFLICT)
        lowest = np.full(len(tracks), np.iinfo(np.int64).max)
        np.minimum.at(lowest, rows[found], self.low[place[found]])
        np.maximum.at(highest, rows[found], self.high[place[found]])
        result[rows[found]] = lowest[rows[found]]
        result[(lowest < highest) & (highest >= 0)] = CONFLICT
        return result

    def state(self) -> dict[str, Any]:
        """Plain lists and arrays, for an artifact."""
        return {**vars(self), "features": list(self.features)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "RecordingFolds":
        """Undo `state`."""
        return cls(**{**state, "features": tuple(state["features"])})


def _hash_keys(ids: list[Link], names: Link, sounds: Link) -> tuple[IntArray, IntArray]:
    """Row numbers and hashed keys, salted by kind so that kinds do not collide. Nulls are left out."""
    rows, keys = [sounds[0]], [(sounds[1].astype(np.uint64) >> np.uint64(1)).astype(np.int64)]
    for kind, (numbers, values) in [*(("id", link) for link in ids), ("name", names)]:
        known = np.flatnonzero(pd.notna(values))
        codes, uniques = pd.factorize(values[known])
        rows.append(numbers[known])
        keys.append(stable_hashes(uniques, kind)[codes])
    return np.concatenate(rows), np.concatenate(keys)
