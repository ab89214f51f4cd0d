"""Polls of the Web API, through real spotipy, against a local server that behaves and fails as Spotify does."""

import json
import logging
import stat
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze.delivered.inbox import INBOX, waiting_files
from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from bronze.web.spotify_polling import poll
from lakehouse.contract.ops import PIPELINE_RUNS
from lakehouse.errors import LakehouseError
from lakehouse.lake.storage import Lake
from lakehouse.runlog.append import append_finished_runs, close_killed_runs
from lakehouse.runlog.spool import UNFINISHED, RunLog
from lakehouse.settings import Settings
from lakehouse.spotify import web_api
from lakehouse.spotify.login import LoginNeeded
from lakehouse.spotify.logins import pause_file
from lakehouse.spotify.poll_state import load_poll_state, poll_problems
from lakehouse.spotify.web_api import NotYet, Refused, TooOften, Unreachable
from lakehouse.state_files import PRIVATE
from tests.support.frames import rows
from tests.support.spotify_server import NOW, Fault, SpotifyServer, error, log_in, play_item, too_often

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
RECENTLY_PLAYED = "/v1/me/player/recently-played"


def ask(settings: Settings, now: datetime = NOW) -> int:
    return poll(settings, now, pause=lambda seconds: None).new_plays


def kept(settings: Settings) -> list[str]:
    """When the plays in the inbox were played, once for each file that holds them."""
    answers = [json.loads(path.read_text()) for path in sorted((settings.lake_path / INBOX).rglob("*.json"))]
    return sorted(item["played_at"] for answer in answers for item in answer["items"])


