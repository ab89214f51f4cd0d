"""Made-up listeners who differ in nothing but what their music sounds like."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from tests.support.frames import play

SESSION_STARTS = (0, 7, 13, 19)  # one per part of the day
UNUSUAL_AT = 7


def listener(*, bright: bool) -> list[dict[str, Any]]:
    """640 plays of 80 tracks over 40 dates, an eighth of them without features; dark music is bright music mirrored."""
    rng = np.random.default_rng(7)
    tracks = rng.beta(5, 3, size=(80, 5)).tolist()
    plays = []
    for day in range(40):
        for hour in SESSION_STARTS:
            start = datetime(2026, 1, 1, hour) + timedelta(days=day)
            for minute in range(0, 16, 4):
                number = int(rng.integers(80))
                source = "none" if rng.random() < 0.125 else "kaggle"
                played = start + timedelta(minutes=minute)
                values = _features(tracks[number], unusual=hour == UNUSUAL_AT and minute == 0 and day % 15 == 5)
                if not bright:
                    mirrored = ("valence", "energy", "acousticness")
                    values |= {name: round(0.9 - 0.9 * values[name], 6) for name in mirrored}
                if source == "none":
                    values = {}
                session = int((start - datetime(1970, 1, 1)).total_seconds())
                names = {"track_id": f"t{number:02d}", "session_id": session, "feature_source": source}
                plays.append(play(str(played), **names, **values))
    return plays


def _features(track: list[float], *, unusual: bool) -> dict[str, float]:
    valence, energy = (0.01, 0.02) if unusual else (0.5 + track[0] / 3, 0.5 + track[1] / 3)
    features = {
        "valence": valence,
        "energy": energy,
        "danceability": track[2],
        "acousticness": 1 - track[1],
        "loudness": -20 + 15 * track[1],
        "tempo": 90 + 60 * track[3],
        "speechiness": track[4] / 5,
        "instrumentalness": (1 - track[4]) ** 3,
    }
    return {name: round(value, 6) for name, value in features.items()}
