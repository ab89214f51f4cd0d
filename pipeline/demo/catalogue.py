"""The invented catalogue of the demo data: artists, tracks, and audio features related as real ones are."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Parameters = Mapping[str, Any]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SIGNIFICANT_DIGITS = 3  # as the Kaggle catalogue gives its 0..1 features
DECIMALS = 3  # the same for loudness and tempo
PATTERN_LISTS = {  # slot of a name pattern -> word list
    "adjective": "adjectives",
    "first": "firsts",
    "surname": "surnames",
    "craft": "crafts",
    "ensemble": "ensembles",
    "doing": "doings",
    "place": "places",
    "time": "times",
}


@dataclass(frozen=True)
class Track:
    """One row of the catalogue: a track in one genre."""

    track_id: str
    artists: tuple[str, ...]
    album: str
    title: str
    popularity: int
    duration_ms: int
    explicit: bool
    key: int
    mode: int
    time_signature: int
    features: Mapping[str, float]
    genre: str


@dataclass(frozen=True)
class Catalogue:
    """The rows of the file, and the distinct recordings by first artist in the order of `artists`."""

    artists: Sequence[str]
    recordings: Mapping[str, Sequence[Track]]
    rows: Sequence[Track]


class Ids:
    """Hands out ids that have the form of Spotify's and say that they are none."""

    def __init__(self, parameters: Parameters) -> None:
        self._prefix: str = parameters["demo"]["id_prefix"]
        self._digits: int = parameters["demo"]["id_length"] - len(self._prefix)
        self._last = 0

    def new(self) -> str:
        """Returns the next id."""
        self._last += 1
        return f"{self._prefix}{self._last:0{self._digits}d}"


class Names:
    """Makes up names from word lists; no artist and no title of one artist comes twice."""

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        self._words: Parameters = parameters["words"]
        self._slots: dict[str, Sequence[str]] = {
            "thing": [singular for singular, _ in self._words["nouns"]],
            "things": [plural for _, plural in self._words["nouns"]],
            **{slot: self._words[name] for slot, name in PATTERN_LISTS.items()},
        }
        self._rng = rng
        self._taken: set[tuple[str, str]] = set()

    def reserve(self, artist: str) -> str:
        """Keeps a given artist name from being made up again."""
        self._taken.add((plain(artist), ""))
        return artist

    def new_artist(self) -> str:
        """Returns an artist name that is not taken yet."""
        return self._first_free(self._artist_names(), "")

    def new_title(self, artist: str) -> str:
        """Returns a title that the artist does not have yet, whatever its accents and case."""
        return self._first_free(self._titles(), plain(artist))

    def album(self) -> str:
        """Returns an album name; like real ones these may come twice."""
        return self._fill(self._pick(self._words["album_patterns"]))

    def _first_free(self, names: Iterator[str], artist: str) -> str:
        for name in names:
            entry = (artist, plain(name)) if artist else (plain(name), "")
            if entry not in self._taken:
                self._taken.add(entry)
                return name
        raise AssertionError("name generators are endless")

    def _artist_names(self) -> Iterator[str]:
        while True:
            yield self._fill(self._pick(self._words["artist_patterns"]))

    def _titles(self) -> Iterator[str]:
        while True:
            draw = self._rng.random()
            if draw < self._words["other_script_share"]:
                yield self._pick(self._words["other_script_titles"])
            elif draw < self._words["other_script_share"] + self._words["quoted_title_share"]:
                yield self._fill(self._pick(self._words["quoted_title_patterns"]))
            else:
                yield self._fill(self._pick(self._words["title_patterns"]))

    def _fill(self, pattern: str) -> str:
        used: set[str] = set()

        def word(match: re.Match[str]) -> str:
            choices = [choice for choice in self._slots[match[1]] if choice not in used]
            used.add(chosen := self._pick(choices))
            return chosen

        name = re.sub(r"{(\w+)}", word, pattern)
        return name[0].upper() + name[1:]

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[int(self._rng.integers(len(choices)))]


def plain(text: str) -> str:
    """Returns the text without accents and case."""
    return without_accents(text).casefold()


def without_accents(text: str) -> str:
    """Returns the text with its combining marks taken off."""
    letters = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
    return unicodedata.normalize("NFC", "".join(letters))


