"""What two listeners have in common, computed in memory from the shares of what each plays."""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from gold.shared.wording import DIGITS, ENOUGH_PLAYS

ARTIST, RECORDING, SOUND = "artist", "recording", "sound"
PAIRS = (
    "one string, other_listener string, affinity double, shared_artists bigint, shared_tracks bigint, "
    "closest_artist string, widest_gap_artist string, audio_similarity double, sample_size bigint, insight string"
)
Shares = npt.NDArray[np.float64]


def compare_pairs(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of all ordered pairs; see `gold.cognitive.listener_affinity` for the formulas.

    Args:
        rows: sorted by `kind`, `item` and `one`, the listener; with `name`, `share`, and `plays` that it is a share of.
    """
    return pd.DataFrame(_pairs(rows), columns=[column.split()[0] for column in PAIRS.split(", ")])


def _pairs(rows: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    listeners = sorted(rows.loc[rows["kind"] != SOUND, "one"].unique())
    artists, recordings, sounds = (
        _matrix(rows[rows["kind"] == kind], listeners) for kind in (ARTIST, RECORDING, SOUND)
    )
    names = rows[rows["kind"] == ARTIST].drop_duplicates("item")["name"].to_numpy()
    measured = rows[rows["kind"] == SOUND].groupby("one")["plays"].first().reindex(listeners, fill_value=0)
    for one, other in combinations(range(len(listeners)), 2):
        shared, apart = np.minimum(artists[one], artists[other]), np.abs(artists[one] - artists[other])
        shared_recordings = np.minimum(recordings[one], recordings[other])
        sample_size = int(min(measured.iloc[one], measured.iloc[other]))
        alike = np.minimum(sounds[one], sounds[other]).sum() if sample_size >= ENOUGH_PLAYS else None
        found = Affinity(
            _share(np.mean([shared.sum(), shared_recordings.sum()])),
            int((shared > 0).sum()),
            int((shared_recordings > 0).sum()),
            _most(names, shared),
            _most(names, apart),
            None if alike is None else _share(alike),
            sample_size,
        )
        for first, second in ((one, other), (other, one)):
            yield (listeners[first], listeners[second], *found, _insight(listeners[first], listeners[second], found))


class Affinity(NamedTuple):
    """What holds for two listeners, whoever comes first."""

    affinity: float
    shared_artists: int
    shared_tracks: int
    closest_artist: str | None
    widest_gap_artist: str | None
    audio_similarity: float | None
    sample_size: int


def _matrix(rows: pd.DataFrame, listeners: Sequence[str]) -> Shares:
    """Shares by listener and item, both sorted; 0 where there is none."""
    items, _ = pd.factorize(rows["item"], sort=True)
    matrix = np.zeros((len(listeners), items.max(initial=-1) + 1))
    matrix[np.searchsorted(listeners, rows["one"]), items] = rows["share"]
    return matrix


def _most(names: npt.NDArray[np.object_], shares: Shares) -> str | None:
    """The name with the largest share, of equal ones the first by key."""
    rounded = np.round(shares, DIGITS)
    return str(names[rounded.argmax()]) if rounded.any() else None


def _share(value: float) -> float:
    """Sums of shares may exceed 1 by rounding."""
    return min(1.0, float(value))


def _insight(one: str, other: str, found: Affinity) -> str:
    artists = f"artists in common: {found.shared_artists:,}"
    if found.closest_artist:
        artists += f", most of all {found.closest_artist}"
    recordings = f"recordings in common: {found.shared_tracks:,}"
    apart = f"{found.widest_gap_artist} sets them apart most" if found.widest_gap_artist else "nothing sets them apart"
    sound = "there are too few measured plays to compare how it sounds"
    if found.audio_similarity is not None:
        sound = f"it sounds {_percent(found.audio_similarity)} alike, by at least {found.sample_size:,} plays of each"
    overlap = f"The listening of {one} and {other} overlaps by {_percent(found.affinity)}"
    return "; ".join([overlap, artists, recordings, apart, sound]) + "."


def _percent(share: float) -> str:
    return f"{round(100 * share, DIGITS):.0f} %"
