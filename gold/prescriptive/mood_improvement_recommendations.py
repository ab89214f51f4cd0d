"""Which songs lift the mood of the music, among those the listener plays and those they do not play yet?"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.shared.caveats import MEASURED
from gold.shared.song_lists import RECOMMENDATIONS, spotify_url
from lakehouse.contract import expression, in_range, table
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import HIGH, LOW

Song = Mapping[Hashable, Any]
DANCEABLE = 0.7
DANCE, LIVELY, CALM, EVERYDAY = "Dancing or exercise", "A burst of energy", "A calm lift", "An everyday lift"


@table(
    grain="One row per listener and recommended recording, best first: up to 25 that they play and 25 new ones.",
    key="listener track_name artist_name",
    columns=(
        "listener track_id track_name artist_name play_count avg_valence avg_energy avg_danceability is_new_to_you "
        "score recommendation_reason target_scenario spotify_url"
    ),
    checks=[
        *(in_range(name, 0, 1) for name in ("avg_valence", "avg_energy", "avg_danceability", "score")),
        expression("new means never played", "is_new_to_you = (play_count = 0)"),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def mood_improvement_recommendations(listed_songs: DataFrame) -> DataFrame:
    """Recordings with a higher valence than the mean of the listener's measured plays.

    The score is 0.5 x affinity (how much the listener plays the recording and its artist, or the artist and genre of a
    new one) + 0.25 x nearness + 0.25 x the share of the way up to valence 1; see `song_lists`, also for nearness, and
    `songs.candidates`. No artist has more than two songs. No rows below 20 measured plays.
    """
    return in_pandas(
        listed_songs.where((F.col("hidden_days") == 0) & (F.col("playlist_name") == RECOMMENDATIONS.name)),
        _recommendations,
        "track_id string, track_name string, artist_name string, play_count bigint, avg_valence double, "
        "avg_energy double, avg_danceability double, is_new_to_you boolean, score double, "
        "recommendation_reason string, target_scenario string, spotify_url string",
        key="choice",
        max_rows=RECOMMENDATIONS.known + RECOMMENDATIONS.new,
    )


def _recommendations(chosen: pd.DataFrame) -> pd.DataFrame:
    of_song = chosen.to_dict("records")
    same = ["track_id", "track_name", "artist_name", "play_count", "is_new_to_you", "score"]
    return chosen[same].assign(
        avg_valence=chosen["valence"],
        avg_energy=chosen["energy"],
        avg_danceability=chosen["danceability"],
        recommendation_reason=pd.Series(map(_reason, of_song), index=chosen.index, dtype=object),
        target_scenario=pd.Series(map(_scenario, of_song), index=chosen.index, dtype=object),
        spotify_url=chosen["track_id"].map(spotify_url),
    )


def _reason(song: Song) -> str:
    valence, usual = song["valence"], song["usual_valence"]
    lift = f"valence {valence:.2f}, {valence - usual:.2f} above your usual {usual:.2f}"
    return f"{'; '.join([_familiarity(song), lift, *_nearness(song)])}."


def _nearness(song: Song) -> list[str]:
    """How near the song is, and to what; nothing if the listener plays no bright music."""
    if pd.isna(song["distance"]):
        return []
    genre = f" in the genre {song['track_genre']}" if song["genre_plays"] else ""
    return [f"{song['distance']:.2f} standard deviations from the bright music you play{genre}"]


def _familiarity(song: Song) -> str:
    by_artist = song["artist_play_count"]
    if not song["is_new_to_you"]:
        return f"You played it {_times(song['play_count'])}, {song['artist_name']} {_times(by_artist)} in all"
    if by_artist:
        return f"New to you, by {song['artist_name']}, whom you played {_times(by_artist)}"
    return f"New to you, of a genre that makes up {100 * song['genre_share']:.1f} % of your listening"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _scenario(song: Song) -> str:
    if song["energy"] >= HIGH:
        return DANCE if song["danceability"] >= DANCEABLE else LIVELY
    return CALM if song["energy"] < LOW else EVERYDAY
