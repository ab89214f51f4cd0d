"""Lists of songs: which songs each takes, how it ranks them, and in which order they are played.

A recording is near when it sounds like the music of the same kind that the listener already plays. Its distance is the
root mean square, over seven features of the sound, of the gap to the mean of the listener's plays of the same kind and
genre, in standard deviations of all their plays. Per genre, because the mean of salsa and punk describes neither; with
few plays in a genre its mean is shrunk towards that of all plays of the kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from gold.shared.songs import FEATURES, weighted_mean
from gold.shared.wording import DIGITS

SOUND = tuple(name for name in FEATURES if name != "valence")
# With this many plays, a genre's mean and that of all plays of the kind weigh the same.
HALF_TRUSTED_PLAYS = 5
# Weights of the score; they add up to 1.
AFFINITY_WEIGHT, NEARNESS_WEIGHT, FIT_WEIGHT = 0.5, 0.25, 0.25
PER_ARTIST = 2
# Prefix of the ids of the demo data, which Spotify does not know.
DEMO_ID = "demo"

LIFTS = "valence > usual_valence"
LIFT = "(valence - usual_valence) / (1 - usual_valence)"
RISING, FALLING, ARC = "rising", "falling", "arc"


@dataclass(frozen=True)
class SongList:
    """A list of songs. The expressions are those of `pandas.DataFrame.eval`, over the columns of `candidates`.

    Attributes:
        name: of the playlist.
        purpose: what it is for, in words.
        sounds: what its music sounds like; over features and usual_valence only, as played tracks are filtered, too.
        fit: 0..1, how well a recording serves the list's purpose.
        order: the column that the songs are played by, and whether rising, falling or in an arc.
        known: maximum of recordings that the listener already plays.
        new: maximum of recordings that they do not play.
        per_genre: maximum of recordings of one genre.
        among: condition on the candidates.
    """

    name: str
    purpose: str
    sounds: str
    fit: str
    order: tuple[str, str]
    known: int = 15
    new: int = 10
    per_genre: int = 25
    among: str = "affinity >= 0"


RECOMMENDATIONS = SongList(
    "Recommendations", "Music that lifts", LIFTS, LIFT, ("score", FALLING), known=25, new=25, per_genre=50
)
FOCUS = SongList(
    "Focus", "For work and reading: instrumental music with few words, slowly gaining energy",
    "instrumentalness >= 0.5 and speechiness < 0.1 and energy < 0.65", "instrumentalness", ("energy", RISING),
)  # fmt: skip
ENERGY = SongList(
    "Energy", "For exercise and chores: lively music that builds up to a peak and then eases off",
    "energy >= 0.75 and danceability >= 0.6", "(energy + danceability) / 2", ("energy", ARC),
)  # fmt: skip
RELAXATION = SongList(
    "Relaxation", "For winding down: quiet music, each song calmer than the one before",
    "energy < 0.4 and acousticness >= 0.3 and speechiness < 0.1", "(1 - energy + acousticness) / 2",
    ("energy", FALLING),
)  # fmt: skip
MOOD_LIFT = SongList(
    "Mood Lift", "For a lift: music brighter than your usual, from just above it to the brightest",
    LIFTS, LIFT, ("valence", RISING),
)  # fmt: skip
DISCOVERY = SongList(
    "Discovery", "For new music: artists you have not played yet, the best match first",
    "valence >= 0", "genre_affinity", ("score", FALLING), known=0, new=25, per_genre=4,
    among="is_new_to_you and artist_play_count == 0",
)  # fmt: skip
PLAYLISTS = (FOCUS, ENERGY, RELAXATION, MOOD_LIFT, DISCOVERY)


def fill_lists(songs: pd.DataFrame, found: pd.DataFrame, lists: Sequence[SongList]) -> pd.DataFrame:
    """Choose and order the songs of each list.

    A song's score is 0.5 x its affinity (see `candidates`) + 0.25 x its nearness + 0.25 x its fit, each 0..1; nearness
    is exp(-distance). No artist has more than two songs in a list.

    Args:
        songs: result of `songs_of`.
        found: result of `candidates` for them.
        lists: the lists, with different names.

    Returns:
        The candidates' columns with playlist_name, distance, kind_plays and genre_plays (the measured plays that the
        distance refers to: of the list's kind, and those of them in the song's genre), score, choice (1 = highest score
        of the list) and position (place in the order of playing, from 1).
    """
    played = _played_music(songs, found)
    if found.empty:
        return found.assign(
            playlist_name="", distance=0.0, kind_plays=0, genre_plays=0, score=0.0, choice=0, position=0
        )
    return pd.concat([_fill(song_list, found, played) for song_list in lists], ignore_index=True)


def spotify_url(track_id: object) -> str | None:
    """The link to a track; None without an id, or for an id of the demo data."""
    if not isinstance(track_id, str) or track_id.startswith(DEMO_ID):
        return None
    return f"https://open.spotify.com/track/{track_id}"


def _played_music(songs: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The measured tracks that the listener plays, with usual_valence."""
    played = songs[songs["is_played"].astype(bool) & (songs["plays"] > 0)].dropna(subset=list(FEATURES))
    return played.assign(usual_valence=found["usual_valence"].max())


