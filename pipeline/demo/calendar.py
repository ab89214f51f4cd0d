"""When the listener of the demo data plays something: sessions, wake-up songs, podcasts and audiobooks."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.demo.draws import random_between
from pipeline.demo.parameters import Parameters

SATURDAY = 5  # of date.weekday()


@dataclass(frozen=True)
class Slot:
    """A planned stretch of listening.

    Attributes:
        start: seconds since 1970.
        kind: 'session', 'wake_up', 'podcast', 'video_episode', 'audiobook' or 'nothing' (a record without names).
        plays: counted plays in it.
    """

    start: int
    kind: str
    plays: int


def plan(parameters: Parameters, rng: np.random.Generator) -> list[Slot]:
    """Plan everything the listener does without overlaps.

    Args:
        parameters: the demo parameters.
        rng: source of all draws.

    Returns:
        The slots in order of time; the plays of wake-up songs and sessions add up to the counted plays.
    """
    rhythm, wake_up, records = parameters["rhythm"], parameters["wake_up"], parameters["records"]
    calendar = _Calendar(parameters, rng)
    for day in calendar.draw_days(wake_up["mornings"]):
        calendar.reserve(day, wake_up["hour"] * 60 + random_between(wake_up["minutes_past"], rng), "wake_up", 1)
    plays = parameters["listener"]["counted_plays"] - wake_up["mornings"]
    chances = rng.gamma(rhythm["session_evenness"], size=rhythm["sessions"])
    extra = rng.multinomial(plays - rhythm["sessions"], chances / chances.sum())
    # The longest first, while there are gaps that are long enough.
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
    """The days of the window; draws free times by the planted rhythm."""

    def __init__(self, parameters: Parameters, rng: np.random.Generator) -> None:
        listener = parameters["listener"]
        self._rhythm, self._records, self._rng = parameters["rhythm"], parameters["records"], rng
        self._zone = ZoneInfo(listener["time_zone"])
        days = (listener["last_date"] - listener["first_date"]).days + 1
        self._days = [listener["first_date"] + timedelta(days=day) for day in range(days)]
        weights = [self._rhythm["weekend_factor"] if day.weekday() >= SATURDAY else 1.0 for day in self._days]
        self._day_chances = np.array(weights) / sum(weights)
        self._end = self._instant(listener["last_date"] + timedelta(days=1), 0)
        self._reserved: list[tuple[int, int]] = []
        self.slots: list[Slot] = []

    def draw_days(self, count: int) -> list[date]:
        """Different days, as many as `count`."""
        return [self._days[day] for day in self._rng.choice(len(self._days), size=count, replace=False)]

    def reserve(self, day: date, minute: int, kind: str, plays: int) -> bool:
        """Add a slot that starts at a local minute of the day, unless it would overlap; says whether it was added."""
        start = self._instant(day, minute)
        minutes = self._rhythm["gap_minutes"] + plays * self._rhythm["minutes_per_play"]
        if kind in ("podcast", "video_episode", "audiobook"):
            minutes += self._records["spoken_minutes"][1]
        stop = start + minutes * 60
        if stop > self._end or any(start < end and begin < stop for begin, end in self._reserved):
            return False
        self._reserved.append((start, stop))
        self.slots.append(Slot(start, kind, plays))
        return True

    def place(self, kind: str, plays: int) -> None:
        """Add a slot at the first free time that is drawn."""
        placed = False
        while not placed:
            day = self._days[int(self._rng.choice(len(self._days), p=self._day_chances))]
            weights = self._rhythm["weekend_hours" if day.weekday() >= SATURDAY else "weekday_hours"]
            hour = int(self._rng.choice(len(weights), p=np.array(weights) / sum(weights)))
            placed = self.reserve(day, hour * 60 + int(self._rng.integers(60)), kind, plays)

    def _instant(self, day: date, minute: int) -> int:
        local = datetime.combine(day, time(minute // 60, minute % 60), self._zone)
        return int(local.timestamp())
