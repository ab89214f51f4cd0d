"""Records as Spotify writes them, and JSON-like values of every kind."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from bronze.delivered.delivered_files import DeliveredFile
from bronze.delivered.plays import EARLIEST_PLAY, LATEST_AHEAD, LONGEST_PLAY_MS, LONGEST_TEXT, TRACK_ID, Play

NOW = datetime(2025, 6, 1, 12, tzinfo=UTC)
SOME_ID = "3n3Ppam7vgaVa1iaRUc9Lp"
IP_ADDRESSES = ("203.0.113.77", "2001:db8:85a3::8a2e:370:7334")
PERSONAL = {
    "ip_addr": IP_ADDRESSES[0],
    "ip_addr_decrypted": IP_ADDRESSES[1],
    "user_agent_decrypted": "Zorgfon%2F8.5",
    "username": "listener-secret-4711",
}


def extended(ts: Any = "2024-03-14T18:30:00Z", **values: Any) -> dict[str, Any]:
    """One record of an extended history: a counted play unless values say otherwise."""
    return {
        "ts": ts,
        "platform": "ios",
        "ms_played": 180_000,
        "conn_country": "US",
        "master_metadata_track_name": "Mr. Brightside",
        "master_metadata_album_artist_name": "The Killers",
        "master_metadata_album_album_name": "Hot Fuss",
        "spotify_track_uri": f"spotify:track:{SOME_ID}",
        "episode_name": None,
        "episode_show_name": None,
        "spotify_episode_uri": None,
        "audiobook_title": None,
        "audiobook_uri": None,
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "shuffle": True,
        "skipped": False,
        "offline": None,
        "offline_timestamp": 1710441000,
        "incognito_mode": False,
        **values,
    }


def account(at: Any = "2024-03-14 18:30", **values: Any) -> dict[str, Any]:
    """One record of a short account history."""
    return {"endTime": at, "artistName": "The Killers", "trackName": "Mr. Brightside", "msPlayed": 180_000, **values}


def api_item(played_at: Any = "2024-03-14T18:30:00.123Z", **track: Any) -> dict[str, Any]:
    """One item of an API answer; values are the track's."""
    return {
        "played_at": played_at,
        "context": None,
        "track": {
            "id": SOME_ID,
            "type": "track",
            "name": "Mr. Brightside",
            "artists": [{"name": "The Killers"}, {"name": "Somebody Else"}],
            "album": {"name": "Hot Fuss"},
            "duration_ms": 222_075,
            "external_ids": {"isrc": "USIR20400274"},
            "is_local": False,
            **track,
        },
    }


def without(record: dict[str, Any], field: str) -> dict[str, Any]:
    """The record without a field."""
    return {key: value for key, value in record.items() if key != field}


def write_json(path: Path, content: object, encoding: str = "utf-8") -> Path:
    """Write JSON, making folders; bytes and text are written as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding=encoding)
    return path


def delivered(path: Path, **values: Any) -> DeliveredFile:
    """The file as the user named it."""
    return DeliveredFile(path, values.pop("name", path.name), **values)


def assert_storable(play: Play) -> None:
    """The play fits the table: times and lengths in range, texts that are UTF-8 without NUL, ids as Spotify's."""
    assert EARLIEST_PLAY <= play.played_at <= NOW + LATEST_AHEAD
    assert play.played_at.utcoffset() is not None
    assert play.track_id is None or TRACK_ID.fullmatch(play.track_id)
    assert play.track_id or (play.track_name and play.artist_name)
    for value in play:
        if isinstance(value, str):
            value.encode()
            assert "\x00" not in value
            assert 0 < len(value) <= LONGEST_TEXT
        elif isinstance(value, int) and not isinstance(value, bool):
            assert 0 <= value <= LONGEST_PLAY_MS
    assert all(value is None or isinstance(value, bool) for value in (play.skipped, play.shuffle, play.offline))
    assert len(play.play_id("extended_history")) == 64
    assert play.verdict in ("counted", "too_short")


ANY_TEXT = st.text(st.characters(), max_size=30)  # with lone surrogates and NUL
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(ANY_TEXT, children, max_size=3),
    max_leaves=6,
)
LIKELY_VALUE = st.sampled_from(
    ["", " ", SOME_ID, f"spotify:track:{SOME_ID}", "spotify:local:a:b:c:1", "2024-03-14T18:30:00Z", "2024-03-14 18:30",
     "1970-01-01T00:00:00Z", "\ud800", "a\x00b", 0, 29_999, 30_000, -1, 2**63, 10**40, True, None, "episode", "chapter"]
)  # fmt: skip


def broken_records(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A good record with some fields replaced by anything and some left out."""
    changes = st.dictionaries(st.sampled_from(sorted(good)), LIKELY_VALUE | ANY_VALUE, max_size=4)
    dropped = st.sets(st.sampled_from(sorted(good)), max_size=2)
    return st.builds(
        lambda changed, left_out: {k: v for k, v in {**good, **changed}.items() if k not in left_out}, changes, dropped
    )
