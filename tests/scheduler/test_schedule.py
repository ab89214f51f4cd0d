"""What the scheduler does and when; the test sets the clock, and commands are noted instead of being run."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import pytest
from apscheduler.schedulers.base import BaseScheduler
from apscheduler.schedulers.blocking import BlockingScheduler

from bronze.delivered.inbox import keep_answer
from bronze.web.spotify_polling import poll
from lakehouse.errors import LakehouseError
from lakehouse.lake.lock import writer_lock
from lakehouse.settings import Settings
from lakehouse.spotify.login import SpotifyLogin
from lakehouse.spotify.logins import forget_login
from pipeline.health import ended_jobs, forget_reports, note_ended_job, problems
from scheduler.__main__ import build_scheduler, health
from scheduler.children import Children, ChildResult
from scheduler.schedule import Job, Schedule
from tests.support.spotify_server import NOW, SpotifyServer, log_in

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


@dataclass
class NotedChildren(Children):
    """Notes commands; each ends as the test sets."""

    commands: list[tuple[tuple[str, ...], float]] = field(default_factory=list)
    ends: dict[str, ChildResult | None] = field(default_factory=dict)

    def run(self, command: tuple[str, ...], limit_seconds: float) -> ChildResult | None:
        self.commands.append((command, limit_seconds))
        return self.ends.get(command[0], ChildResult(0, "", 1.0))

    @property
    def names(self) -> list[str]:
        return [" ".join(command) for command, _ in self.commands]


@dataclass
class Clock:
    """A clock that the test sets."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Made:
    """A schedule with its fake children and clock."""

    schedule: Schedule
    children: NotedChildren
    clock: Clock

    def job(self, name: str) -> Job:
        return {job.name: job for job in self.schedule.jobs()}[name]


@pytest.fixture
def made(logged_in: Settings) -> Made:
    return make(logged_in)


def make(settings: Settings, **changed: Any) -> Made:
    children, clock = NotedChildren(), Clock()
    return Made(Schedule(settings.model_copy(update=changed), clock=clock, children=children), children, clock)


def deliver(settings: Settings) -> None:
    keep_answer(settings, "recently_played", {"items": []}, NOW)


def test_a_poll_is_a_poll_and_nothing_more(made: Made) -> None:
    made.schedule.poll()
    made.schedule.run()
    assert made.children.names == ["poll"]


def test_what_a_poll_brought_starts_a_run_at_once(made: Made, logged_in: Settings) -> None:
    called: list[bool] = []
    made.schedule.after_poll = lambda: called.append(True)
    made.schedule.poll()
    assert called == []
    deliver(logged_in)
    made.schedule.poll()
    assert called == [True]


@pytest.mark.parametrize("demo", [True, False])
def test_a_new_lake_is_filled_and_shown_to_trino(logged_in: Settings, demo: bool) -> None:
    made = make(logged_in, demo=demo)
    made.schedule.fill()
    first = ["run --demo --trigger first"] if demo else []
    assert made.children.names == [*first, "run --trigger first", "register"]
    assert "fill" not in {job.name for job in made.schedule.jobs()}


