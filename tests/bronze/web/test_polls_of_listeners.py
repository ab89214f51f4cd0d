"""Polls of several listeners' accounts: what one's poll keeps, waits for and says is not the others'."""

import json
from datetime import timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from bronze import imports
from bronze.delivered.inbox import waiting_files
from bronze.listening_history import listening_history_bronze
from bronze.web.spotify_polling import poll
from lakehouse.contract.ops import PIPELINE_RUNS, QUALITY_RESULTS
from lakehouse.lake.logs import DeltaLogs
from lakehouse.lake.storage import Lake
from lakehouse.runlog.spool import RunLog
from lakehouse.settings import Settings
from lakehouse.spotify.login import SpotifyLogin
from lakehouse.spotify.logins import POLL_STATE, forget_login
from lakehouse.spotify.web_api import NotYet, Refused, TooOften, Unreachable, WebApiError
from lakehouse.state_files import read_state, write_state
from pipeline.missing_features import fetch_missing
from pipeline.registry import pipeline_tables
from tests.support.frames import rows
from tests.support.spotify_server import NOW, Fault, SpotifyServer, error, log_in, play_item, too_often

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def household(logged_in: Settings, spotify: SpotifyServer) -> Settings:
    """`me`, who is LISTENER, and anna have a login each."""
    log_in(logged_in, spotify, listener="anna")
    return logged_in


def ask(settings: Settings, listener: str, after: timedelta = timedelta()) -> int:
    return poll(settings, NOW + after, listener, pause=lambda seconds: None).new_plays


def recorded(settings: Settings, table: str, column: str) -> list[str]:
    files = sorted((settings.lake_path / "spool").glob(f"*/{table}.jsonl"))
    return sorted(json.loads(line)[column] or "" for file in files for line in file.read_text().splitlines())


def test_each_listener_s_plays_become_theirs(household: Settings, spotify: SpotifyServer, spark: SparkSession) -> None:
    spotify.plays = [play_item(NOW - n * MINUTE, n) for n in (1, 2)]
    # One of them both heard, at the same time.
    spotify.other_plays["anna"] = [play_item(NOW - n * MINUTE, n) for n in (2, 3, 4)]
    assert [ask(household, "me"), ask(household, "anna")] == [2, 3]
    lake = Lake(household.lake_uri, spark)
    for number, new in enumerate((5, 1)):
        log = RunLog(household.lake_path / "spool", run_id=f"run-{number}", trigger="run", code_version="0",
                     started_at=NOW)  # fmt: skip
        report = imports.take(lake, household, waiting_files(household), log, NOW)
        assert (report.new_plays, report.errors) == (new, [])
        # What is left in the inbox does not wait, and takes the next answer.
        assert waiting_files(household) == []
        spotify.other_plays["anna"].append(play_item(NOW + MINUTE, 9))
        ask(household, "anna", HOUR)
    found = rows(lake.read(listening_history_bronze), "listener", "track_name")
    assert found == [("anna", f"Song {n}") for n in (2, 3, 4, 9)] + [("me", f"Song {n}") for n in (1, 2)]


def test_each_listener_has_a_cursor_of_their_own(household: Settings, spotify: SpotifyServer) -> None:
    spotify.plays, spotify.other_plays["anna"] = [play_item(NOW - MINUTE)], [play_item(NOW - 90 * MINUTE)]
    for listener in ("me", "anna"):
        assert [ask(household, listener), ask(household, listener, HOUR)] == [1, 0]
    asked = [parameters["after"] for _, _, parameters in spotify.asked if "after" in parameters]
    newest = [NOW - MINUTE, NOW - 90 * MINUTE]
    assert [int(after) / 1000 for after in asked] == [(moment - 2 * HOUR).timestamp() for moment in newest]


def test_polls_go_on_from_the_state_of_before_there_were_listeners(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE, 1)]
    ask(logged_in, "me")
    for file in (logged_in.spotify_token_file, logged_in.lake_path / POLL_STATE):
        write_state(file, {name: value for name, value in read_state(file).items() if name != "listener"})
    spotify.plays.append(play_item(NOW + MINUTE, 2))
    settings = logged_in.model_copy(update={"listener": "paul"})
    assert poll(settings, NOW + HOUR).new_plays == 1
    assert [path.parent.name for path in waiting_files(settings)] == ["me", "paul"]


def test_when_spotify_asks_to_wait_nobody_is_asked_for(household: Settings, spotify: SpotifyServer) -> None:
    spotify.faults.append(too_often("7200"))
    with pytest.raises(TooOften):
        ask(household, "me")
    for after in (timedelta(), 2 * HOUR - MINUTE):
        with pytest.raises(NotYet, match="Spotify is not asked before 2026-06-01 14:00 UTC"):
            ask(household, "anna", after)
    assert len(spotify.asked) == 1
    assert [ask(household, listener, 2 * HOUR) for listener in ("me", "anna")] == [0, 0]


@pytest.mark.parametrize(
    ("faults", "raised"),
    [([error(403)], Refused), ([error(503)] * 3, Unreachable), ([Fault("malformed")] * 3, Unreachable)],
    ids=["refused", "broken", "unreadable"],
)
def test_what_fails_for_one_does_not_keep_the_next_from_being_polled(
    household: Settings, spotify: SpotifyServer, faults: list[Fault], raised: type[WebApiError]
) -> None:
    spotify.faults.extend(faults)
    with pytest.raises(raised):
        ask(household, "me")
    assert ask(household, "anna") == 0
    with pytest.raises(NotYet):
        ask(household, "me")


def test_runs_and_results_name_the_listener_where_there_are_several(
    household: Settings, spotify: SpotifyServer
) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    ask(household, "me")
    spotify.faults.append(error(403, "User not registered"))
    with pytest.raises(Refused, match=r"^Spotify refuses"):
        ask(household, "anna")
    assert recorded(household, QUALITY_RESULTS.name, "detail") == ["me: every poll reached the one before"]
    assert [told[:30] for told in recorded(household, PIPELINE_RUNS.name, "error")] == [
        "",
        "anna: Spotify refuses (403): U",
    ]
    forget_login(household, "anna")
    spotify.plays.append(play_item(NOW + MINUTE, 2))
    ask(household, "me", HOUR)
    assert "every poll reached the one before" in recorded(household, QUALITY_RESULTS.name, "detail")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:spotipy.*")
@pytest.mark.parametrize("trouble", ["ended", "refused", "forgotten"])
def test_audio_features_are_asked_for_with_any_login(household: Settings, spotify: SpotifyServer, trouble: str) -> None:
    spotify.has_audio_features = True
    location = DeltaLogs(household.lake_uri).location(pipeline_tables()["feature_matches"])
    write_deltalake(location, pa.table({"track_id": ["0" * 22], "feature_source": ["none"]}))
    if trouble == "ended":
        SpotifyLogin(household, NOW).end("invalid_grant")
    elif trouble == "refused":
        spotify.faults.append(error(403, "User not registered"))
        with pytest.raises(Refused):
            ask(household, "me")
    else:
        forget_login(household, "me")
    assert fetch_missing(household, NOW).asked == 1
