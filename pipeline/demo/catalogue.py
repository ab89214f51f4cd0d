"""The made-up catalogue of the demo data: artists and their tracks, with the flaws of the real one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.demo.draws import IntArray, random_duration_ms
from pipeline.demo.features import draw_features
from pipeline.demo.names import Ids, Names
from pipeline.demo.parameters import Parameters


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
    """The made-up catalogue.

    Attributes:
        artists: favourites of the listener first, best first.
        recordings: distinct recordings by first artist.
        rows: rows of the catalogue file.
    """

    artists: Sequence[str]
    recordings: Mapping[str, Sequence[Track]]
    rows: Sequence[Track]


def build_catalogue(parameters: Parameters, names: Names, ids: Ids, rng: np.random.Generator) -> Catalogue:
    """Make up the whole catalogue.

    Args:
        parameters: the demo parameters.
        names: source of artist and track names.
        ids: source of track ids.
        rng: source of all other draws.
    """
    genre_of = _artists_with_genre(parameters, names, rng)
    recordings = _recordings(parameters, genre_of, names, ids, rng)
    artists = list(genre_of)
    played = set(artists[: parameters["listener"]["library_artists"]])
    # Tracks that the listener plays keep their features, so that every planted truth can be measured.
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
    features = draw_features(parameters, genre, first_artist, rng)
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
    """Each recording's first artist, as a position among the artists, in ascending order."""
    favourites = len(parameters["listener"]["favourites"])
    fixed = np.concatenate(
        [
            np.repeat(np.arange(favourites), parameters["listener"]["tracks_per_favourite"]),
            np.arange(favourites, len(artists)),  # all others have at least one
        ]
    )
    more = rng.integers(len(artists), size=parameters["catalogue"]["recordings"] - len(fixed))
    return np.sort(np.concatenate([fixed, more]))


def _guests(shape: Parameters, artist: str, artists: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    draw = rng.random()
    count = 2 if draw < shape["third_artist_share"] else 1 if draw < shape["second_artist_share"] else 0
    others = rng.choice(len(artists), size=count + 1, replace=False)
    return tuple(artists[other] for other in others if artists[other] != artist)[:count]


def _fail_analyses(
    parameters: Parameters, recordings: list[Track], candidates: Sequence[int], rng: np.random.Generator
) -> None:
    """Set the features of some candidates to 0, as the real catalogue does where the audio analysis failed."""
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
    no_names: dict[str, Any] = {"artists": (), "album": "", "title": "", "popularity": 0, "duration_ms": 0}
    return [replace(tracks[index], track_id=ids.new(), **no_names) for index in chosen]
