"""Which songs make a playlist for focus, energy, relaxation, a lift or discovery, and in which order?"""

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.shared.caveats import MEASURED
from gold.shared.song_lists import PLAYLISTS, RECOMMENDATIONS, spotify_url
from lakehouse.contract import accepted_values, expression, in_range, table
from silver.rules.bounded import in_pandas

MAX_LENGTH = 25


@table(
    grain="One row per listener, playlist and position, up to 25 songs in the order of playing.",
    key="listener playlist_name position",
    columns=(
        "listener playlist_name playlist_purpose position track_id track_name artist_name play_count is_new_to_you "
        "spotify_url"
    ),
    checks=[
        accepted_values("playlist_name", *(playlist.name for playlist in PLAYLISTS)),
        in_range("position", 1, MAX_LENGTH),
        expression("new means never played", "is_new_to_you = (play_count = 0)"),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def personalized_playlist_suggestions(listed_songs: DataFrame) -> DataFrame:
    """For how each playlist chooses, ranks and orders songs see `song_lists`; no song is in a playlist twice.

    Up to 15 songs that the listener plays and 10 that they do not; Discovery has new ones only. A playlist that no song
    fits has no rows, and there are none below 20 measured plays.
    """
    return in_pandas(
        listed_songs.where((F.col("hidden_days") == 0) & (F.col("playlist_name") != RECOMMENDATIONS.name)),
        _playlists,
        "playlist_name string, playlist_purpose string, position int, track_id string, track_name string, "
        "artist_name string, play_count bigint, is_new_to_you boolean, spotify_url string",
        key=["playlist_name", "position"],
        max_rows=len(PLAYLISTS) * MAX_LENGTH,
    )


def _playlists(chosen: pd.DataFrame) -> pd.DataFrame:
    purposes = {
        playlist.name: f"{playlist.purpose}. {_numbers(chosen[chosen['playlist_name'] == playlist.name])}"
        for playlist in PLAYLISTS
    }
    names = chosen["playlist_name"]
    same = ["position", "track_id", "track_name", "artist_name", "play_count", "is_new_to_you"]
    return chosen[same].assign(
        playlist_name=names, playlist_purpose=names.map(purposes), spotify_url=chosen["track_id"].map(spotify_url)
    )


def _numbers(songs: pd.DataFrame) -> str:
    """How the playlist turned out for this listener."""
    spans = [f"{name} {songs[name].min():.2f} to {songs[name].max():.2f}" for name in ("energy", "valence")]
    return f"{len(songs)} songs, {songs['is_new_to_you'].sum()} of them new to you; {', '.join(spans)}."