def build_catalogue(parameters: Parameters, names: Names, ids: Ids, rng: np.random.Generator) -> Catalogue:
    """Makes up the whole catalogue.

    Args:
        parameters: The demo parameters.
        names: Source of artist and track names.
        ids: Source of track ids.
        rng: Source of all other draws.

    Returns:
        The artists, favourites first, with their recordings, and the rows of the catalogue file.
    """
    genre_of = _artists_with_genre(parameters, names, rng)
    recordings = _recordings(parameters, genre_of, names, ids, rng)
    artists = list(genre_of)
    played = set(artists[: parameters["listener"]["library_artists"]])
    # What the listener plays keeps its features, so that every planted truth can be measured.
    unplayed = [index for index, track in enumerate(recordings) if track.artists[0] not in played]
    _fail_analyses(parameters, recordings, unplayed, rng)
    tracks = [
        *recordings,
        *_re_releases(parameters, recordings, ids, rng),
        *_audio_twins(parameters, recordings, ids, rng),
    ]
    rows = [*tracks, *_repeated_rows(parameters, tracks, rng), *_nameless_rows(parameters, tracks, ids, rng)]
    by_artist: dict[str, list[Track]] = {artist: [] for artist in artists}
    for track in recordings:
        by_artist[track.artists[0]].append(track)
    return Catalogue(artists, by_artist, sorted(rows, key=lambda row: row.genre))


def _artists_with_genre(parameters: Parameters, names: Names, rng: np.random.Generator) -> dict[str, str]:
    genre_of: dict[str, str] = dict(parameters["listener"]["favourites"])
    odd_artists: list[str] = parameters["words"]["odd_artists"]
    for artist in [*genre_of, *odd_artists]:
        names.reserve(artist)
    genres = list(parameters["genres"])
    made_up = parameters["catalogue"]["artists"] - len(genre_of) - len(odd_artists)
    # Odd names come last: the listener's library is the head of this list.
    for artist in [*(names.new_artist() for _ in range(made_up)), *odd_artists]:
        genre_of[artist] = genres[int(rng.integers(len(genres)))]
    return genre_of


def _recordings(
    parameters: Parameters, genre_of: Mapping[str, str], names: Names, ids: Ids, rng: np.random.Generator
) -> list[Track]:
    shape = parameters["catalogue"]
    artists, genres = list(genre_of), list(parameters["genres"])
    first_artist = _first_artists(parameters, artists, rng)
    main_genre = np.array([genres.index(genre) for genre in genre_of.values()])[first_artist]
    elsewhere = rng.random(len(first_artist)) < shape["other_genre_share"]
    genre = np.where(elsewhere, rng.integers(len(genres), size=len(first_artist)), main_genre)
    features = _features(parameters, genre, first_artist, rng)
    albums = {artist: [names.album() for _ in range(shape["albums_per_artist"])] for artist in artists}
    fame = rng.normal(shape["mean_popularity"], shape["artist_popularity_sd"], len(artists))
    tracks = []
    for index, artist_index in enumerate(first_artist):
        artist = artists[artist_index]
        popularity = rng.normal(fame[artist_index], shape["track_popularity_sd"])
        tracks.append(
            Track(
                track_id=ids.new(),
                artists=(artist, *_guests(shape, artist, artists, rng)),
                album=albums[artist][int(rng.integers(shape["albums_per_artist"]))],
                title=names.new_title(artist),
                popularity=round(float(np.clip(popularity, 0, 100))),
                duration_ms=random_duration_ms(shape, rng),
                explicit=bool(rng.random() < shape["explicit_share"]),
                key=int(rng.integers(12)),
                mode=int(rng.random() < parameters["features"]["major_share"]),
                time_signature=int(
                    rng.choice(
                        parameters["features"]["time_signatures"], p=parameters["features"]["time_signature_shares"]
                    )
                ),
                features={name: float(values[index]) for name, values in features.items()},
                genre=genres[genre[index]],
            )
        )
    return tracks


def _first_artists(parameters: Parameters, artists: Sequence[str], rng: np.random.Generator) -> IntArray:
    favourites = len(parameters["listener"]["favourites"])
    sure = np.concatenate(
        [
            np.repeat(np.arange(favourites), parameters["listener"]["tracks_per_favourite"]),
            np.arange(favourites, len(artists)),  # everybody else has at least one
        ]
    )
    more = rng.integers(len(artists), size=parameters["catalogue"]["recordings"] - len(sure))
    return np.sort(np.concatenate([sure, more]))


def random_duration_ms(shape: Parameters, rng: np.random.Generator) -> int:
    """Returns the length of a track."""
    duration = shape["median_duration_ms"] * np.exp(rng.normal(0, shape["duration_spread"]))
    return round(float(np.clip(duration, *shape["duration_range_ms"])))


