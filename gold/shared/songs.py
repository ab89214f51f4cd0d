"""Which recordings could be suggested to the listener, and how well does each match what they play?

Spark reduces plays to songs; the candidates are computed in pandas, today's and those before the newest dates, so that
a backtest uses the same code.
"""

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from gold.shared.wording import DIGITS, ENOUGH_PLAYS, rounded
from silver.rules.feature_source import is_measured
from silver.rules.recording_key import ARTIST_SEPARATOR, NAME_SEPARATOR, name_key

# Features that a candidate must have: valence and energy for its mood, the rest for its sound.
FEATURES = (
    "valence", "energy", "danceability", "acousticness", "instrumentalness", "speechiness", "loudness", "tempo",
)  # fmt: skip
KEY = "song"
# Of more songs, played and unplayed, a fixed random sample is used (see in_pandas).
MAX_SONGS = 250_000
# Newest dates that a backtest hides.
HIDDEN_DAYS = 30
# Taste moves on: a play counts half as much when this many days older.
HALF_LIFE_DAYS = 90
# A genre with a smaller share of the listening is ignored; this keeps out sleep noise, children's songs and comedy.
LEAST_GENRE_SHARE = 0.01
# Weights of the affinity. Played: 0.4 artist + 0.6 plays. New: 0.4 artist + 0.3 genre + 0.3 popularity.
ARTIST_WEIGHT, PLAYS_WEIGHT, GENRE_WEIGHT, POPULARITY_WEIGHT = 0.4, 0.6, 0.3, 0.3
# The part of a title that names its version: " - Live", "(Acoustic)".
VERSION = r"\s+(?:-\s|[(\[]).*$"
GENRE_SEPARATOR = f"{ARTIST_SEPARATOR} "
TINY = 1e-9


def songs_of(plays: DataFrame, catalogue: DataFrame) -> DataFrame:
    """Per listener one row per listened track and per catalogue track, with only the columns that the ranking needs.

    Args:
        plays: rows of `listening_with_features`.
        catalogue: rows of `catalogue_tracks`.

    Returns:
        listener, `KEY` (unique with it), is_played, recording_key, track_id, track_name, artist_name, track_genre,
        `FEATURES` (null if not measured); of listened tracks name_key, plays and weight, visible_plays and
        visible_weight (the same without the last `HIDDEN_DAYS` local dates, up to that of the last play); of the
        catalogue's tracks track_genres and popularity. Of more than `MAX_SONGS` songs of a listener, a few more than
        `in_pandas` keeps.
    """
    last = plays.groupBy("listener").agg(F.date_sub(F.max("date"), HIDDEN_DAYS).alias("last_visible_date"))
    days_before = F.date_diff("last_visible_date", "date")
    is_visible = days_before >= 0
    # Relative to the last visible date, so a later play weighs more than 1.
    weight = F.pow(F.lit(0.5), days_before / HALF_LIFE_DAYS)
    named = catalogue.where("name_key IS NOT NULL")
    share = F.broadcast(_sampled_share(named))
    names = ["recording_key", "track_id", "track_name", "artist_name"]
    played_key = F.concat_ws("\t", F.lit("played"), *(F.coalesce(name, F.lit("")) for name in names))
    offered_key = F.concat_ws("\t", F.lit("catalogue"), "track_id")
    listened = (
        plays.join(F.broadcast(last), on="listener", how="inner")
        .crossJoin(share)
        .where(_is_sampled(played_key))
        # A track has one genre: grouping by it lets plays be summed as they are read, its maximum would need a sort.
        .groupBy("listener", *names, "track_genre")
        .agg(
            *(F.max(F.when(is_measured(), F.col(name))).alias(name) for name in FEATURES),
            F.count(F.lit(1)).alias("plays"),
            rounded(F.sum(weight) * 0.5 ** (HIDDEN_DAYS / HALF_LIFE_DAYS)).alias("weight"),
            F.count_if(is_visible).alias("visible_plays"),
            F.coalesce(rounded(F.sum(F.when(is_visible, weight))), F.lit(0.0)).alias("visible_weight"),
        )
        .withColumn(KEY, played_key)
        .withColumn("name_key", name_key(F.col("artist_name"), F.col("track_name")))
        .withColumn("is_played", F.lit(True))
    )
    offered = named.crossJoin(share).where(_is_sampled(offered_key)).select(
        offered_key.alias(KEY), F.col("name_key").alias("recording_key"), "track_id", "track_name",
        F.col("first_artist").alias("artist_name"), "track_genre", "track_genres", "popularity", *FEATURES,
        F.lit(False).alias("is_played"),
    )  # fmt: skip
    to_each = offered.crossJoin(F.broadcast(last.select("listener")))
    return listened.unionByName(to_each, allowMissingColumns=True)


