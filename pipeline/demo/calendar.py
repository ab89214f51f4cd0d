"""When the listener of the demo data plays something: sessions, wake-up songs and everything spoken."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.demo.catalogue import Parameters

SATURDAY = 5  # of date.weekday()


@dataclass(frozen=True)
class Slot:
    """A time kept free: its start, and what is played in it."""

    start: int
    kind: str
    plays: int


def plan(parameters: Parameters, rng: np.random.Generator) -> list[Slot]:
    """Places everything the listener does so that no two things overlap.

    Args:
        parameters: The demo parameters.
        rng: Source of all draws.

    Returns:
        The slots in order of time; the plays of wake-up songs and sessions add up to the counted plays.
    """
    rhythm, wake_up, records = parameters["rhythm"], parameters["wake_up"], parameters["records"]
    calendar = _Calendar(parameters, rng)
    for day in calendar.some_days(wake_up["mornings"]):
        calendar.keep(day, wake_up["hour"] * 60 + random_between(wake_up["minutes_past"], rng), "wake_up", 1)
    plays = parameters["listener"]["counted_plays"] - wake_up["mornings"]
    chances = rng.gamma(rhythm["session_evenness"], size=rhythm["sessions"])
    extra = rng.multinomial(plays - rhythm["sessions"], chances / chances.sum())
    # The longest first, while there is room for them.
    for length in sorted((1 + extra).tolist(), reverse=True):
        calendar.place("session", length)
    for kind, count in {
        "podcast": records["podcast_episodes"],
        "video_episode": records["video_episodes"],
        "audiobook": records["audiobook_chapters"],
        "nothing": records["without_track"],
    }.items():
        for _ in range(count):
            calendar.place(kind, 1)
    return sorted(calendar.slots, key=lambda slot: slot.start)


class _Calendar:
    """The window's days; finds free times by the planted rhythm."""

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        listener = parameters["listener"]
        self._rhythm, self._records, self._rng = parameters["rhythm"], parameters["records"], rng
        self._zone = ZoneInfo(listener["time_zone"])
        days = (listener["last_date"] - listener["first_date"]).days + 1
        self._days = [listener["first_date"] + timedelta(days=day) for day in range(days)]
        weights = [self._rhythm["weekend_factor"] if day.weekday() >= SATURDAY else 1.0 for day in self._days]
        self._day_chances = np.array(weights) / sum(weights)
        self._end = self._instant(listener["last_date"] + timedelta(days=1), 0)
        self._kept: list[tuple[int, int]] = []
        self.slots: list[Slot] = []

    def some_days(self, count: int) -> list[date]:
        """Returns that many different days."""
        return [self._days[day] for day in self._rng.choice(len(self._days), size=count, replace=False)]

    def keep(self, day: date, minute: int, kind: str, plays: int) -> bool:
        """Keeps a time from the given local minute of the day on, if it is free."""
        start = self._instant(day, minute)
        minutes = self._rhythm["gap_minutes"] + plays * self._rhythm["minutes_per_play"]
        if kind in ("podcast", "video_episode", "audiobook"):
            minutes += self._records["spoken_minutes"][1]
        stop = start + minutes * 60
        if stop > self._end or any(start < kept[1] and kept[0] < stop for kept in self._kept):
            return False
        self._kept.append((start, stop))
        self.slots.append(Slot(start, kind, plays))
        return True

    def place(self, kind: str, plays: int) -> None:
        """Draws times by the rhythm until one is free."""
        placed = False
        while not placed:
            day = self._days[int(self._rng.choice(len(self._days), p=self._day_chances))]
            weights = self._rhythm["weekend_hours" if day.weekday() >= SATURDAY else "weekday_hours"]
            hour = int(self._rng.choice(len(weights), p=np.array(weights) / sum(weights)))
            placed = self.keep(day, hour * 60 + int(self._rng.integers(60)), kind, plays)

    def _instant(self, day: date, minute: int) -> int:
        local = datetime.combine(day, time(minute // 60, minute % 60), self._zone)
        return int(local.timestamp())


def random_between(bounds: Sequence[int], rng: np.random.Generator) -> int:
    """Returns a whole number from the first bound to the second, both included."""
    return int(rng.integers(bounds[0], bounds[1], endpoint=True))
