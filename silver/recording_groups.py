"""Which catalogue tracks are the same recording, and stable hashes to deal them into folds.

A catalogue of 89,740 track ids holds about 79,800 recordings: the same recording is sold as single,
album and compilation, and some copies even carry another title. A model that has seen one copy knows
the answer for every other, so whatever is held out has to be held out by recording, not by id.
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from lakehouse.columns import AUDIO_FEATURES
from silver.artist_names import artist_key, credited_artists
from silver.recording_key import NAME_SEPARATOR

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]

# Equality of fewer features happens by chance; Spotify's numbers have three significant digits.
MIN_TWIN_FEATURES = 6
CONFLICT = -1  # a track's links lead to recordings in different folds: nothing learnt is clean of it


def recording_groups(catalogue: pd.DataFrame) -> "pd.Series[str]":
    """Name every track's recording by the smallest track id among its releases and audio twins.

    Two tracks are one recording when they share the normalised title and a credited artist, or every audio
    feature, directly or through a third: connected components of the graph of tracks and keys.

    Args:
        catalogue: One row per track: track_id (unique), artists, name_key, audio features as far as there
            are any.

    Returns:
        The group's name per row, on the catalogue's index.
    """
    if catalogue.empty:
        return pd.Series([], index=catalogue.index, dtype=object)
    links = [name_links(catalogue), sound_links(catalogue, signature_features(catalogue))]
    labels = _components(len(catalogue), links)
    # The first of each group in sorted order; a group-wise min of strings takes seconds.
    members = pd.DataFrame({"group": labels, "name": catalogue["track_id"].to_numpy(dtype=object)})
    first = members.sort_values("name").drop_duplicates("group").sort_values("group")["name"]
    return pd.Series(first.to_numpy()[labels], index=catalogue.index, name="recording_group", dtype=object)


Link = tuple[IntArray, npt.NDArray[np.object_]]


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
    """Audio features that the catalogue has at all; none if they are too few to tell tracks apart."""
    present = [name for name in AUDIO_FEATURES if name in catalogue and catalogue[name].notna().any()]
    return present if len(present) >= MIN_TWIN_FEATURES else []


def sound_links(tracks: pd.DataFrame, features: list[str]) -> Link:
    """Row numbers and hashes of the features, for the rows that have all of them.

    A row with a missing feature failed Spotify's analysis: without this the 138 sleep tracks whose features
    are zeros would be twins.
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
    """Hash strings to 63 bits, the same on every machine, process and Python (unlike hash())."""
    digests = (blake2b(key.encode(), digest_size=8, key=salt.encode()).digest() for key in keys)
    hashes = [int.from_bytes(digest, "big") >> 1 for digest in digests]
    return np.asarray(hashes, dtype=np.int64)


def hash_folds(keys: "pd.Series[str]", n_folds: int, salt: str) -> IntArray:
    """Deal keys into folds 0 .. n_folds-1 by hash: no order of rows and no new key moves a dealt one."""
    codes, names = pd.factorize(keys.fillna(""))
    return stable_hashes(names, salt)[codes] % n_folds


def linked_folds(tracks: pd.DataFrame, catalogue: pd.DataFrame, fold: IntArray, unlinked: IntArray) -> IntArray:
    """Find the fold that holds a listened track's recording, in any release.

    A track is linked to catalogue recordings by track id, matched_track_id, name key and sound.

    Args:
        tracks: One row per listened track: name_key, audio features, and as far as there are any track_id,
            track_key, matched_track_id.
        catalogue: track_id, artists, name_key and audio features of n tracks.
        fold: (n,) fold of each catalogue track.
        unlinked: Fold per listened track that has no link: nothing learnt has seen it, so any will do.

    Returns:
        The fold per listened track; CONFLICT where linked recordings lie in different folds.
    """
    if tracks.empty or catalogue.empty:
        return unlinked
    features = [name for name in signature_features(catalogue) if name in tracks]
    ids = (np.arange(len(catalogue)), catalogue["track_id"].to_numpy(dtype=object))
    rows = np.arange(len(tracks))
    named = [(ids, (rows, tracks[name].to_numpy())) for name in _ID_COLUMNS if name in tracks]
    named.append((name_links(catalogue), (rows, tracks["name_key"].to_numpy())))
    named.append((sound_links(catalogue, features), sound_links(tracks, features)))
    found = pd.concat([_linked_rows(known, wanted) for known, wanted in named])
    by_track = pd.Series(fold[found["catalogue_row"]], dtype=float).groupby(found["track_row"].to_numpy())
    low = by_track.min().reindex(rows).to_numpy()
    high = by_track.max().reindex(rows).to_numpy()
    result = np.where(np.isfinite(low), np.nan_to_num(low), unlinked).astype(np.int64)
    result[np.isfinite(low) & (low != high)] = CONFLICT
    return result


_ID_COLUMNS = ("track_id", "track_key", "matched_track_id")


def _linked_rows(known: Link, wanted: Link) -> pd.DataFrame:
    left = pd.DataFrame({"catalogue_row": known[0], "key": known[1]}).dropna()
    right = pd.DataFrame({"track_row": wanted[0], "key": wanted[1]}).dropna()
    return left.merge(right, on="key", how="inner")[["catalogue_row", "track_row"]]
