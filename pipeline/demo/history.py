"""The invented listener of the demo data: what is played when, as records of Spotify's extended history."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from pipeline.demo.calendar import SATURDAY, Slot, plan, random_between
from pipeline.demo.catalogue import (
    Catalogue,
    FloatArray,
    Ids,
    IntArray,
    Names,
    Parameters,
    Track,
    random_duration_ms,
    without_accents,
)

Record = dict[str, Any]

FEATURE_CENTRE = 0.5  # tilts leave a feature of this value alone
HEARD_TIERS = ("track", "recording")  # tiers with audio features, hence with a mood
ALONE = ("clickrow", "endplay")  # reasons of a record that is not part of a session

EMPTY_RECORD: Record = dict.fromkeys(
    (  # the keys of Spotify's export, in its order
        "ts",
        "platform",
        "ms_played",
        "conn_country",
        "ip_addr",
        "master_metadata_track_name",
        "master_metadata_album_artist_name",
        "master_metadata_album_album_name",
        "spotify_track_uri",
        "episode_name",
        "episode_show_name",
        "spotify_episode_uri",
        "audiobook_title",
        "audiobook_uri",
        "audiobook_chapter_uri",
        "audiobook_chapter_title",
        "reason_start",
        "reason_end",
        "shuffle",
        "skipped",
        "offline",
        "offline_timestamp",
        "incognito_mode",
    )
)

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
    """Songs with weights; what was chosen lately is not chosen again while there are others."""

    def __init__(self, songs: Sequence[Song], weights: FloatArray, memory: int) -> None:
        self.songs = songs
        self._weights = weights
        self._recent: deque[int] = deque(maxlen=memory)

    def choose(self, rng: np.random.Generator, tilt: FloatArray | float = 1.0) -> int:
        """Returns the position of a song, drawn by weight times tilt."""
        weights = self._weights * tilt
        fresh = weights.copy()
        fresh[list(self._recent)] = 0.0
        chances = np.cumsum(fresh if fresh.any() else weights)
        chosen = int(np.searchsorted(chances, rng.random() * chances[-1], side="right"))
        self._recent.append(chosen)
        return chosen


class Library:
    """The catalogue tracks the listener plays, their other releases, moods and weights."""

    def __init__(self, parameters: Parameters, catalogue: Catalogue, ids: Ids, rng: np.random.Generator) -> None:
        listener = parameters["listener"]
        artists = catalogue.artists[: listener["library_artists"]]
        tracks = [track for artist in artists for track in catalogue.recordings[artist]]
        owner = np.array([rank for rank, artist in enumerate(artists) for _ in catalogue.recordings[artist]])
        names: list[str] = parameters["features"]["names"]
        self.features = {name: np.array([track.features[name] for track in tracks]) for name in names}
        self.mood = moods(parameters, self.features["valence"], self.features["energy"])
        weights = _library_weights(listener, owner, self.mood)
        self.pool = Pool([_song(track) for track in tracks], weights, listener["recent_recordings"])
        self.other_releases = [_other_release(listener["other_release"], track, ids, rng) for track in tracks]


def moods(parameters: Parameters, valence: FloatArray, energy: FloatArray) -> IntArray:
    """Returns each track's mood as its position in the parameters' mood names."""
    low, high = parameters["moods"]["low"], parameters["moods"]["high"]
    corners = [
        (valence >= high) & (energy >= high),
        (valence >= high) & (energy < low),
        (valence < low) & (energy >= high),
        (valence < low) & (energy < low),
    ]
    return np.select(corners, [np.int64(corner) for corner in range(len(corners))], default=len(corners))


def build_history(
    parameters: Parameters, catalogue: Catalogue, names: Names, ids: Ids, rng: np.random.Generator
) -> tuple[list[list[Record]], list[Record]]:
    """Lets the listener listen through the whole window.

    Args:
        parameters: The demo parameters.
        catalogue: The catalogue the listener chooses from.
        names: Source of names for what the catalogue lacks.
        ids: Source of ids for what the catalogue lacks.
        rng: Source of all other draws.

    Returns:
        The records of each audio file, and those of the video file, in order of time.
    """
    listening = Listening(parameters, catalogue, names, ids, rng)
    slots = plan(parameters, rng)
    tiers = _tier_sequence(parameters, rng)
    unusual = _unusual_mornings(parameters, slots, rng)
    for slot in slots:
        if slot.kind == "session":
            listening.session(slot, [tiers.pop() for _ in range(slot.plays)])
        elif slot.kind == "wake_up":
            listening.wake_up(slot, usual=slot not in unusual)
        else:
            listening.spoken(slot)
    return _files(parameters, listening, rng)


class Listening:
    """The listener at work: turns slots into records."""

    def __init__(
        self, parameters: Parameters, catalogue: Catalogue, names: Names, ids: Ids, rng: np.random.Generator
    ) -> None:
        self._parameters, self._ids, self._rng = parameters, ids, rng
        self._zone = ZoneInfo(parameters["listener"]["time_zone"])
        self._library = Library(parameters, catalogue, ids, rng)
        listener = parameters["listener"]
        known = catalogue.artists[: listener["library_artists"]]
        strangers = [names.new_artist() for _ in range(listener["unmatched_artists"])]
        self._other_pools = {
            "artist": self._made_up_pool(known, listener["unknown_tracks_per_artist"], names),
            "none": self._made_up_pool(strangers, listener["tracks_per_unmatched_artist"], names),
        }
        self._wake_up_songs, self._unusual_songs = self._songs_by_distance_from_wake_up()
        self._spoken_uris: dict[str, str] = {}
        self.records: list[Record] = []
        self.counted: list[int] = []  # positions of the counted plays in records

    def session(self, slot: Slot, tiers: Sequence[str]) -> None:
        """Plays one song per tier, with skips in between, and lets the mood wander as planted."""
        records, moods_ = self._parameters["records"], self._parameters["moods"]
        surroundings = self._surroundings()
        cursor, mood, reason_start = slot.start, -1, "clickrow"
        for position, tier in enumerate(tiers):
            for _ in range(int(self._rng.poisson(records["skips_per_play"]))):
                heard = random_between(records["skip_ms"], self._rng)
                cursor = self._play(self._any_song(), cursor, heard, (reason_start, "fwdbtn"), surroundings)
                reason_start = "fwdbtn"
            if tier in HEARD_TIERS:
                chances = moods_["start"] if mood < 0 else moods_["transitions"][mood]
                mood = int(self._rng.choice(len(chances), p=chances))
            song = self._choose(tier, mood, cursor)
            reason_end = self._reason_end(last=position == len(tiers) - 1)
            self.counted.append(len(self.records))
            heard = self._heard_ms(song, reason_end)
            cursor = self._play(song, cursor, heard, (reason_start, reason_end), surroundings)
            reason_start = reason_end
            if self._rng.random() < records["pause_share"]:
                cursor += random_between(records["pause_seconds"], self._rng)

    def wake_up(self, slot: Slot, *, usual: bool) -> None:
        """Plays one song on its own: one of few alike, or on an unusual morning quite another kind."""
        songs = self._wake_up_songs if usual else self._unusual_songs
        song = self._library.pool.songs[songs[int(self._rng.integers(len(songs)))]]
        self.counted.append(len(self.records))
        self._play(song, slot.start, song.duration_ms, ("clickrow", "trackdone"), self._surroundings())

    def spoken(self, slot: Slot) -> None:
        """Hears a podcast, a video episode or an audiobook chapter, or leaves a record that names nothing."""
        records, texts = self._parameters["records"], self._parameters["spoken"]
        record = self._surroundings()
        if slot.kind in ("podcast", "video_episode"):
            record |= {
                "episode_name": (episode := self._pick(texts["episodes"])),
                "episode_show_name": self._pick(texts["podcasts"]),
                "spotify_episode_uri": self._spoken_uri("episode", episode),
            }
        elif slot.kind == "audiobook":
            record |= {
                "audiobook_title": texts["audiobook"],
                "audiobook_uri": self._spoken_uri("show", texts["audiobook"]),
                "audiobook_chapter_title": (chapter := self._pick(texts["chapters"])),
                "audiobook_chapter_uri": self._spoken_uri("episode", chapter),
            }
        shortest, longest = records["nothing_minutes" if slot.kind == "nothing" else "spoken_minutes"]
        heard = int(self._rng.integers(shortest * 60_000, longest * 60_000))
        self._add(record, slot.start, heard, ALONE)
        if slot.kind == "video_episode":
            _as_video(self.records[-1])

    def _choose(self, tier: str, mood: int, cursor: int) -> Song:
        if tier not in HEARD_TIERS:
            pool = self._other_pools[tier]
            return pool.songs[pool.choose(self._rng)]
        library = self._library
        chosen = library.pool.choose(self._rng, np.where(library.mood == mood, self._tilt(cursor), 0.0))
        return library.pool.songs[chosen] if tier == "track" else library.other_releases[chosen]

    def _tilt(self, cursor: int) -> FloatArray:
        """How much likelier each library track is at this moment than at any other."""
        tilts, listener = self._parameters["rhythm"]["tilts"], self._parameters["listener"]
        now = datetime.fromtimestamp(cursor, self._zone)
        progress = (now.date() - listener["first_date"]) / (listener["last_date"] - listener["first_date"])
        drift = tilts["drift_tilt_first"] + progress * (tilts["drift_tilt_last"] - tilts["drift_tilt_first"])
        night = tilts["night_tilt" if now.hour in tilts["night_hours"] else "day_tilt"]
        weekend = tilts["weekend_tilt" if now.weekday() >= SATURDAY else "weekday_tilt"]
        strength = (
            night * (self._library.features[tilts["night_feature"]] - FEATURE_CENTRE)
            + weekend * (self._library.features[tilts["weekend_feature"]] - FEATURE_CENTRE)
            + drift * (self._library.features[tilts["drift_feature"]] - FEATURE_CENTRE)
        )
        return np.asarray(np.exp(strength), dtype=np.float64)

    def _any_song(self) -> Song:
        """A song that is skipped: of any tier, without regard to mood."""
        pools = [self._library.pool, *self._other_pools.values()]
        pool = pools[int(self._rng.integers(len(pools)))]
        return pool.songs[int(self._rng.integers(len(pool.songs)))]

    def _made_up_pool(self, artists: Sequence[str], songs_each: int, names: Names) -> Pool:
        listener, shape = self._parameters["listener"], self._parameters["catalogue"]
        songs = []
        for artist in artists:
            album = names.album()
            for _ in range(songs_each):
                duration = random_duration_ms(shape, self._rng)
                songs.append(Song(self._ids.new(), artist, album, names.new_title(artist), duration))
        by_artist = np.repeat(_zipf(len(artists), listener["zipf_exponent"]), songs_each)
        by_song = np.tile(_zipf(songs_each, listener["track_zipf_exponent"]), len(artists))
        return Pool(songs, by_artist * by_song, listener["recent_recordings"])

    def _songs_by_distance_from_wake_up(self) -> tuple[IntArray, IntArray]:
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

    def _play(self, song: Song, start: int, heard_ms: int, reasons: tuple[str, str], surroundings: Record) -> int:
        names = {
            "master_metadata_track_name": song.title,
            "master_metadata_album_artist_name": song.artist,
            "master_metadata_album_album_name": song.album,
            "spotify_track_uri": f"spotify:track:{song.track_id}",
        }
        return self._add(surroundings | names, start, heard_ms, reasons)

    def _add(self, record: Record, start: int, heard_ms: int, reasons: tuple[str, str]) -> int:
        """Adds a record and returns when the next one may start."""
        stop = start + -(-heard_ms // 1000)  # whole seconds, rounded up
        self.records.append(
            record
            | {
                "ts": datetime.fromtimestamp(stop, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "ms_played": heard_ms,
                "reason_start": reasons[0],
                "reason_end": reasons[1],
                "skipped": reasons[1] != "trackdone",
                "offline_timestamp": start,
            }
        )
        return stop + random_between(self._parameters["records"]["gap_seconds"], self._rng)

    def _surroundings(self) -> Record:
        records = self._parameters["records"]
        platforms = records["platforms"]
        return EMPTY_RECORD | {
            "platform": str(self._rng.choice(list(platforms), p=list(platforms.values()))),
            "conn_country": records["country"],
            "ip_addr": records["address"].format(host=int(self._rng.integers(1, 255))),
            "shuffle": bool(self._rng.random() < records["shuffle_share"]),
            "offline": bool(self._rng.random() < records["offline_share"]),
            "incognito_mode": bool(self._rng.random() < records["incognito_share"]),
        }

    def _spoken_uri(self, kind: str, name: str) -> str:
        """The same name has the same address whenever it is heard."""
        if name not in self._spoken_uris:
            self._spoken_uris[name] = f"spotify:{kind}:{self._ids.new()}"
        return self._spoken_uris[name]

    def _pick(self, choices: Sequence[str]) -> str:
        return choices[int(self._rng.integers(len(choices)))]


def _zipf(count: int, exponent: float) -> FloatArray:
    return np.power(np.arange(1, count + 1, dtype=np.float64), -exponent)


def _library_weights(listener: Parameters, owner: IntArray, mood: IntArray) -> FloatArray:
    """Weights by which an artist's share is the same in every mood that the artist has tracks in."""
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


def _files(
    parameters: Parameters, listening: Listening, rng: np.random.Generator
) -> tuple[list[list[Record]], list[Record]]:
    """Spreads the records over the audio files and the video file; some stand on both sides of a seam."""
    records = parameters["records"]
    music_videos = rng.choice(listening.counted, size=records["music_videos"], replace=False)
    for position in music_videos:
        _as_video(listening.records[position])
    counted = set(listening.counted)
    audio = [position for position, record in enumerate(listening.records) if not _is_video(record)]
    seams = np.linspace(0, len(audio), records["audio_files"] + 1).astype(int)
    parts = [audio[first:last] for first, last in pairwise(seams)]
    repeated = [position for position in parts[0] if position in counted][-records["repeated_records"] :]
    parts[1] = repeated + parts[1]
    video = [record for record in listening.records if _is_video(record)]
    return [[listening.records[position] for position in part] for part in parts], video


def _as_video(record: Record) -> None:
    """Gives a record the marks of Spotify's video files, which know neither start reason nor offline time."""
    record |= {"reason_start": "unknown", "offline": None, "offline_timestamp": None}


def _is_video(record: Record) -> bool:
    return record["offline_timestamp"] is None
