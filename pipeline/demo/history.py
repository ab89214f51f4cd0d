"""A made-up listener of the demo data: what is played in each planned slot, as records by file."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.demo.calendar import SATURDAY, Slot, plan
from pipeline.demo.catalogue import Catalogue
from pipeline.demo.draws import FloatArray, IntArray, random_between
from pipeline.demo.library import Library, Song, library_artists, made_up_pool
from pipeline.demo.names import Ids, Names
from pipeline.demo.parameters import Parameters
from pipeline.demo.records import Record, Recorder, is_video, mark_as_video

FEATURE_CENTRE = 0.5  # a tilt does not change the weight of a track with this value
MEASURED_TIERS = ("track", "recording")  # tiers with audio features, hence with a mood


def build_history(
    parameters: Parameters, catalogue: Catalogue, names: Names, ids: Ids, rng: np.random.Generator
) -> tuple[list[list[Record]], list[Record]]:
    """Make up what the listener plays in the whole window.

    Args:
        parameters: the demo parameters.
        catalogue: what the listener chooses from.
        names: source of names that the catalogue lacks.
        ids: source of ids that the catalogue lacks.
        rng: source of all other draws.

    Returns:
        The records of each audio file, and those of the video file, in order of time.
    """
    listener = Listener(parameters, catalogue, names, ids, rng)
    slots = plan(parameters, rng)
    tiers = _tier_sequence(parameters, rng)
    unusual = _unusual_mornings(parameters, slots, rng)
    for slot in slots:
        if slot.kind == "session":
            listener.play_session(slot, [tiers.pop() for _ in range(slot.plays)])
        elif slot.kind == "wake_up":
            listener.play_wake_up_song(slot, usual=slot not in unusual)
        else:
            listener.recorder.spoken(slot.kind, slot.start)
    return _split_into_files(parameters, listener.recorder, rng)


class Listener:
    """Chooses songs for slots.

    Attributes:
        recorder: holds the records of everything played.
    """

    def __init__(
        self, parameters: Parameters, catalogue: Catalogue, names: Names, ids: Ids, rng: np.random.Generator
    ) -> None:
        self._parameters, self._rng = parameters, rng
        self.recorder = Recorder(parameters, ids, rng)
        self._zone = ZoneInfo(parameters["listener"]["time_zone"])
        self._library = Library(parameters, catalogue, ids, rng)
        listener = parameters["listener"]
        known = library_artists(parameters, catalogue)
        strangers = [names.new_artist() for _ in range(listener["unmatched_artists"])]
        self._other_pools = {
            "artist": made_up_pool(parameters, known, listener["unknown_tracks_per_artist"], names, ids, rng),
            "none": made_up_pool(parameters, strangers, listener["tracks_per_unmatched_artist"], names, ids, rng),
        }
        self._wake_up_songs, self._unusual_songs = self._songs_by_distance_from_wake_up()

    def play_session(self, slot: Slot, tiers: Sequence[str]) -> None:
        """Play one song per tier, with skips in between; moods follow the planted transitions."""
        records, moods = self._parameters["records"], self._parameters["moods"]
        device = self.recorder.device()
        cursor, mood, reason_start = slot.start, -1, "clickrow"
        for position, tier in enumerate(tiers):
            for _ in range(int(self._rng.poisson(records["skips_per_play"]))):
                heard = random_between(records["skip_ms"], self._rng)
                cursor = self.recorder.play(self._any_song(), cursor, heard, (reason_start, "fwdbtn"), device)
                reason_start = "fwdbtn"
            if tier in MEASURED_TIERS:
                chances = moods["start"] if mood < 0 else moods["transitions"][mood]
                mood = int(self._rng.choice(len(chances), p=chances))
            song = self._choose(tier, mood, cursor)
            reason_end = self._reason_end(last=position == len(tiers) - 1)
            heard = self._heard_ms(song, reason_end)
            cursor = self.recorder.counted_play(song, cursor, heard, (reason_start, reason_end), device)
            reason_start = reason_end
            if self._rng.random() < records["pause_share"]:
                cursor += random_between(records["pause_seconds"], self._rng)

    def play_wake_up_song(self, slot: Slot, *, usual: bool) -> None:
        """Play a single song: one of the few similar wake-up songs, or on an unusual morning a very different one."""
        songs = self._wake_up_songs if usual else self._unusual_songs
        song = self._library.pool.songs[songs[int(self._rng.integers(len(songs)))]]
        device = self.recorder.device()
        self.recorder.counted_play(song, slot.start, song.duration_ms, ("clickrow", "trackdone"), device)

    def _choose(self, tier: str, mood: int, cursor: int) -> Song:
        if tier not in MEASURED_TIERS:
            pool = self._other_pools[tier]
            return pool.songs[pool.choose(self._rng)]
        library = self._library
        chosen = library.pool.choose(self._rng, np.where(library.mood == mood, self._tilt(cursor), 0.0))
        return library.pool.songs[chosen] if tier == "track" else library.other_releases[chosen]

    def _tilt(self, cursor: int) -> FloatArray:
        """The factor on each library track's weight at this moment."""
        tilts, listener = self._parameters["rhythm"]["tilts"], self._parameters["listener"]
        now = datetime.fromtimestamp(cursor, self._zone)
        progress = (now.date() - listener["first_date"]) / (listener["last_date"] - listener["first_date"])
        drift = tilts["drift_tilt_first"] + progress * (tilts["drift_tilt_last"] - tilts["drift_tilt_first"])
        hour = tilts["driver_tilt" if now.hour in tilts["driven_hours"] else "other_hours_tilt"]
        weekend = tilts["weekend_tilt" if now.weekday() >= SATURDAY else "weekday_tilt"]
        strength = (
            hour * (self._library.features[tilts["driver"]] - FEATURE_CENTRE)
            + weekend * (self._library.features[tilts["weekend_feature"]] - FEATURE_CENTRE)
            + drift * (self._library.features[tilts["drift_feature"]] - FEATURE_CENTRE)
        )
        return np.asarray(np.exp(strength), dtype=np.float64)

    def _any_song(self) -> Song:
        """A song to skip, of any tier and mood."""
        pools = [self._library.pool, *self._other_pools.values()]
        pool = pools[int(self._rng.integers(len(pools)))]
        return pool.songs[int(self._rng.integers(len(pool.songs)))]

    def _songs_by_distance_from_wake_up(self) -> tuple[IntArray, IntArray]:
        """Positions of the library's songs that are nearest to the planted wake-up point, and farthest from it."""
        wake_up, features = self._parameters["wake_up"], self._library.features
        distance = np.hypot(features["valence"] - wake_up["valence"], features["energy"] - wake_up["energy"])
        order = np.argsort(distance, kind="stable")
        return order[: wake_up["songs"]], order[-wake_up["unusual_mornings"] :]

    def _reason_end(self, *, last: bool) -> str:
        if self._rng.random() >= self._parameters["records"]["cut_short_share"]:
            return "trackdone"
        return "endplay" if last else "fwdbtn"

    def _heard_ms(self, song: Song, reason_end: str) -> int:
        if reason_end == "trackdone":
            return song.duration_ms
        return int(self._rng.integers(self._parameters["records"]["counted_ms"], song.duration_ms))