def _sampled_share(named: DataFrame) -> DataFrame:
    """One row with `share`, the share of the hash range that holds the `MAX_SONGS` smallest hashes of song keys.

    Sorting all songs for their sample would take longer than everything else. Hashes are spread evenly, so the share
    holds 5 % more than `MAX_SONGS` of the catalogue's songs alone, give or take 0.2 %.
    """
    return named.agg(F.coalesce(F.try_divide(F.lit(1.05 * MAX_SONGS), F.count(F.lit(1))), F.lit(1.0)).alias("share"))


def _is_sampled(key: Column) -> Column:
    """Whether the hash that `bounded.sample` sorts by is within the share."""
    return F.xxhash64(key) / 2.0**64 + 0.5 <= F.col("share")


def before_hidden_dates(songs: pd.DataFrame) -> pd.DataFrame:
    """The songs as they were before the last `HIDDEN_DAYS` dates, without the plays since."""
    return songs.assign(plays=songs["visible_plays"], weight=songs["visible_weight"])


def candidates(songs: pd.DataFrame) -> pd.DataFrame:
    """Recordings with known features that the listener plays, or does not yet play but may like; each once.

    New are catalogue recordings by an artist the listener plays, or of a genre that makes up at least 1 % of their
    listening (an artist's plays are shared out over the genres of the artist's catalogue tracks, for four plays in five
    have no genre of their own). Of several versions of a song by one artist, and of recordings with exactly the same
    features, one remains: the one played most, else the most popular.

    Args:
        songs: result of `songs_of`.

    Returns:
        One row per recording: recording_key, track_id, track_name, artist_name, artist_key, track_genre, `FEATURES`,
        popularity, play_count, artist_play_count, is_new_to_you, genre_share, genre_affinity, affinity, usual_valence.
        Affinities are 0..1, relative to the listener's highest; a play weighs half as much when 90 days older. Of an
        artist: the logarithm of their plays. Of a genre: the square root of its share. Of a played recording: 0.4 x
        that of its artist + 0.6 x the square root of the logarithm of its plays. Of a new one: 0.4 x that of its artist
        + 0.3 x that of its genre + 0.3 x its popularity. No rows below 20 measured plays.
    """
    artist = songs["recording_key"].str.split(NAME_SEPARATOR, n=1, regex=False).str[0]
    title = songs["track_name"].str.lower().str.replace(VERSION, "", regex=True).str.strip()
    songs = songs.assign(artist_key=artist, title=title)
    is_played = songs["is_played"].astype(bool)
    listened, offered = songs[is_played & (songs["plays"] > 0)], songs[~is_played]
    measured = listened.dropna(subset=list(FEATURES))
    if measured["plays"].sum() < ENOUGH_PLAYS:
        measured, offered = measured.head(0), offered.head(0)
    both = [_played_recordings(listened, measured, offered), _new_recordings(listened, offered)]
    found = _deduplicate(pd.concat(both, ignore_index=True))
    by_artist = listened.groupby("artist_key")[["weight", "plays"]].sum()
    genres = _genre_weights(offered, by_artist["weight"])
    of_genre = _heaviest_genre_weight(found["track_genres"], genres)
    found = found.assign(
        artist_play_count=found["artist_key"].map(by_artist["plays"]).fillna(0).astype("int64"),
        genre_share=(of_genre / max(genres.sum(), TINY)).round(DIGITS),
        genre_affinity=np.sqrt(of_genre / max(genres.max(), TINY)).round(DIGITS) if len(genres) else 0.0,
        usual_valence=weighted_mean(measured, "valence", "plays"),
    )
    of_artist = _log_share(found["artist_key"].map(by_artist["weight"]).fillna(0.0), by_artist["weight"].max())
    of_plays = np.sqrt(_log_share(found["weight"], listened.groupby("recording_key")["weight"].sum().max()))
    of_new = GENRE_WEIGHT * found["genre_affinity"] + POPULARITY_WEIGHT * found["popularity"].fillna(0.0) / 100
    by_recording_or_genre = of_new.where(found["is_new_to_you"], PLAYS_WEIGHT * of_plays)
    found["affinity"] = (ARTIST_WEIGHT * of_artist + by_recording_or_genre).round(DIGITS)
    is_liked = ~found["is_new_to_you"] | (found["artist_play_count"] > 0) | (found["genre_share"] >= LEAST_GENRE_SHARE)
    return found[is_liked].sort_values("recording_key", ignore_index=True)


def weighted_mean(rows: pd.DataFrame, column: str, weight: str) -> float:
    """The mean of a column, rounded; NaN without rows."""
    total = rows[weight].sum()
    return round(float((rows[column] * rows[weight]).sum() / total), DIGITS) if total > 0 else np.nan


