"""Audio features from Spotify and ReccoBeats, against a local server that behaves and fails as they do."""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import chain
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from bronze import imports
from bronze.delivered.inbox import INBOX, waiting_files
from bronze.my_tracks_features import my_tracks_features_bronze
from bronze.web.features_fetching import Fetched
from bronze.web.spotify_polling import poll
from lakehouse.contract.ops import PIPELINE_RUNS
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from lakehouse.state_files import read_state
from pipeline.missing_features import fetch_missing
from pipeline.registry import pipeline_tables
from tests.support.frames import rows
from tests.support.spotify_server import NOW, Fault, SpotifyServer, error, play_item, too_often

# spotipy warns that Spotify has closed this endpoint to most apps.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:spotipy.*")

RECCOBEATS, SPOTIFY = "/reccobeats/v1/audio-features", "/v1/audio-features"
DAY = timedelta(days=1)
FEATURES = {"danceability": 0.5, "energy": 0.6, "valence": 0.7, "tempo": 120.0, "loudness": -8.0, "key": -1, "mode": 1,
            "acousticness": 0.1, "instrumentalness": 0.0, "liveness": 0.2, "speechiness": 0.05}  # fmt: skip


def track_id(number: int) -> str:
    return f"{number:022d}"


def lacking(settings: Settings, numbers: Iterable[int], **sources: int) -> None:
    """The last run found no features for these tracks; for those of `sources` it found them there."""
    matches = [(track_id(number), "none") for number in numbers]
    matches += [(track_id(number), source) for source, number in sources.items()]
    table = pa.table({"track_id": [row[0] for row in matches], "feature_source": [row[1] for row in matches]})
    location = DeltaLogs(settings.lake_uri).location(pipeline_tables()["feature_matches"])
    write_deltalake(location, table, mode="overwrite")


@pytest.fixture
def settings(web_settings: Settings) -> Settings:
    """ReccoBeats alone: no app at Spotify."""
    return web_settings.model_copy(update={"ask_reccobeats": True, "spotify_client_id": None})


@pytest.fixture
def with_app(logged_in: Settings) -> Settings:
    """Both providers."""
    return logged_in.model_copy(update={"ask_reccobeats": True})


def ask(settings: Settings, now: datetime = NOW) -> Fetched:
    return fetch_missing(settings, now, pause=lambda seconds: None)


def asked_ids(spotify: SpotifyServer, path: str = RECCOBEATS) -> list[list[str]]:
    return [parameters["ids"].split(",") for _, asked, parameters in spotify.asked if asked.rstrip("/") == path]


def kept(settings: Settings) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((settings.lake_path / INBOX).glob("audio_features_*"))]


def recorded(settings: Settings) -> list[str]:
    files = sorted((settings.lake_path / "spool").glob(f"*/{PIPELINE_RUNS.name}.jsonl"))
    runs = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    assert {run["trigger"] for run in runs} <= {"features"}
    return [run["status"] for run in runs]


def test_tracks_are_asked_for_in_batches_of_40(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, range(85))
    spotify.known_features = {track_id(number): FEATURES for number in range(0, 85, 2)}
    found = ask(settings)
    assert [len(ids) for ids in asked_ids(spotify)] == [40, 40, 5]
    assert sorted(chain(*asked_ids(spotify))) == [track_id(number) for number in range(85)]
    assert (found.asked, found.answered) == (85, 43)
    assert recorded(settings) == ["succeeded"]
    assert [path.name.startswith("audio_features_reccobeats_") for path in waiting_files(settings)] == [True] * 3


def test_only_tracks_without_measured_features_are_asked_for(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, [1], synthetic=2, kaggle=3, reccobeats=4)
    ask(settings)
    assert asked_ids(spotify) == [[track_id(1), track_id(2)]]


def test_nothing_is_asked_unless_it_is_switched_on(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, range(5))
    found = ask(settings.model_copy(update={"ask_reccobeats": False}))
    assert spotify.asked == []
    assert found.notes == ["ReccoBeats is not asked: ASK_RECCOBEATS=true switches it on"]


@pytest.mark.parametrize("numbers", [None, []])
def test_without_a_lacking_track_nothing_is_asked(
    settings: Settings, spotify: SpotifyServer, numbers: list[int] | None
) -> None:
    if numbers is not None:
        lacking(settings, numbers, kaggle=1)
    assert ask(settings).notes == ["no listened track lacks features, as far as the last run knows"]
    assert spotify.asked == []


def test_unknown_ids_are_asked_again_monthly(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, range(3))
    ask(settings)
    for days in (1, 29):
        assert ask(settings, NOW + days * DAY).asked == 0
    assert len(spotify.asked) == 1
    assert ask(settings, NOW + 30 * DAY).asked == 3
    assert ask(settings, NOW + 59 * DAY).asked == 0
    assert len(spotify.asked) == 2


def test_what_is_fetched_once_is_never_asked_again(
    settings: Settings, spotify: SpotifyServer, spark: SparkSession
) -> None:
    lacking(settings, range(3))
    spotify.known_features = {track_id(1): FEATURES}
    ask(settings)
    lake = Lake(settings.lake_uri, spark)
    log = RunLog(settings.lake_path / "spool", run_id="run", trigger="run", code_version="0", started_at=NOW)
    report = imports.take(lake, settings, waiting_files(settings), log, NOW)
    assert (report.new_features, report.errors) == (1, [])
    assert waiting_files(settings) == []
    found = rows(lake.read(my_tracks_features_bronze), "track_id", "provider", "valence", "key", "time_signature")
    assert found == [(track_id(1), "reccobeats", 0.7, None, None)]
    for months in (2, 24):
        ask(settings, NOW + months * 30 * DAY)
    assert [track_id(1) in ids for ids in asked_ids(spotify)] == [True, False, False]


