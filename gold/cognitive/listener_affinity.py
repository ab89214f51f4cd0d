"""Whose music is alike, and what do two listeners share?"""

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.wording import DIGITS, ENOUGH_PLAYS
from lakehouse.contract import in_range, table
from lakehouse.contract.columns import UNIT_FEATURES
from silver.rules.bounded import EVERYBODY, in_pandas
from silver.rules.recording_key import ARTIST_SEPARATOR, normalised

MOST_LISTENERS = 100
# Of all listeners together, half of them artists and half recordings.
MOST_ITEMS = 200_000
# A unit feature's values are counted in tenths.
TENTHS = 10
ARTIST, RECORDING, SOUND = "artist", "recording", "sound"
PAIRS = (
    "one string, other_listener string, affinity double, shared_artists bigint, shared_tracks bigint, "
    "closest_artist string, widest_gap_artist string, audio_similarity double, sample_size bigint, insight string"
)
Shares = npt.NDArray[np.float64]


@table(
    grain="One row per ordered pair of different listeners.",
    key="listener other_listener",
    columns=(
        "listener other_listener affinity shared_artists shared_tracks closest_artist widest_gap_artist "
        "audio_similarity sample_size insight"
    ),
    checks=[in_range("affinity", 0, 1), in_range("audio_similarity", 0, 1)],
    caveats=["many_listeners", "measured_only"],
    compares_listeners=True,
)
def listener_affinity(listening_with_features: DataFrame, sampled_plays: DataFrame) -> DataFrame:
    """What two listeners have in common is the overlap of their shares: the sum of the lesser of both.

    It is 1 where both played everything equally often, and 0 where nothing is shared (histogram intersection: Swain and
    Ballard 1991, "Color Indexing", Int. J. Comput. Vis. 7(1); 1 minus the total variation distance). affinity is the
    mean of the overlaps of artists' and of recordings' shares of the counted plays. audio_similarity is the mean over
    the unit features of the overlap of their values in tenths, on measured plays, of which the one with fewer has
    sample_size. An artist is the first one named, however it is spelled.
    """
    listeners = _listeners(listening_with_features)
    shares = _of_plays(listening_with_features, listeners).unionByName(_of_sounds(sampled_plays, listeners))
    pairs = in_pandas(
        # One group, whoever they are: all are compared with each other.
        shares.withColumnRenamed("listener", "one").withColumn("listener", F.lit(EVERYBODY)),
        lambda rows: pd.DataFrame(_pairs(rows), columns=[column.split()[0] for column in PAIRS.split(", ")]),
        PAIRS,
        key=["kind", "item", "one"],
        max_rows=MOST_ITEMS + MOST_LISTENERS * TENTHS * len(UNIT_FEATURES),
    )
    return pairs.drop("listener").withColumnRenamed("one", "listener")


def _listeners(plays: DataFrame) -> DataFrame:
    """Those who are compared, with their plays, and how many items of a kind of each are."""
    by_plays = Window.orderBy(F.desc("plays"), "listener")
    counted = plays.groupBy("listener").agg(F.count("*").alias("plays"))
    compared = counted.withColumn("place", F.row_number().over(by_plays)).where(F.col("place") <= MOST_LISTENERS)
    number = F.count("*").over(Window.partitionBy())
    return F.broadcast(compared.select("listener", "plays", (MOST_ITEMS / 2 / number).alias("most_items")))


def _of_plays(plays: DataFrame, listeners: DataFrame) -> DataFrame:
    """Shares of artists and recordings in each listener's plays, with the number of plays."""
    # Spellings first: there are few, and to normalise one takes long.
    spelled = plays.groupBy("listener", "artist_name").agg(F.count("*").alias("count"))
    first_artist = normalised(F.substring_index("artist_name", ARTIST_SEPARATOR, 1))
    usual_name = F.max_by("artist_name", F.struct("count", "artist_name"))
    artists = _counted(spelled, ARTIST, first_artist, F.sum("count"), usual_name)
    recordings = _counted(plays, RECORDING, F.col("recording_key"), F.count("*"), F.lit(""))
    by_count = Window.partitionBy("listener", "kind").orderBy(F.desc("count"), "item")
    counted = artists.unionByName(recordings).withColumn("place", F.row_number().over(by_count))
    return (
        counted.join(listeners, on="listener", how="inner")
        .where(F.col("place") <= F.col("most_items"))
        .select("listener", "kind", "item", "name", (F.col("count") / F.col("plays")).alias("share"), "plays")
    )


def _counted(frame: DataFrame, kind: str, item: Column, count: Column, name: Column) -> DataFrame:
    items = frame.withColumn("item", item).where("item IS NOT NULL").groupBy("listener", "item")
    return items.agg(count.alias("count"), name.alias("name")).withColumn("kind", F.lit(kind))


def _of_sounds(plays: DataFrame, listeners: DataFrame) -> DataFrame:
    """Shares of the tenths of the unit features in each listener's measured plays, with the number of these."""
    values = F.explode(
        F.array(*(F.struct(F.lit(name).alias("feature"), F.col(name).alias("value")) for name in UNIT_FEATURES))
    )
    known = plays.select("listener", values.alias("of")).select("listener", "of.*").where("value IS NOT NULL")
    tenth = F.least(F.floor(F.col("value") * TENTHS), F.lit(TENTHS - 1))
    counted = known.groupBy("listener", "feature", tenth.alias("tenth")).agg(F.count("*").alias("count"))
    of_feature = F.sum("count").over(Window.partitionBy("listener", "feature"))
    shares = counted.withColumn("share", F.col("count") / of_feature / len(UNIT_FEATURES))
    measured = F.broadcast(plays.groupBy("listener").agg(F.count("*").alias("plays")))
    return (
        shares.join(listeners.select("listener"), on="listener", how="left_semi")
        .join(measured, on="listener", how="inner")
        .select(
            "listener", F.lit(SOUND).alias("kind"), F.concat_ws(" ", "feature", "tenth").alias("item"),
            F.lit("").alias("name"), "share", "plays",
        )
    )  # fmt: skip


def _pairs(rows: pd.DataFrame) -> Iterator[tuple[object, ...]]:
    """The rows of all ordered pairs, from shares sorted by kind, item and listener."""
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
