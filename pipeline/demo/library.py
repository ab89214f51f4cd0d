"""What the listener of the demo data plays: songs of the catalogue and others, with weights and moods."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.demo.catalogue import Catalogue, Track
from pipeline.demo.draws import FloatArray, IntArray, random_duration_ms
from pipeline.demo.names import Ids, Names, without_accents
from pipeline.demo.parameters import Parameters

SPELLINGS: dict[str, Callable[[str], str]] = {
    "as_is": str,
    "without_accents": without_accents,
    "upper": str.upper,
    "lower": str.lower,
}


@dataclass(frozen=True)
class Song:
    """Something with a track id that can be played."""

    track_id: str
    artist: str
    album: str
    title: str
    duration_ms: int


class Pool:
    """Songs with weights; recent choices are avoided while there are others."""

    def __init__(self, songs: Sequence[Song], weights: FloatArray, memory: int) -> None:
        self.songs = songs
        self._weights = weights
        self._recent: deque[int] = deque(maxlen=memory)

    def choose(self, rng: np.random.Generator, tilt: FloatArray | float = 1.0) -> int:
        """The position of a song, drawn by weight times tilt."""
        weights = self._weights * tilt
        fresh = weights.copy()
        fresh[list(self._recent)] = 0.0
        chances = np.cumsum(fresh if fresh.any() else weights)
        chosen = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
        self._recent.append(chosen)
        return chosen


class Library:
    """The catalogue tracks that the listener plays.

    Attributes:
        features: one array per audio feature; one value per track, as in all that follows.
        mood: each track's mood, as its position in the parameters' mood names.
        pool: the tracks as songs, with weights.
        other_releases: the same recordings under ids that the catalogue lacks.
    """

    def __init__(self, parameters: Parameters, catalogue: Catalogue, ids: Ids, rng: np.random.Generator) -> None:
        listener = parameters["listener"]
        owned = [
            (rank, track)
            for rank, artist in enumerate(library_artists(parameters, catalogue))
            for track in catalogue.recordings[artist]
            if track.features["valence"]  # 0 where the analysis failed: planted truths rest on features
        ]
        owner, tracks = np.array([rank for rank, _ in owned]), [track for _, track in owned]
        names: list[str] = parameters["features"]["names"]
        self.features = {name: np.array([track.features[name] for track in tracks]) for name in names}
        self.mood = _moods(parameters, self.features["valence"], self.features["energy"])
        weights = _library_weights(listener, owner, self.mood)
        self.pool = Pool([_song(track) for track in tracks], weights, listener["recent_recordings"])
        self.other_releases = [_other_release(listener["other_release"], track, ids, rng) for track in tracks]


def library_artists(parameters: Parameters, catalogue: Catalogue) -> list[str]:
    """The artists of the catalogue that the listener plays: favourites, best first, and those that come next."""
    listener = parameters["listener"]
    favourites = list(listener["favourites"])
    others = [artist for artist in catalogue.artists[listener["library_from"] :] if artist not in favourites]
    return [*favourites, *others][: listener["library_artists"]]


def made_up_pool(
    parameters: Parameters, artists: Sequence[str], songs_each: int, names: Names, ids: Ids, rng: np.random.Generator
) -> Pool:
    """Songs that the catalogue lacks.

    Args:
        parameters: the demo parameters.
        artists: their artists, most played first.
        songs_each: songs per artist.
        names: source of titles and albums.
        ids: source of track ids.
        rng: source of all other draws.
    """
    listener, shape = parameters["listener"], parameters["catalogue"]
    songs = []
    for artist in artists:
        album = names.album()
        for _ in range(songs_each):
            duration = random_duration_ms(shape, rng)
            songs.append(Song(ids.new(), artist, album, names.new_title(artist), duration))
    by_artist = np.repeat(_zipf(len(artists), listener["zipf_exponent"]), songs_each)
    by_song = np.tile(_zipf(songs_each, listener["track_zipf_exponent"]), len(artists))
    return Pool(songs, by_artist * by_song, listener["recent_recordings"])


def _moods(parameters: Parameters, valence: FloatArray, energy: FloatArray) -> IntArray:
    low, high = parameters["moods"]["low"], parameters["moods"]["high"]
    corners = [
        (valence >= high) & (energy >= high),
        (valence >= high) & (energy < low),
        (valence < low) & (energy >= high),
        (valence < low) & (energy < low),
    ]
    return np.select(corners, [np.int64(corner) for corner in range(len(corners))], default=len(corners))


def _zipf(count: int, exponent: float) -> FloatArray:
    return np.power(np.arange(1, count + 1, dtype=np.float64), -exponent)


def _library_weights(listener: Parameters, owner: IntArray, mood: IntArray) -> FloatArray:
    """Weights that give an artist the same share in every mood that the artist has tracks in."""
    first = np.r_[True, owner[1:] != owner[:-1]]
    rank = np.arange(len(owner)) - np.flatnonzero(first)[np.cumsum(first) - 1]
    weights: FloatArray = _zipf(int(rank.max()) + 1, listener["track_zipf_exponent"])[rank]
    for artist in np.unique(owner):
        for category in np.unique(mood[owner == artist]):
            members = (owner == artist) & (mood == category)
            weights[members] /= weights[members].sum()
    by_artist = _zipf(int(owner.max()) + 1, listener["zipf_exponent"])
    weights *= by_artist[owner]
    return weights


def _song(track: Track) -> Song:
    return Song(track.track_id, track.artists[0], track.album, track.title, track.duration_ms)


def _other_release(settings: Parameters, track: Track, ids: Ids, rng: np.random.Generator) -> Song:
    spelling = SPELLINGS[settings["spellings"][int(rng.integers(len(settings["spellings"])))]]
    suffix = settings["suffixes"][int(rng.integers(len(settings["suffixes"])))]
    return Song(ids.new(), track.artists[0], track.album, spelling(track.title) + suffix, track.duration_ms)
