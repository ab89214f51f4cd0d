"""Whose music is alike, and what do two listeners share?"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from gold.shared.listener_pairs import ARTIST, PAIRS, RECORDING, SOUND, compare_pairs
from lakehouse.contract import in_range, table
from lakehouse.contract.columns import UNIT_FEATURES
from silver.rules.bounded import EVERYBODY, in_pandas
from silver.rules.recording_key import ARTIST_SEPARATOR, normalised

MOST_LISTENERS = 100
# Of all listeners together, half of them artists and half recordings.
MOST_ITEMS = 200_000
# A unit feature's values are counted in tenths.
TENTHS = 10


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
        compare_pairs,
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