def _fill(song_list: SongList, found: pd.DataFrame, played: pd.DataFrame) -> pd.DataFrame:
    wanted = found[_evaluate(found, song_list.among) & _evaluate(found, song_list.sounds)]
    of_kind = played[_evaluate(played, song_list.sounds)]
    distance = _distance(wanted, of_kind, played)
    score = AFFINITY_WEIGHT * wanted["affinity"] + NEARNESS_WEIGHT * np.exp(-distance)
    score = (score + FIT_WEIGHT * _evaluate(wanted, song_list.fit)).round(DIGITS)
    in_genre = wanted["track_genre"].map(of_kind.groupby("track_genre")["plays"].sum()).fillna(0)
    behind = {"kind_plays": of_kind["plays"].sum(), "genre_plays": in_genre}
    scored = wanted.assign(playlist_name=song_list.name, distance=distance, score=score, **behind).dropna(
        subset=["score"]
    )
    best_first = scored.sort_values(["score", "recording_key"], ascending=[False, True])
    best_first = best_first[best_first.groupby("artist_key").cumcount() < PER_ARTIST]
    best_first = best_first[best_first.groupby("track_genre", dropna=False).cumcount() < song_list.per_genre]
    most = np.where(best_first["is_new_to_you"], song_list.new, song_list.known)
    chosen = best_first[best_first.groupby("is_new_to_you").cumcount() < most]
    return _put_in_order(chosen.assign(choice=np.arange(1, len(chosen) + 1)), song_list)


def _distance(wanted: pd.DataFrame, of_kind: pd.DataFrame, played: pd.DataFrame) -> pd.Series:
    """The distance described above; 0 where the listener plays no music of the kind."""
    squares = pd.Series(0.0, index=wanted.index)
    plays = of_kind.groupby("track_genre")["plays"].sum()
    for name in SOUND:
        overall = weighted_mean(of_kind, name, "plays")
        in_genre = (of_kind[name] * of_kind["plays"]).groupby(of_kind["track_genre"]).sum()
        centres = (in_genre + HALF_TRUSTED_PLAYS * overall) / (plays + HALF_TRUSTED_PLAYS)
        centre = wanted["track_genre"].map(centres).astype(float).fillna(overall)
        mean = weighted_mean(played, name, "plays")
        spread = np.sqrt(weighted_mean(played.assign(square=(played[name] - mean) ** 2), "square", "plays"))
        if spread > 0:  # a feature without spread cannot distinguish
            squares += ((wanted[name] - centre) / spread) ** 2
    distance: pd.Series = (squares / len(SOUND)).pow(0.5).round(DIGITS).fillna(0.0)
    return distance


def _evaluate(rows: pd.DataFrame, expression: str) -> pd.Series:
    return cast("pd.Series", rows.eval(expression, engine="python"))


def _put_in_order(chosen: pd.DataFrame, song_list: SongList) -> pd.DataFrame:
    """Sort and number the songs in the order of playing."""
    column, direction = song_list.order
    ordered = chosen.sort_values([column, "recording_key"], ascending=[direction != FALLING, True], ignore_index=True)
    if direction == ARC:
        # Every third song is kept for the way down, so that the peak comes after two thirds.
        down = ordered.index % 3 == 2
        ordered = pd.concat([ordered[~down], ordered[down][::-1]], ignore_index=True)
    return ordered.assign(position=np.arange(1, len(ordered) + 1))
