"""Made-up songs, as plays and as rows of the catalogue."""

from datetime import date, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from gold.prescriptive.listed_songs import listed_songs
from silver.catalogue_tracks import catalogue_tracks
from silver.listening_with_features import listening_with_features
from tests.support.frames import frame_of, play

FIRST_DAY = datetime(2026, 1, 1, 12)
SOUND = {
    "valence": 0.5, "energy": 0.5, "danceability": 0.5, "acousticness": 0.2, "instrumentalness": 0.0,
    "speechiness": 0.05, "loudness": -8.0, "tempo": 120.0,
}  # fmt: skip


def plays_of(artist: str, title: str, count: int = 1, day: int = 0, **values: Any) -> list[dict[str, Any]]:
    """So many plays of one song within one day."""
    values = {"track_id": f"{artist} {title}".ljust(22, "0"), "recording_key": _key(artist, title), **SOUND, **values}
    start = FIRST_DAY + timedelta(days=day)
    return [
        play(str(start + timedelta(seconds=i)), artist_name=artist, track_name=title, **values) for i in range(count)
    ]


def offer(artist: str, title: str, **values: Any) -> dict[str, Any]:
    """One track of the catalogue."""
    genre = values.get("track_genre", "pop")
    return {
        "track_id": f"{artist} {title}".ljust(22, "0"), "first_artist": artist, "artists": artist, "track_name": title,
        "name_key": _key(artist, title), "popularity": 50, "track_genre": genre, "track_genres": genre,
        "row_number": 0, **SOUND, "loudness": _a_loudness_of_its_own(artist + title), **values,
    }  # fmt: skip


def inputs(
    spark: SparkSession, plays: list[dict[str, Any]], offers: list[dict[str, Any]]
) -> tuple[DataFrame, DataFrame]:
    """Plays and catalogue as the transforms take them."""
    return frame_of(spark, listening_with_features, plays), frame_of(spark, catalogue_tracks, offers)


def listed(spark: SparkSession, plays: list[dict[str, Any]], offers: list[dict[str, Any]]) -> DataFrame:
    """The lists that are made of them."""
    frame: DataFrame = listed_songs(*inputs(spark, plays, offers))
    return frame


def lifting(bright: bool = True) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A listener of 120 songs in four moods over 60 days, and a catalogue of 240 songs; dark is bright mirrored."""
    plays, offers = [], []
    for number in range(360):
        artist = f"Artist {number % 40}" if number < 240 else f"Unknown {number}"
        genre = ("pop", "soul", "salsa", "sleep")[number % 4]
        level = 0.45 + (number * 7 % 50) / 100
        values = {
            "valence": level if bright else round(1 - level, 6),
            "energy": round((number * 13 % 97) / 97, 6),
            "danceability": round((number * 31 % 89) / 89, 6),
            "instrumentalness": round((number % 5) / 5, 6),
            "acousticness": round((number * 11 % 83) / 83, 6),
            "tempo": 80.0 + number,
            "track_genre": genre,
        }
        if number < 120:
            if genre != "sleep":
                plays += plays_of(artist, f"Song {number}", 1 + number % 4, day=number // 2, **values)
        else:
            offers.append(offer(artist, f"Song {number}", popularity=number % 100, **values))
    return plays, offers


def day(number: int) -> date:
    """The date of the plays of that day."""
    return (FIRST_DAY + timedelta(days=number)).date()


def _a_loudness_of_its_own(name: str) -> float:
    """Equal features would make two recordings one."""
    return -8 - sum(i * ord(letter) for i, letter in enumerate(name, start=1)) / 100_000


def _key(artist: str, title: str) -> str:
    return f"{artist.lower()} | {title.lower()}"