def _played_recordings(listened: pd.DataFrame, measured: pd.DataFrame, offered: pd.DataFrame) -> pd.DataFrame:
    """The played and measured recordings, named after their most played track; plays of all releases count."""
    most_played_first = listened.sort_values(["plays", KEY], ascending=[False, True])
    by_recording = most_played_first.groupby("recording_key")
    totals = by_recording.agg(play_count=("plays", "sum"), weight=("weight", "sum"))
    # `first` skips nulls: one release may have an id or a genre that another lacks.
    descriptions = by_recording[["track_id", "track_name", "artist_name", "artist_key", "title", "track_genre"]].first()
    features = {
        name: (measured[name] * measured["plays"]).groupby(measured["recording_key"]).sum() for name in FEATURES
    }
    means = pd.DataFrame(features).div(measured.groupby("recording_key")["plays"].sum(), axis=0).round(DIGITS)
    recordings = (
        means.join(totals, how="left").join(descriptions, how="left").rename_axis("recording_key").reset_index()
    )
    # The short account export has no ids; the catalogue may know one.
    ids = _most_popular_releases(offered).set_index("recording_key")["track_id"]
    track_id = recordings["track_id"].fillna(recordings["recording_key"].map(ids))
    recordings = recordings.assign(track_id=track_id, is_new_to_you=False, popularity=np.nan, track_genres=None)
    return recordings.dropna(subset=["track_name", "artist_name"])


def _new_recordings(listened: pd.DataFrame, offered: pd.DataFrame) -> pd.DataFrame:
    """The catalogue's recordings of which the listener played no release and no version."""
    by_id = offered.loc[offered["track_id"].isin(listened["track_id"].dropna()), "recording_key"]
    # Releases that share an ISRC have one recording_key, which may be the name of another of them.
    heard = set(by_id) | set(listened["recording_key"]) | set(listened["name_key"].dropna())
    songs = set(zip(listened["artist_key"], listened["title"], strict=True))
    complete = _most_popular_releases(offered.dropna(subset=list(FEATURES)))
    versions = pd.Series(list(zip(complete["artist_key"], complete["title"], strict=True)), index=complete.index)
    new = complete[~complete["recording_key"].isin(heard) & ~versions.isin(songs)]
    return new.assign(play_count=0, weight=0.0, is_new_to_you=True)


def _most_popular_releases(offered: pd.DataFrame) -> pd.DataFrame:
    """The most popular release of each recording."""
    ordered = offered.sort_values(["popularity", "track_id"], ascending=[False, True])
    return ordered.drop_duplicates("recording_key")


def _deduplicate(recordings: pd.DataFrame) -> pd.DataFrame:
    order = ["is_new_to_you", "play_count", "popularity", "recording_key"]
    ordered = recordings.sort_values(order, ascending=[True, False, False, True])
    songs = ordered.drop_duplicates(["artist_key", "title"])
    # The same audio is also sold under other names.
    once = songs.drop_duplicates(list(FEATURES))
    return once.assign(
        is_new_to_you=once["is_new_to_you"].astype(bool),
        play_count=once["play_count"].astype("int64"),
        weight=once["weight"].astype(float),
        popularity=once["popularity"].astype(float),
    ).reset_index(drop=True)


def _genre_weights(offered: pd.DataFrame, artist_weights: pd.Series) -> pd.Series:
    """How much of the listening goes to each catalogue genre."""
    by_known = offered.loc[offered["artist_key"].isin(artist_weights.index), ["artist_key", "track_genres"]]
    tracks = by_known.assign(genre=by_known["track_genres"].str.split(GENRE_SEPARATOR)).explode("genre")
    counts = tracks.groupby(["artist_key", "genre"]).size()
    shares = counts / counts.groupby("artist_key").transform("sum")
    weights = shares * artist_weights.reindex(shares.index.get_level_values("artist_key")).to_numpy()
    by_genre: pd.Series = weights.groupby("genre").sum().round(DIGITS)
    return by_genre


def _heaviest_genre_weight(track_genres: pd.Series, weights: pd.Series) -> pd.Series:
    """The weight of the recording's genre that the listener plays most, 0 without one."""
    genres = track_genres.fillna("").astype(str)
    heaviest = {text: max(weights.get(genre, 0.0) for genre in text.split(GENRE_SEPARATOR)) for text in genres.unique()}
    return genres.map(heaviest).astype(float)


def _log_share(weights: pd.Series, highest: float) -> pd.Series:
    """0 to 1, on a logarithmic scale: the hundredth play says less than the second."""
    share: pd.Series = np.log1p(weights.astype(float)) / max(np.log1p(highest), TINY)
    return share