def _guests(shape: Parameters, artist: str, artists: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    draw = rng.random()
    count = 2 if draw < shape["third_artist_share"] else 1 if draw < shape["second_artist_share"] else 0
    others = rng.choice(len(artists), size=count + 1, replace=False)
    return tuple(artists[other] for other in others if artists[other] != artist)[:count]


def _features(
    parameters: Parameters, genre: IntArray, artist: IntArray, rng: np.random.Generator
) -> dict[str, FloatArray]:
    """Draws latent values as genre + artist + track, then gives each feature its own shape."""
    settings = parameters["features"]
    names = settings["names"]
    root = np.linalg.cholesky(_correlation_matrix(settings["correlations"]))
    centres = np.array(list(parameters["genres"].values()))
    of_artist = settings["artist_sd"] * rng.normal(size=(parameters["catalogue"]["artists"], len(names)))
    of_track = settings["track_sd"] * rng.normal(size=(len(genre), len(names)))
    latent = centres[genre] + (of_artist[artist] + of_track) @ root.T
    return {name: _shaped(latent[:, column], settings["shapes"][name]) for column, name in enumerate(names)}


def _correlation_matrix(lower_triangle: Sequence[Sequence[float]]) -> FloatArray:
    matrix = np.eye(len(lower_triangle))
    for row, values in enumerate(lower_triangle):
        matrix[row, : len(values)] = matrix[: len(values), row] = values
    return matrix


def _shaped(latent: FloatArray, shape: Parameters) -> FloatArray:
    values: FloatArray = shape["centre"] + shape["scale"] * latent
    match shape["kind"]:
        case "linear":
            return np.clip(values, *shape["range"]).round(DECIMALS)
        case "logistic":
            values = 1 / (1 + np.exp(-values))
        case "lognormal":
            values = shape["floor"] + np.exp(values)
    values = np.clip(values, *shape["range"])
    values[values < shape.get("zero_below", 0.0)] = 0.0
    return np.array([float(f"{value:.{SIGNIFICANT_DIGITS}g}") for value in values])


def _fail_analyses(
    parameters: Parameters, recordings: list[Track], candidates: Sequence[int], rng: np.random.Generator
) -> None:
    shape = parameters["catalogue"]
    whole, single = shape["failed_analyses"], shape["valence_only_failures"]
    chosen = rng.choice(candidates, size=whole + single, replace=False)
    zeros = {name: 0.0 for name in shape["zero_when_missing"] if name in parameters["features"]["names"]}
    for count, index in enumerate(chosen):
        track = recordings[index]
        if count < whole:
            recordings[index] = replace(track, time_signature=0, features={**track.features, **zeros})
        else:
            recordings[index] = replace(track, features={**track.features, "valence": 0.0})


def _re_releases(
    parameters: Parameters, recordings: Sequence[Track], ids: Ids, rng: np.random.Generator
) -> list[Track]:
    shape = parameters["catalogue"]
    suffixes, deluxe = shape["re_release_suffixes"], shape["deluxe_suffix"]
    chosen = rng.choice(len(recordings), size=shape["re_releases"], replace=False)
    return [
        replace(
            recordings[index],
            track_id=ids.new(),
            album=recordings[index].album + deluxe,
            title=recordings[index].title + suffixes[count % len(suffixes)],
        )
        for count, index in enumerate(chosen)
    ]


def _audio_twins(
    parameters: Parameters, recordings: Sequence[Track], ids: Ids, rng: np.random.Generator
) -> list[Track]:
    chosen = rng.choice(len(recordings), size=parameters["catalogue"]["audio_twins"], replace=False)
    suffix = parameters["catalogue"]["twin_suffix"]
    return [replace(recordings[index], track_id=ids.new(), title=recordings[index].title + suffix) for index in chosen]


def _repeated_rows(parameters: Parameters, tracks: Sequence[Track], rng: np.random.Generator) -> list[Track]:
    shape, genres = parameters["catalogue"], list(parameters["genres"])
    chosen = rng.choice(len(tracks), size=shape["genre_repeats"] + shape["exact_repeats"], replace=False)
    rows = []
    for count, index in enumerate(chosen):
        track = tracks[index]
        if count < shape["genre_repeats"]:
            others = [genre for genre in genres if genre != track.genre]
            rows.append(replace(track, genre=others[int(rng.integers(len(others)))]))
        else:
            rows.append(replace(track, popularity=max(track.popularity - 1, 0)))
    return rows


def _nameless_rows(parameters: Parameters, tracks: Sequence[Track], ids: Ids, rng: np.random.Generator) -> list[Track]:
    chosen = rng.choice(len(tracks), size=parameters["catalogue"]["nameless_rows"], replace=False)
    nothing: dict[str, Any] = {"artists": (), "album": "", "title": "", "popularity": 0, "duration_ms": 0}
    return [replace(tracks[index], track_id=ids.new(), **nothing) for index in chosen]