def test_a_folder_that_cannot_be_read_is_reported_and_shows_in_health(
    made: Made, logged_in: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(folder: Path) -> NoReturn:
        raise PermissionError(13, "Permission denied", str(folder))

    made.schedule.heartbeat()
    logged_in.import_dir.mkdir(parents=True, exist_ok=True)
    with monkeypatch.context() as patch, caplog.at_level("INFO", "scheduler"):
        patch.setattr(Path, "iterdir", refuse)
        made.schedule.run()
        with pytest.raises(LakehouseError, match=r"cannot be read .Permission denied.: let user id"):
            health(logged_in, NOW)
    assert made.children.names == []
    assert "attention" in caplog.messages


@pytest.mark.parametrize("where", ["import_dir", "kaggle_csv"])
def test_new_files_start_a_run_without_any_login(web_settings: Settings, where: str) -> None:
    made = make(web_settings, spotify_client_id=None)
    assert "poll" not in {job.name for job in made.schedule.jobs()}
    made.schedule.run()
    assert made.children.names == []
    place: Path = getattr(web_settings, where)
    file = place / "Streaming_History_Audio_1.json" if where == "import_dir" else place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("[]")
    made.schedule.run()
    assert made.children.names == ["run --trigger schedule"]


def test_features_are_asked_for_before_the_run_that_takes_them(made: Made, logged_in: Settings) -> None:
    deliver(logged_in)
    made.schedule.run()
    assert made.children.names == ["features", "run --trigger schedule"]


def test_while_somebody_else_writes_a_run_is_put_off(
    made: Made, logged_in: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "scheduler")
    deliver(logged_in)
    with writer_lock(logged_in.lake_path, purpose="a long import", wait_seconds=0):
        made.schedule.run()
    assert made.children.names == []
    [record] = caplog.records
    assert "a long import" in record.facts["holder"]  # type: ignore[attr-defined]
    made.schedule.run()
    assert "run --trigger schedule" in made.children.names


def test_the_night_brings_everything_up_to_date_and_checks_it(made: Made) -> None:
    made.schedule.nightly()
    assert made.children.names == ["features", "run --trigger nightly", "check"]


def test_a_failed_run_does_not_keep_the_check_from_being_done(made: Made, logged_in: Settings) -> None:
    made.children.ends["run"] = ChildResult(1, "error gold broke", 60.0)
    made.schedule.nightly()
    assert made.children.names[-1] == "check"
    ended = ended_jobs(logged_in)["nightly"]
    assert (ended["exit_code"], ended["told"]) == (1, "`lakehouse run --trigger nightly`: error gold broke")


def test_features_that_could_not_be_asked_for_are_no_failure_of_the_run(made: Made, logged_in: Settings) -> None:
    made.children.ends["features"] = ChildResult(1, "error no network", 1.0)
    made.schedule.nightly()
    assert ended_jobs(logged_in)["nightly"]["exit_code"] == 0


def test_once_a_week_files_are_put_in_order(made: Made) -> None:
    made.schedule.weekly()
    assert made.children.names == ["maintain"]


def test_children_are_bounded_in_time(made: Made, logged_in: Settings) -> None:
    deliver(logged_in)
    made.schedule.poll()
    made.schedule.run()
    assert dict(made.children.commands) == {
        ("poll",): 300.0, ("features",): 180 * 60.0, ("run", "--trigger", "schedule"): 180 * 60.0,
    }  # fmt: skip


def test_without_a_login_nothing_is_polled(web_settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    made = make(web_settings)
    made.schedule.poll()
    assert made.children.names == []
    assert "nobody is logged in" in caplog.text


def test_everybody_with_a_login_is_polled_in_one_go(made: Made, logged_in: Settings, spotify: SpotifyServer) -> None:
    log_in(logged_in, spotify, listener="anna")
    SpotifyLogin(logged_in, NOW).end("invalid_grant")
    made.schedule.poll()
    assert made.children.commands == [(("poll",), 600.0)]
    [problem] = problems(logged_in, NOW)
    assert (problem.kind, problem.text[:23]) == ("login_ended", "me: Spotify ended the l")


def test_features_are_asked_for_with_anybody_s_login(web_settings: Settings, spotify: SpotifyServer) -> None:
    made = make(web_settings)
    made.schedule.nightly()
    assert "features" not in made.children.names
    log_in(web_settings, spotify, listener="anna")
    made.schedule.nightly()
    assert "features" in made.children.names


def test_an_ended_login_is_not_polled_and_is_a_problem(made: Made, logged_in: Settings) -> None:
    SpotifyLogin(logged_in, NOW).end("invalid_grant")
    made.schedule.poll()
    assert made.children.names == []
    [problem] = problems(logged_in, NOW)
    assert problem.kind == "login_ended"


# ---- when


def due(job: Job, start: datetime, count: int) -> list[datetime]:
    times: list[datetime] = []
    last: datetime | None = None
    for _ in range(count):
        last = job.trigger.get_next_fire_time(last, last or start)
        assert last is not None
        times.append(last.astimezone(UTC))
    return times


@pytest.mark.parametrize("minutes", [1, 30, 60])
def test_polls_come_every_so_many_minutes(logged_in: Settings, minutes: int) -> None:
    job = make(logged_in, poll_interval_minutes=minutes).job("poll")
    assert due(job, NOW, 3) == [NOW, NOW + minutes * MINUTE, NOW + 2 * minutes * MINUTE]


def test_nights_and_sundays_are_the_listeners(logged_in: Settings) -> None:
    made = make(logged_in, listener_time_zone="America/New_York")
    # 1 June 2026 is a Monday; New York is 4 hours behind UTC.
    assert due(made.job("nightly"), NOW, 2) == [
        datetime(2026, 6, 2, 8, tzinfo=UTC),
        datetime(2026, 6, 3, 8, tzinfo=UTC),
    ]
    assert due(made.job("weekly"), NOW, 2) == [
        datetime(2026, 6, 7, 9, tzinfo=UTC),
        datetime(2026, 6, 14, 9, tzinfo=UTC),
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Africa/Cairo", "UTC"])
def test_every_day_has_one_night_also_where_the_clock_is_changed(logged_in: Settings, zone: str) -> None:
    times = due(make(logged_in, listener_time_zone=zone).job("nightly"), NOW, 366)
    assert {timedelta(hours=23), timedelta(hours=24), timedelta(hours=25)} >= {
        later - earlier for earlier, later in pairwise(times)
    }


def test_what_was_due_while_the_scheduler_was_down_is_done_at_once(made: Made, logged_in: Settings) -> None:
    for name in ("nightly", "weekly"):
        assert made.job(name).first_time(NOW - 8 * DAY, NOW) == NOW
    # What is not due yet waits for its time.
    tonight = datetime(2026, 6, 2, 4, tzinfo=UTC)
    assert made.job("nightly").first_time(NOW - HOUR, NOW) == tonight
    assert made.job("nightly").first_time(None, NOW) == tonight
    assert made.job("poll").first_time(NOW - MINUTE, NOW) == NOW


def test_how_jobs_ended_is_known_after_a_restart(made: Made, logged_in: Settings) -> None:
    made.clock.now = NOW - 8 * DAY
    made.schedule.nightly()
    scheduler = build_scheduler(make(logged_in).schedule)
    jobs = {job.id: job for job in scheduler.get_jobs()}
    assert jobs["nightly"].next_run_time == NOW
    assert jobs["weekly"].next_run_time == datetime(2026, 6, 7, 5, tzinfo=UTC)


def test_a_job_that_the_end_of_the_scheduler_broke_off_is_done_again(made: Made) -> None:
    made.clock.now = NOW - 2 * DAY
    made.schedule.nightly()
    made.clock.now = NOW - HOUR
    made.children.ends["check"] = None
    made.schedule.nightly()
    assert made.job("nightly").first_time(made.schedule.ended_at("nightly"), NOW) == NOW


@contextmanager
def started(made: Made) -> Iterator[BlockingScheduler]:
    """The scheduler as it runs, without its endless loop."""
    scheduler = build_scheduler(made.schedule)
    scheduler._event = Event()
    BaseScheduler.start(scheduler, paused=True)
    try:
        yield scheduler
    finally:
        scheduler.shutdown(wait=True)


def test_one_of_each_runs_and_polls_wait_for_no_run(made: Made) -> None:
    with started(made) as scheduler:
        jobs = {job.id: job for job in scheduler.get_jobs()}
    assert {name: job.executor for name, job in jobs.items()} == {
        "poll": "polls", "run": "pipeline", "nightly": "pipeline", "weekly": "pipeline", "heartbeat": "heart",
    }  # fmt: skip
    assert {job.max_instances for job in jobs.values()} == {1}


def test_missed_times_are_one_and_none_is_dropped(made: Made) -> None:
    made.clock.now = datetime.now(UTC)
    with started(made) as scheduler:
        # The machine slept for days, unnoticed by the scheduler.
        for name, slept in (("nightly", 6 * DAY), ("weekly", 6.9 * DAY), ("poll", 3 * DAY)):
            scheduler.modify_job(name, next_run_time=made.clock.now - slept)
        scheduler.resume()
        scheduler._process_jobs()
    assert sorted(made.children.names) == ["check", "features", "maintain", "poll", "run --trigger nightly"]


def test_a_poll_moves_the_run_to_now(made: Made, logged_in: Settings) -> None:
    scheduler = build_scheduler(made.schedule)
    made.clock.now = NOW + 7 * MINUTE
    deliver(logged_in)
    made.schedule.poll()
    assert {job.id: job.next_run_time for job in scheduler.get_jobs()}["run"] == NOW + 7 * MINUTE


# ---- what is reported


def failing(made: Made) -> None:
    made.children.ends["run"] = ChildResult(1, "error disk full", 2.0)
    deliver(made.schedule.settings)
    made.schedule.run()


def lapsing(made: Made) -> None:
    made.clock.now = NOW + 160 * DAY


def silent(made: Made) -> None:
    poll(made.schedule.settings, NOW)
    made.clock.now = NOW + 5 * HOUR


@pytest.mark.parametrize(
    ("trouble", "text"),
    [
        (failing, "the scheduled run failed on 2026-06-01 at 12:00 UTC: `lakehouse run --trigger schedule`: error"),
        (lapsing, "the login at Spotify ends in 23 days, on 2026-12-01: log in with `lakehouse auth` before"),
        (silent, "Spotify has not answered since 2026-06-01 12:00 UTC: is the scheduler running?; it shows the last"),
    ],
    ids=["run fails", "consent ends", "plays missed"],
)  # fmt: skip
def test_log_webhook_and_health_tell_what_needs_attention(
    made: Made, logged_in: Settings, spotify: Any, caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str], trouble: Callable[[Made], None], text: str,
) -> None:  # fmt: skip
    webhook = logged_in.model_validate({**logged_in.model_dump(), "alert_webhook_url": f"{spotify.url}/webhook"})
    alerting = make(webhook)
    trouble(alerting)
    alerting.schedule.poll()
    [problem] = problems(logged_in, alerting.clock.now)
    assert problem.text.startswith(text)
    assert [message["text"] for message in spotify.webhook] == [f"lakehouse: {problem.text}"]
    assert problem.text in [getattr(record, "facts", {}).get("problem") for record in caplog.records]
    health(logged_in, alerting.clock.now)
    assert f"attention: {problem.text}\n" in capsys.readouterr().out


def test_a_run_that_succeeds_ends_the_alarm(made: Made, logged_in: Settings) -> None:
    failing(made)
    assert len(problems(logged_in, NOW)) == 1
    made.children.ends.clear()
    made.schedule.run()
    assert problems(logged_in, NOW) == []


def test_a_forgotten_listener_s_name_is_in_no_report(made: Made, logged_in: Settings, spotify: SpotifyServer) -> None:
    webhook = logged_in.model_validate({**logged_in.model_dump(), "alert_webhook_url": f"{spotify.url}/webhook"})
    for listener in ("anna", "ben"):
        log_in(webhook, spotify, listener=listener)
        SpotifyLogin(webhook, NOW, listener).end("invalid_grant")
    alerting = make(webhook)
    alerting.children.ends["poll"] = ChildResult(1, "error anna: Spotify ended the login", 1.0)
    alerting.schedule.poll()
    assert [problem.kind for problem in problems(webhook, NOW)] == ["login_ended anna", "login_ended ben"]
    forget_login(webhook, "anna")
    forget_reports(webhook, "anna")
    state = [path.read_text() for path in (webhook.lake_path / "state").glob("*.json")]
    assert not [text for text in state if "anna" in text]
    assert [text for text in state if "login_ended ben" in text]
    assert ended_jobs(webhook)["poll"]["exit_code"] == 1


def test_health_follows_the_heartbeat(made: Made, logged_in: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert health(logged_in, NOW) == 1
    assert "has not been seen yet: start it with `python -m scheduler`" in capsys.readouterr().out
    made.schedule.heartbeat()
    assert health(logged_in, NOW + 2 * MINUTE) == 0
    assert health(logged_in, NOW + 4 * MINUTE) == 1
    assert "has not been seen since 2026-06-01 12:00 UTC" in capsys.readouterr().out


def test_a_damaged_state_stops_nothing(made: Made, logged_in: Settings) -> None:
    note_ended_job(logged_in, "run", exit_code="many", ended_at=5)
    state = logged_in.lake_path / "state" / "schedule.json"
    for damage in ("{", "[]", '{"nightly": 5, "weekly": {"ended_at": "soon"}}'):
        state.write_text(damage)
        assert problems(logged_in, NOW) == []
        build_scheduler(made.schedule)
    made.schedule.nightly()
    assert ended_jobs(logged_in)["nightly"]["exit_code"] == 0
