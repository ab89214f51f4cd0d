"""Records of the demo data in the form of Spotify's extended streaming history."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from pipeline.demo.draws import pick, random_between
from pipeline.demo.library import Song
from pipeline.demo.names import Ids
from pipeline.demo.parameters import Parameters

Record = dict[str, Any]

ALONE = ("clickrow", "endplay")  # start and end reason of a record outside a session

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


class Recorder:
    """Writes down what the listener plays.

    Attributes:
        records: all records, in order of time.
        counted: positions of the counted plays among them.
    """

    def __init__(self, parameters: Parameters, ids: Ids, rng: np.random.Generator) -> None:
        self._settings, self._spoken_names = parameters["records"], parameters["spoken"]
        self._ids, self._rng = ids, rng
        self._spoken_uris: dict[str, str] = {}
        self.records: list[Record] = []
        self.counted: list[int] = []

    def device(self) -> Record:
        """A record of a device, its network and its modes, without anything played; one per session."""
        platforms = self._settings["platforms"]
        return EMPTY_RECORD | {
            "platform": str(self._rng.choice(list(platforms), p=list(platforms.values()))),
            "conn_country": self._settings["country"],
            "ip_addr": self._settings["address"].format(host=int(self._rng.integers(1, 255))),
            "shuffle": bool(self._rng.random() < self._settings["shuffle_share"]),
            "offline": bool(self._rng.random() < self._settings["offline_share"]),
            "incognito_mode": bool(self._rng.random() < self._settings["incognito_share"]),
        }

    def play(self, song: Song, start: int, heard_ms: int, reasons: tuple[str, str], device: Record) -> int:
        """Add a play of a song.

        Args:
            song: what is played.
            start: seconds since 1970.
            heard_ms: how long it is heard.
            reasons: why it starts and why it ends.
            device: what plays it, see `device`.

        Returns:
            When the next play may start.
        """
        names = {
            "master_metadata_track_name": song.title,
            "master_metadata_album_artist_name": song.artist,
            "master_metadata_album_album_name": song.album,
            "spotify_track_uri": f"spotify:track:{song.track_id}",
        }
        return self._add(device | names, start, heard_ms, reasons)

    def counted_play(self, song: Song, start: int, heard_ms: int, reasons: tuple[str, str], device: Record) -> int:
        """Add a play that is long enough to count; see `play`."""
        self.counted.append(len(self.records))
        return self.play(song, start, heard_ms, reasons, device)

    def spoken(self, kind: str, start: int) -> None:
        """Add a podcast, a video episode or an audiobook chapter, or a record that names nothing."""
        record = self.device()
        if kind in ("podcast", "video_episode"):
            record |= {
                "episode_name": (episode := pick(self._spoken_names["episodes"], self._rng)),
                "episode_show_name": pick(self._spoken_names["podcasts"], self._rng),
                "spotify_episode_uri": self._spoken_uri("episode", episode),
            }
        elif kind == "audiobook":
            record |= {
                "audiobook_title": self._spoken_names["audiobook"],
                "audiobook_uri": self._spoken_uri("show", self._spoken_names["audiobook"]),
                "audiobook_chapter_title": (chapter := pick(self._spoken_names["chapters"], self._rng)),
                "audiobook_chapter_uri": self._spoken_uri("episode", chapter),
            }
        shortest, longest = self._settings["nothing_minutes" if kind == "nothing" else "spoken_minutes"]
        heard = int(self._rng.integers(shortest * 60_000, longest * 60_000))
        self._add(record, start, heard, ALONE)
        if kind == "video_episode":
            mark_as_video(self.records[-1])

    def _add(self, record: Record, start: int, heard_ms: int, reasons: tuple[str, str]) -> int:
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
        return stop + random_between(self._settings["gap_seconds"], self._rng)

    def _spoken_uri(self, kind: str, name: str) -> str:
        """The URI of a name; the same each time."""
        if name not in self._spoken_uris:
            self._spoken_uris[name] = f"spotify:{kind}:{self._ids.new()}"
        return self._spoken_uris[name]


def mark_as_video(record: Record) -> None:
    """Make a record look as in Spotify's video files, which have neither start reason nor offline time."""
    record |= {"reason_start": "unknown", "offline": None, "offline_timestamp": None}


def is_video(record: Record) -> bool:
    """Whether a record belongs in the video file."""
    return record["offline_timestamp"] is None
