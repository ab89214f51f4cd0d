"""Which songs are in which list, today and before the dates that the backtest hides?"""

import pandas as pd
from pyspark.sql import DataFrame

from gold.shared.caveats import MEASURED
from gold.shared.song_lists import PLAYLISTS, RECOMMENDATIONS, fill_lists
from gold.shared.songs import HIDDEN_DAYS, KEY, MAX_SONGS, before_hidden_dates, candidates, songs_of
from lakehouse.contract import accepted_values, expression, in_range, table
from silver.rules.bounded import in_pandas

LISTS = (RECOMMENDATIONS, *PLAYLISTS)
MOST_PLAYED = "Most played"
# The backtest evaluates this many songs of each list, against as many of the most played.
JUDGED_LENGTH = 25
SCHEMA = (
    "hidden_days int, playlist_name string, choice int, position int, recording_key string, track_id string, "
    "track_name string, artist_name string, track_genre string, play_count bigint, artist_play_count bigint, "
    "is_new_to_you boolean, genre_share double, distance double, genre_plays bigint, "
    "usual_valence double, valence double, energy double, danceability double, score double, "
    "is_hit boolean, random_hit_rate double"
)
COLUMNS = [column.split()[0] for column in SCHEMA.split(",")]


@table(
    grain="One row per listener, list and recording: lists as made today, and as made before the last 30 local dates.",
    key="listener hidden_days playlist_name recording_key",
    columns=" ".join(["listener", *COLUMNS]),
    checks=[
        accepted_values("playlist_name", *(song_list.name for song_list in LISTS), MOST_PLAYED),
        in_range("hidden_days", 0, HIDDEN_DAYS),
        *(in_range(name, 0, 1) for name in ("score", "random_hit_rate")),
        expression("only a backtest has hits", "(is_hit IS NULL) = (hidden_days = 0)"),
        expression("new means never played", "is_new_to_you = (play_count = 0)"),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def listed_songs(listening_with_features: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """For lists and scores see `song_lists`, for the candidates `songs.candidates`.

    The lists made before the last 30 local dates are for the backtest: is_hit says whether the recording was played on
    these dates, random_hit_rate how likely that is for one drawn at random: for a new one among all new candidates, for
    a played one among all played candidates; for the most played, which are a baseline, among all played recordings. No
    rows below 20 measured plays.
    """
    return in_pandas(
        songs_of(listening_with_features, catalogue_tracks), _all_lists, SCHEMA, key=KEY, max_rows=MAX_SONGS
    )


def _all_lists(songs: pd.DataFrame) -> pd.DataFrame:
    today = fill_lists(songs, candidates(songs), LISTS).assign(hidden_days=0, is_hit=None, random_hit_rate=None)
    lists = pd.concat([today.astype(object), _backtest_lists(songs).astype(object)], ignore_index=True)
    lists["distance"] = lists["distance"].where(lists["kind_plays"] > 0)
    # The genre does not decide about recordings that are already played, most of which have none of their own.
    lists["genre_share"] = lists["genre_share"].where(lists["is_new_to_you"].astype(bool))
    return lists[COLUMNS]


def _backtest_lists(songs: pd.DataFrame) -> pd.DataFrame:
    """The lists as made before the hidden dates, with the hits on these."""
    before = before_hidden_dates(songs)
    hits = set(songs.loc[songs["plays"] > songs["visible_plays"], "recording_key"])
    pool = candidates(before)
    chosen = fill_lists(before, pool, LISTS)
    at_random = pool["recording_key"].isin(hits).groupby(pool["is_new_to_you"]).mean()
    chosen["random_hit_rate"] = chosen["is_new_to_you"].map(at_random)
    if len(chosen):
        chosen = pd.concat([chosen, _most_played_recordings(before, hits)], ignore_index=True)
    return chosen.assign(hidden_days=HIDDEN_DAYS, is_hit=chosen["recording_key"].isin(hits))


def _most_played_recordings(songs: pd.DataFrame, hits: set[str]) -> pd.DataFrame:
    """The recordings played most, with or without known features."""
    played = songs[songs["plays"] > 0].sort_values(["plays", KEY], ascending=[False, True])
    by_recording = played.groupby("recording_key")
    names = by_recording[["track_id", "track_name", "artist_name", "track_genre"]].first()
    recordings = names.assign(play_count=by_recording["plays"].sum()).reset_index()
    most = recordings.sort_values(["play_count", "recording_key"], ascending=[False, True]).head(JUDGED_LENGTH)
    places = range(1, len(most) + 1)
    at_random = recordings["recording_key"].isin(hits).mean()
    return most.assign(
        playlist_name=MOST_PLAYED, choice=places, position=places, is_new_to_you=False, random_hit_rate=at_random
    )