def recorded(settings: Settings) -> list[tuple[str, str | None]]:
    files = sorted((settings.lake_path / "spool").glob(f"*/{PIPELINE_RUNS.name}.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return [(row["status"], row["error"]) for row in rows]


def test_the_whole_answer_waits_for_the_next_run(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - n * MINUTE, n) for n in (3, 2, 1)]
    assert ask(logged_in) == 3
    [file] = waiting_files(logged_in)
    assert json.loads(file.read_text()) == spotify.recently_played({"limit": "50"})
    assert file.name.startswith("recently_played_20260601T120000Z_")
    assert recorded(logged_in) == [("succeeded", None)]


def test_without_news_nothing_waits(logged_in: Settings, spotify: SpotifyServer) -> None:
    assert ask(logged_in) == 0
    spotify.plays = [play_item(NOW - MINUTE)]
    assert ask(logged_in) == 1
    before = waiting_files(logged_in)
    assert [ask(logged_in, NOW + hours * HOUR) for hours in range(30)] == [0] * 30
    assert waiting_files(logged_in) == before
    assert [status for status, _ in recorded(logged_in)].count("no_news") == 31


def test_each_poll_asks_from_two_hours_before_the_newest_play(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    ask(logged_in)
    assert "after" not in spotify.asked[-1][2]
    ask(logged_in, NOW + HOUR)
    assert int(spotify.asked[-1][2]["after"]) / 1000 == (NOW - MINUTE - 2 * HOUR).timestamp()


def test_plays_that_are_reported_late_are_found(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    ask(logged_in)
    spotify.plays.append(play_item(NOW - 100 * MINUTE, 1))
    assert ask(logged_in, NOW + HOUR) == 1
    # Reported later than the overlap: found by the daily poll for all plays.
    spotify.plays.append(play_item(NOW - 10 * HOUR, 2))
    assert [ask(logged_in, NOW + hours * HOUR) for hours in (2, 12, 25)] == [0, 0, 1]


def test_two_tracks_that_end_at_once_are_two_plays(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE, 1)]
    ask(logged_in)
    spotify.plays.append(play_item(NOW - MINUTE, 2))
    assert ask(logged_in, NOW + MINUTE) == 1


def test_a_full_window_without_a_known_play_is_reported_as_a_gap(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - 2 * HOUR)]
    assert poll(logged_in, NOW).gap == ""
    spotify.plays += [play_item(NOW + n * MINUTE, n) for n in range(60)]
    assert poll(logged_in, NOW + HOUR).gap == "between 2026-06-01T10:00 and 2026-06-01T12:10 UTC"
    [problem] = poll_problems(load_poll_state(logged_in, "me"), NOW + HOUR, 30)
    assert "were likely missed" in problem
    assert poll(logged_in, NOW + HOUR).gap == ""
    later = NOW + timedelta(days=8)
    ask(logged_in, later)
    assert poll_problems(load_poll_state(logged_in, "me"), later, 30) == []


def test_many_new_plays_that_reach_the_known_ones_are_no_gap(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    ask(logged_in)
    spotify.plays += [play_item(NOW + n * MINUTE, n) for n in range(49)]
    found = poll(logged_in, NOW + HOUR)
    assert (found.new_plays, found.gap) == (49, "")


@pytest.mark.parametrize(
    "fault",
    [Fault("reset"), Fault("malformed"), Fault("cut"), Fault("not_an_object"), error(500), error(503),
     Fault("status", 502, body="<html>"), Fault("status", 504, body={"error": "down"})],
    ids=lambda fault: f"{fault.kind}{fault.status or ''}",
)  # fmt: skip
def test_passing_faults_are_survived(logged_in: Settings, spotify: SpotifyServer, fault: Fault) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    spotify.faults.extend([fault, fault])
    assert ask(logged_in) == 1
    assert kept(logged_in) == [spotify.plays[0]["played_at"]]


@pytest.mark.parametrize("kind", ["silence", "drip"])
def test_slow_answers_are_not_waited_for(
    logged_in: Settings, spotify: SpotifyServer, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.spotify.login.TIMEOUT_SECONDS", (1.0, 0.2))
    monkeypatch.setattr(web_api, "LONGEST_ANSWER_SECONDS", 0.3)
    spotify.silent_for = 3
    spotify.plays = [play_item(NOW - MINUTE)]
    spotify.faults.append(Fault(kind))
    assert ask(logged_in) == 1


def test_an_empty_page_is_no_news(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - MINUTE)]
    spotify.faults.append(Fault("empty"))
    assert [ask(logged_in), ask(logged_in)] == [0, 1]


def test_lasting_faults_end_the_poll_and_are_left_alone_for_a_growing_time(
    logged_in: Settings, spotify: SpotifyServer
) -> None:
    pauses: list[float] = []
    now, breaks = NOW, []
    for _ in range(12):
        spotify.faults.extend([error(503)] * 3)
        with pytest.raises(Unreachable, match="Spotify answers with its own error 503"):
            poll(logged_in, now, pause=pauses.append)
        until = datetime.fromisoformat(json.loads(pause_file(logged_in, "me").read_text())["not_before"])
        breaks.append((until - now).total_seconds())
        asked = len(spotify.asked)
        with pytest.raises(NotYet, match="Spotify is not asked before"):
            ask(logged_in, until - timedelta(seconds=1))
        assert len(spotify.asked) == asked
        now = until
    assert all(30 * 2**n <= seconds <= 60 * 2**n for n, seconds in enumerate(breaks[:6]))
    assert all(1800 <= seconds <= 3600 for seconds in breaks[6:])
    assert all(0.5 <= pause <= 2 for pause in pauses)
    # Random, so that many clients do not return at once.
    assert len(set(breaks[6:])) == len(breaks[6:])
    assert len(set(pauses)) == len(pauses)
    assert ask(logged_in, now) == 0
    assert not pause_file(logged_in, "me").exists()


@pytest.mark.parametrize(
    ("value", "wait"),
    [("72000", 20 * HOUR), ("Tue, 02 Jun 2026 08:00:00 GMT", 20 * HOUR), ("soon", MINUTE), ("", MINUTE), ("-5", MINUTE),
     ("99999999999999999999", timedelta(days=30)), ("Tue, 02 Jun 1970 08:00:00 GMT", timedelta())],
)  # fmt: skip
def test_retry_after_is_obeyed_without_sleeping(
    logged_in: Settings, spotify: SpotifyServer, value: str, wait: timedelta
) -> None:
    spotify.faults.append(too_often(value))
    with pytest.raises(TooOften, match="Spotify asks to wait until"):
        poll(logged_in, NOW, pause=lambda seconds: pytest.fail("slept"))
    assert len(spotify.asked) == 1
    if wait:
        with pytest.raises(NotYet):
            ask(logged_in, NOW + wait - timedelta(seconds=1))
    assert len(spotify.asked) == 1
    assert ask(logged_in, NOW + wait) == 0


def test_retry_after_of_the_token_server_is_obeyed_too(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.faults.append(too_often("7200"))
    with pytest.raises(TooOften):
        ask(logged_in, NOW + HOUR)
    with pytest.raises(NotYet):
        ask(logged_in, NOW + 2 * HOUR)
    assert spotify.paths() == ["/accounts/api/token"]


def test_an_access_token_is_renewed_when_it_ends_and_once_when_it_is_not_accepted(
    logged_in: Settings, spotify: SpotifyServer
) -> None:
    ask(logged_in, NOW + 50 * MINUTE)
    assert spotify.paths() == [RECENTLY_PLAYED]
    ask(logged_in, NOW + HOUR)
    assert spotify.paths()[1:] == ["/accounts/api/token", RECENTLY_PLAYED]
    spotify.access_tokens.clear()
    spotify.asked.clear()
    ask(logged_in, NOW + HOUR)
    assert spotify.paths() == [RECENTLY_PLAYED, "/accounts/api/token", RECENTLY_PLAYED]
    spotify.asked.clear()
    spotify.faults.extend([error(401), error(401, path=RECENTLY_PLAYED)])
    with pytest.raises(LakehouseError, match="does not accept the login"):
        ask(logged_in, NOW + HOUR)
    assert spotify.paths() == [RECENTLY_PLAYED, "/accounts/api/token", RECENTLY_PLAYED]


def test_a_new_refresh_token_is_kept(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.rotates_refresh_tokens = True
    for hours in (1, 2, 3):
        ask(logged_in, NOW + hours * HOUR)


def test_an_ended_consent_asks_for_a_new_login_and_for_nothing_else(
    logged_in: Settings, spotify: SpotifyServer
) -> None:
    spotify.end_consent()
    later = NOW + timedelta(days=190)
    with pytest.raises(LoginNeeded, match=r"ended the login \(invalid_grant.*lakehouse auth"):
        ask(logged_in, later)
    assert spotify.paths() == ["/accounts/api/token"]
    for hours in range(5):
        with pytest.raises(LoginNeeded, match="lakehouse auth"):
            ask(logged_in, later + hours * HOUR)
    assert len(spotify.asked) == 1
    assert [status for status, _ in recorded(logged_in)] == ["failed"]
    log_in(logged_in, spotify, later + 6 * HOUR)
    assert ask(logged_in, later + 6 * HOUR) == 0


def test_a_wrong_secret_is_explained(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.faults.append(Fault("status", 400, body={"error": "invalid_client", "error_description": "Bad secret"}))
    with pytest.raises(Refused, match="invalid_client: Bad secret; check SPOTIFY_CLIENT_ID"):
        ask(logged_in, NOW + HOUR)


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("Insufficient client scope", "log in again"),
        ("User not registered", "User Management"),
    ],
)
def test_a_refusal_is_explained(logged_in: Settings, spotify: SpotifyServer, message: str, remedy: str) -> None:
    spotify.faults.append(error(403, message))
    with pytest.raises(Refused, match=f"{message}.*{remedy}"):
        ask(logged_in)
    assert len(spotify.asked) == 1
    with pytest.raises(NotYet):
        ask(logged_in)


def test_what_was_fetched_is_kept_when_the_next_page_fails(logged_in: Settings, spotify: SpotifyServer) -> None:
    spotify.plays = [play_item(NOW - n * MINUTE, n) for n in range(1, 51)]
    last = min(item["played_at"] for item in spotify.plays)
    spotify.faults.clear()

    original = SpotifyServer.recently_played

    def then_fail(state: SpotifyServer, *question: Any) -> dict[str, object]:
        state.faults.extend([error(503)] * 3)
        return original(state, *question)

    spotify.recently_played = then_fail.__get__(spotify)  # type: ignore[method-assign]
    with pytest.raises(Unreachable):
        ask(logged_in)
    assert len(kept(logged_in)) == 50
    assert kept(logged_in)[0] == last
    # The cursor has not moved: the next poll asks again for all.
    assert load_poll_state(logged_in, "me").newest_played_at == ""


def test_a_poll_that_was_killed_is_recorded_as_killed(
    logged_in: Settings, spotify: SpotifyServer, spark: SparkSession
) -> None:
    spool = logged_in.lake_path / "spool"
    left = logged_in.lake_path / UNFINISHED / "poll-abc"
    RunLog(left, run_id="killed-poll", trigger="poll", code_version="0", started_at=NOW)
    ask(logged_in)
    assert not left.exists()
    lake = Lake(logged_in.lake_uri, spark)
    killed = close_killed_runs(lake, spool, history=listening_history_bronze, catalogue=kaggle_tracks_bronze)
    assert killed == ["killed-poll"]
    append_finished_runs(lake, spool)
    assert [row[1:] for row in rows(lake.read(PIPELINE_RUNS), "run_id", "trigger", "status")] == [
        ("poll", "no_news"), ("poll", "killed"),
    ]  # fmt: skip


def test_silence_is_a_problem_after_hours(logged_in: Settings, spotify: SpotifyServer) -> None:
    ask(logged_in)
    state = load_poll_state(logged_in, "me")
    assert poll_problems(state, NOW + 3 * HOUR, 30) == []
    [problem] = poll_problems(state, NOW + 4 * HOUR, 30)
    assert "has not answered since 2026-06-01 12:00 UTC" in problem


def test_a_missing_login_is_reported(web_settings: Settings) -> None:
    with pytest.raises(LoginNeeded, match="nobody is logged in at Spotify: log in with `lakehouse auth`"):
        ask(web_settings)


def test_tokens_are_private_and_shown_nowhere(
    logged_in: Settings, spotify: SpotifyServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    spotify.plays = [play_item(NOW - MINUTE)]
    ask(logged_in, NOW + HOUR)
    spotify.faults.extend([error(500)] * 3)
    with pytest.raises(Unreachable) as failure:
        ask(logged_in, NOW + 2 * HOUR)
    file = logged_in.spotify_token_file
    assert stat.S_IMODE(file.stat().st_mode) == PRIVATE
    everything = [path.read_text() for path in logged_in.lake_path.rglob("*") if path.is_file()]
    shown = "".join([*everything, caplog.text, *capfd.readouterr(), repr(failure.value), repr(logged_in)])
    assert not [secret for secret in [*spotify.secrets_given, "the-secret-of-the-app"] if secret in shown]


def test_tokens_do_not_lie_in_the_lake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="SPOTIFY_TOKEN_FILE must lie outside LAKE_URI"):
        Settings(lake_uri=f"file:{tmp_path}", spotify_token_file=tmp_path / "token.json", _env_file=None)
