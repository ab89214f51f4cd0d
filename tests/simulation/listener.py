"""A listener's month: sessions by day, silence at night, bursts of skipping, loops; and what Spotify tells of it."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.bronze.records import extended
from tests.support.spotify_server import play_item

TRACKS = 300
SHORTEST_SHOWN_MS = 30_000


@dataclass(frozen=True)
class Heard:
    """One play.

    Attributes:
        ended_at: when it ended, to the millisecond.
        number: the track's.
        ms_played: how long it was heard.
        shown_at: when the Web API begins to show it, None where it never does.
    """

    ended_at: datetime
    number: int
    ms_played: int
    shown_at: datetime | None

    @property
    def item(self) -> dict[str, Any]:
        """As the Web API shows it."""
        return play_item(self.ended_at, self.number)

    @property
    def record(self) -> dict[str, Any]:
        """As the privacy export has it."""
        return extended(
            f"{self.ended_at:%Y-%m-%dT%H:%M:%SZ}", ms_played=self.ms_played,
            master_metadata_track_name=f"Song {self.number}",
            master_metadata_album_artist_name=f"Artist {self.number % 20}",
            master_metadata_album_album_name=f"Album {self.number % 40}",
            spotify_track_uri=f"spotify:track:{self.number:022d}",
        )  # fmt: skip


def listen(chance: Random, start: datetime, days: int) -> list[Heard]:
    """Everything heard in so many days, some 35 plays a day, in order; every fiftieth is never shown."""
    heard: list[Heard] = []
    for day in range(days):
        clock = start + timedelta(days=day, hours=chance.uniform(7, 10))
        for _ in range(chance.randint(1, 4)):
            heard += session(chance, clock)
            clock = heard[-1].ended_at + timedelta(hours=chance.uniform(0.5, 4))
            if clock > start + timedelta(days=day, hours=23):
                break
    return [replace(play, shown_at=None) if number % 50 == 25 else play for number, play in enumerate(heard)]


def session(chance: Random, clock: datetime) -> list[Heard]:
    """Plays one after the other."""
    heard, number = [], chance.randrange(TRACKS)
    skips = chance.random() < 0.2
    for _ in range(chance.randint(20, 45) if skips else chance.randint(3, 24)):
        if chance.random() > 0.2:  # else once more
            number = chance.randrange(TRACKS)
        ms_played = chance.randint(31_000, 60_000) if skips else chance.randint(150_000, 280_000)
        if chance.random() < 0.1:
            ms_played = chance.randint(1_000, 29_000)
        clock += timedelta(milliseconds=ms_played + chance.randint(0, 2_000))
        heard.append(Heard(clock, number, ms_played, shown(chance, clock, ms_played)))
    return heard


def shown(chance: Random, ended_at: datetime, ms_played: int) -> datetime | None:
    """Most plays are shown at once, some late, short ones never."""
    if ms_played < SHORTEST_SHOWN_MS:
        return None
    late = timedelta(minutes=chance.uniform(5, 90) if chance.random() < 0.1 else chance.uniform(0, 2))
    return ended_at + late