def _tier_sequence(parameters: Parameters, rng: np.random.Generator) -> list[str]:
    """The tier of every play of a session, in random order; wake-up songs are plays of the tier 'track'."""
    plays = parameters["listener"]["counted_plays"]
    counts = {tier: round(plays * share) for tier, share in parameters["listener"]["tiers"].items()}
    counts["track"] += plays - sum(counts.values()) - parameters["wake_up"]["mornings"]
    tiers = [tier for tier, count in counts.items() for _ in range(count)]
    return [tiers[position] for position in rng.permutation(len(tiers))]


def _unusual_mornings(parameters: Parameters, slots: Sequence[Slot], rng: np.random.Generator) -> list[Slot]:
    mornings = [slot for slot in slots if slot.kind == "wake_up"]
    chosen = rng.choice(len(mornings), size=parameters["wake_up"]["unusual_mornings"], replace=False)
    return [mornings[position] for position in chosen]


def _split_into_files(
    parameters: Parameters, recorder: Recorder, rng: np.random.Generator
) -> tuple[list[list[Record]], list[Record]]:
    """The records of the audio files and of the video file; the second audio file repeats the end of the first."""
    settings, records = parameters["records"], recorder.records
    for position in rng.choice(recorder.counted, size=settings["music_videos"], replace=False):
        mark_as_video(records[position])
    counted = set(recorder.counted)
    audio = [position for position, record in enumerate(records) if not is_video(record)]
    seams = np.linspace(0, len(audio), settings["audio_files"] + 1).astype(int)
    parts = [audio[first:last] for first, last in pairwise(seams)]
    repeated = [position for position in parts[0] if position in counted][-settings["repeated_records"] :]
    parts[1] = repeated + parts[1]
    video = [record for record in records if is_video(record)]
    return [[records[position] for position in part] for part in parts], video