def test_each_answer_is_kept_before_the_next_question(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, range(80))
    spotify.known_features = {track_id(number): FEATURES for number in range(80)}
    spotify.before_reccobeats = lambda: spotify.faults.extend([error(500)] * 3)  # type: ignore[method-assign]
    found = ask(settings)
    assert found.answered == 40
    assert found.notes == ["ReccoBeats answers with its own error 500"]
    assert [len(answer["answer"]["content"]) for answer in kept(settings)] == [40]
    assert recorded(settings) == ["failed"]
    spotify.before_reccobeats = lambda: None  # type: ignore[method-assign]
    spotify.faults.clear()
    spotify.asked.clear()
    assert ask(settings, NOW + timedelta(hours=2)).answered == 40
    assert asked_ids(spotify) == [[track_id(number) for number in range(40, 80)]]


@pytest.mark.parametrize(
    "fault",
    [Fault("reset"), Fault("malformed"), Fault("cut"), Fault("not_an_object"), Fault("empty"), error(502),
     Fault("status", 302, (("Location", "/elsewhere"),), {}), Fault("status", 200, body={"content": {}})],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)  # fmt: skip
def test_passing_faults_are_survived(settings: Settings, spotify: SpotifyServer, fault: Fault) -> None:
    lacking(settings, [1])
    spotify.known_features = {track_id(1): FEATURES}
    spotify.faults.extend([fault, fault])
    assert ask(settings).answered == 1


def test_hostile_records_are_kept_and_take_no_other_place(settings: Settings, spotify: SpotifyServer) -> None:
    lacking(settings, [1])
    odd = [None, 5, {}, {"href": None}, {"href": "x"}, {"href": f"https://a/{track_id(9)}"}]
    spotify.faults.append(Fault("status", 200, body={"content": odd}))
    found = ask(settings)
    assert (found.asked, found.answered) == (1, 0)
    assert kept(settings)[0]["answer"]["content"] == odd


def test_retry_after_is_remembered_and_is_none_of_spotifys_business(with_app: Settings, spotify: SpotifyServer) -> None:
    lacking(with_app, [1])
    spotify.faults.append(Fault("status", 403, body={}, path=SPOTIFY))
    ask(with_app)
    spotify.faults.append(too_often("7200"))
    lacking(with_app, [1, 2])
    assert ask(with_app).notes[-1] == "ReccoBeats asks to wait until 2026-06-01 14:00 UTC"
    spotify.asked.clear()
    assert "is not asked before 2026-06-01 14:00 UTC" in ask(with_app, NOW + timedelta(hours=1)).notes[-1]
    assert spotify.asked == []
    spotify.plays = [play_item(NOW)]
    assert poll(with_app, NOW + timedelta(hours=1)).new_plays == 1
    assert ask(with_app, NOW + timedelta(hours=2)).asked == 1


def test_where_spotify_still_tells_it_is_asked_first(with_app: Settings, spotify: SpotifyServer) -> None:
    lacking(with_app, range(150))
    spotify.has_audio_features = True
    spotify.known_features = {track_id(number): FEATURES for number in range(140)}
    found = ask(with_app)
    assert [len(ids) for ids in asked_ids(spotify, SPOTIFY)] == [100, 50]
    assert asked_ids(spotify) == [[track_id(number) for number in range(140, 150)]]
    assert (found.asked, found.answered) == (160, 140)
    assert [answer["provider"] for answer in kept(with_app)].count("spotify") == 2


def test_where_spotify_no_longer_tells_it_is_asked_once(with_app: Settings, spotify: SpotifyServer) -> None:
    lacking(with_app, [1])
    assert "Spotify no longer gives audio features to this app; it is not asked again" in ask(with_app).notes
    lacking(with_app, [1, 2, 3])
    for days in (0, 1, 40, 400):
        ask(with_app, NOW + days * DAY)
    assert len(asked_ids(spotify, SPOTIFY)) == 1
    # Polls go on: the refusal concerns audio features alone.
    assert poll(with_app, NOW).new_plays == 0
    # Another app may be allowed to.
    other = with_app.model_copy(update={"spotify_client_id": "another-app"})
    ask(other)
    assert len(asked_ids(spotify, SPOTIFY)) == 2


def test_an_access_token_that_is_not_accepted_is_renewed_once(with_app: Settings, spotify: SpotifyServer) -> None:
    lacking(with_app, [1])
    spotify.has_audio_features = True
    spotify.known_features = {track_id(1): FEATURES}
    spotify.access_tokens.clear()
    assert ask(with_app).answered == 1
    assert [path.rstrip("/") for path in spotify.paths()] == [SPOTIFY, "/accounts/api/token", SPOTIFY]


def test_without_a_login_reccobeats_is_asked_all_the_same(web_settings: Settings, spotify: SpotifyServer) -> None:
    settings = web_settings.model_copy(update={"ask_reccobeats": True})
    lacking(settings, [1])
    spotify.known_features = {track_id(1): FEATURES}
    found = ask(settings)
    assert found.answered == 1
    assert found.notes == ["nobody is logged in at Spotify: log in with `lakehouse auth`"]
    assert not read_state(settings.lake_path / "state" / "audio_features.json").get("refused_app")


def test_a_first_import_of_many_years_is_asked_in_portions(
    settings: Settings, spotify: SpotifyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bronze.web.features_fetching.MOST_BATCHES", 2)
    lacking(settings, range(100))
    assert ask(settings).notes == ["20 more tracks wait for the next time"]
    assert ask(settings).asked == 20
