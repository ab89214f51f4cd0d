"""A made-up catalogue with a known truth: valence is danceability plus the artist's own mood plus noise."""

import numpy as np
import pandas as pd

GENRES = ("pop", "rock", "folk", "salsa")


def small_catalogue(recordings: int = 400, artists: int = 40, seed: int = 7) -> pd.DataFrame:
    """One row per track: every recording once, every tenth also as a second release."""
    random = np.random.default_rng(seed)
    artist = np.arange(recordings) % artists
    mood = random.normal(0, 0.12, artists)[artist]
    danceability, energy = random.uniform(0.1, 0.9, (2, recordings))
    tracks = pd.DataFrame(
        {
            "track_id": [f"t{i:05d}" for i in range(recordings)],
            "artists": [f"Artist {number}" for number in artist],
            "first_artist": [f"Artist {number}" for number in artist],
            "track_name": [f"Song {i}" for i in range(recordings)],
            "name_key": [f"artist {artist[i]} | song {i}" for i in range(recordings)],
            "popularity": random.integers(0, 100, recordings),
            "duration_ms": random.integers(100_000, 300_000, recordings),
            "explicit": random.random(recordings) < 0.2,
            "danceability": danceability,
            "energy": energy,
            "key": random.integers(0, 12, recordings),
            "loudness": -20 + 18 * energy + random.normal(0, 1, recordings),
            "mode": random.integers(0, 2, recordings),
            "speechiness": random.uniform(0.02, 0.4, recordings),
            "acousticness": np.clip(1 - energy + random.normal(0, 0.1, recordings), 0, 1),
            "instrumentalness": random.uniform(0, 1, recordings) ** 4,
            "liveness": random.uniform(0.05, 0.6, recordings),
            "valence": np.clip(danceability + mood + random.normal(0, 0.05, recordings), 0.01, 1),
            "tempo": random.uniform(60, 180, recordings),
            "time_signature": random.choice([3, 4, 5], recordings),
            "track_genres": [GENRES[number % len(GENRES)] for number in artist],
        }
    )
    reissued = tracks.iloc[::10].assign(track_id=lambda rows: "r" + rows["track_id"], popularity=0)
    return pd.concat([tracks, reissued], ignore_index=True)


def listened(catalogue: pd.DataFrame, rows: slice, plays: int = 2) -> pd.DataFrame:
    """The catalogue's rows as a listener's tracks, matched by id, with what the catalogue says about them."""
    tracks = catalogue.iloc[rows].reset_index(drop=True)
    return tracks.assign(
        track_key=tracks["track_id"],
        recording_key=tracks["name_key"],
        matched_track_id=tracks["track_id"],
        artist_name=tracks["first_artist"],
        feature_source="kaggle",
        plays=plays,
    ).drop(columns=["first_artist", "popularity"])
