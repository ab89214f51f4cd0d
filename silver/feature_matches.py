"""Which recording is each listened track, and where do its audio features come from?"""

from functools import reduce
from operator import or_

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lakehouse.contract import accepted_values, in_range, table
from lakehouse.contract.columns import AUDIO_FEATURES, UNIT_FEATURES
from silver.rules.counted_plays import counted_plays
from silver.rules.feature_source import FEATURE_SOURCES, NO_SOURCE, SYNTHETIC_SOURCE, known
from silver.rules.recording_key import name_key
from silver.rules.track_facts import SPELLING, plain_isrc, track_key

# A shared ISRC joins names, a shared name joins ISRCs: two rounds reach a release of a release.
MERGE_ROUNDS = 2


@table(
    grain="One row per listener and listened track.",
    key="listener track_key",
    columns=(
        "listener track_key track_id name_key recording_key track_name artist_name album_name isrc duration_ms "
        "track_genre matched_track_id danceability energy key loudness mode speechiness acousticness instrumentalness "
        "liveness valence tempo time_signature feature_source"
    ),
    checks=[
        accepted_values("feature_source", *FEATURE_SOURCES),
        *(in_range(feature, 0, 1) for feature in UNIT_FEATURES),
    ],
)
def feature_matches(
    listening_history_bronze: DataFrame,
    catalogue_tracks: DataFrame,
    my_tracks_features_bronze: DataFrame,
    my_tracks_features_bronze_synthetic: DataFrame,
) -> DataFrame:
    """Each listened track gets its features from the first of `FEATURE_SOURCES` that has it."""
    tracks = _with_recording_key(_listened_tracks(listening_history_bronze, my_tracks_features_bronze))
    by_source = {
        source: _offer(my_tracks_features_bronze.where(F.col("provider") == source), source, "track_id")
        for source in ("spotify", "reccobeats")
    }
    by_source["kaggle"] = _offer(catalogue_tracks, "kaggle", "track_id")
    by_source["kaggle_recording"] = _offer(_best_release(catalogue_tracks), "kaggle_recording", "name_key")
    by_source[SYNTHETIC_SOURCE] = _offer(my_tracks_features_bronze_synthetic, SYNTHETIC_SOURCE, "track_id")
    offered = reduce(
        lambda left, source: left.join(by_source[source], on=by_source[source].columns[0], how="left"),
        by_source,
        tracks,
    )
    best = offered.withColumn("best", F.coalesce(*by_source))
    catalogue = F.coalesce("kaggle", "kaggle_recording")
    return best.select(
        "listener",
        "track_key",
        "track_id",
        "name_key",
        "recording_key",
        "track_name",
        "artist_name",
        "album_name",
        "isrc",
        F.coalesce("duration_ms", catalogue["duration_ms"]).alias("duration_ms"),
        catalogue["track_genre"].alias("track_genre"),
        F.when(F.col("best.source").isin("kaggle", "kaggle_recording"), catalogue["track_id"]).alias(
            "matched_track_id"
        ),
        *(F.col(f"best.{feature}").alias(feature) for feature in AUDIO_FEATURES),
        F.coalesce("best.source", F.lit(NO_SOURCE)).alias("feature_source"),
    )


def _listened_tracks(history: DataFrame, features: DataFrame) -> DataFrame:
    """One row per track of a listener's counted plays, with its latest spelling and its longest length."""
    isrcs = features.groupBy("track_id").agg(F.min(plain_isrc()).alias("fetched_isrc"))
    # Plays are many times as many as spellings, so spellings are made distinct before any work on texts.
    spelled = (
        counted_plays(history)
        .groupBy("listener", "track_id", *SPELLING, "isrc")
        .agg(F.max("played_at").alias("played_at"), F.max("duration_ms").alias("duration_ms"))
    )
    latest = F.struct("played_at", *SPELLING)
    tracks = spelled.groupBy("listener", track_key().alias("track_key")).agg(
        F.first("track_id").alias("track_id"),
        *(F.max_by(name, F.when(F.col(name).isNotNull(), latest)).alias(name) for name in SPELLING),
        F.min(plain_isrc()).alias("reported_isrc"),
        F.max("duration_ms").alias("duration_ms"),
    )
    return (
        tracks.join(isrcs, on="track_id", how="left")
        .withColumn("isrc", F.coalesce("reported_isrc", "fetched_isrc"))
        .withColumn("name_key", name_key(F.col("artist_name"), F.col("track_name")))
    )


def _with_recording_key(tracks: DataFrame) -> DataFrame:
    """A listener's tracks that share an ISRC or a normalised name share the smallest of their names as their key."""
    by_name = Window.partitionBy("listener", "own_key")
    # Partitioned by own_key, too: else all tracks without an ISRC (in an export, every track) would land in one task.
    by_isrc = Window.partitionBy("listener", "isrc", F.when(F.col("isrc").isNull(), F.col("own_key")))
    keyed = tracks.withColumn("own_key", F.coalesce("name_key", "track_key"))
    keyed = keyed.withColumn("recording_key", F.col("own_key"))
    for _ in range(MERGE_ROUNDS):
        shared = F.when(F.col("isrc").isNotNull(), F.min("recording_key").over(by_isrc))
        keyed = keyed.withColumn("recording_key", F.coalesce(shared, "recording_key"))
        keyed = keyed.withColumn("recording_key", F.min("recording_key").over(by_name))
    return keyed


def _best_release(catalogue: DataFrame) -> DataFrame:
    """One track per recording of the catalogue: the most popular of those with a valence, else the most popular."""
    best_first = Window.partitionBy("name_key").orderBy(
        F.col("valence").isNull(), F.col("popularity").desc_nulls_last(), "track_id"
    )
    named = catalogue.where("name_key IS NOT NULL")
    return named.withColumn("order", F.row_number().over(best_first)).where("order = 1")


def _offer(candidates: DataFrame, source: str, key: str) -> DataFrame:
    """The join key and a struct named after the source, which a left join leaves null where the source has no match."""
    described = {
        name: F.col(name) if name in candidates.columns else F.lit(None).cast(kind)
        for name, kind in (("track_id", "string"), ("track_genre", "string"), ("duration_ms", "bigint"))
    }
    features = [known(name) for name in AUDIO_FEATURES]
    fields = [value.alias(name) for name, value in described.items()] + features
    # A row without any feature, such as one fetched for its ISRC alone, does not count.
    offers = candidates.where(reduce(or_, (feature.isNotNull() for feature in features)))
    return offers.select(key, F.struct(F.lit(source).alias("source"), *fields).alias(source))
