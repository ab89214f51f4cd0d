"""What the scheduler does and when: polls, runs when something waits, a full check each night, order once a week."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bronze.delivered.inbox import waiting_files
from lakehouse.errors import LakehouseError
from lakehouse.lake.lock import writer_at_work
from lakehouse.settings import Settings
from lakehouse.spotify.login_status import login_status
from lakehouse.state_files import moment_in, write_state
from pipeline.health import ended_jobs, note_ended_job, problems
from scheduler.alerts import send_alerts
from scheduler.children import Children
from scheduler.logs import log

HEARTBEAT_FILE = "state/scheduler.json"
HEARTBEAT_EVERY = timedelta(seconds=30)
POLL_LIMIT_MINUTES = 5.0
NIGHT_HOUR, WEEKLY_DAY, WEEKLY_HOUR = 4, "sun", 5


@dataclass(frozen=True)
class Job:
    """One thing that is done again and again.

    Attributes:
        name: its fixed id.
        trigger: when.
        work: what.
        executor: 'polls', 'pipeline' (one at a time) or 'heart'.
    """

    name: str
    trigger: BaseTrigger
    work: Callable[[], None]
    executor: str

    def first_time(self, ended_at: datetime | None, now: datetime) -> datetime | None:
        """When it is due after a start: at once where it was due while the scheduler was down.

        Args:
            ended_at: when it ended last, None where it never ran.
            now: the current time.
        """
        due = self.trigger.get_next_fire_time(None, ended_at or now)
        return max(due, now) if due else None


@dataclass
class Schedule:
    """The jobs, and what they need.

    Attributes:
        settings: of the scheduler and, by the environment, of its children.
        after_poll: called when something waits after a poll.
        clock: tells the time.
        children: the commands that run now.
    """

    settings: Settings
    after_poll: Callable[[], None] = lambda: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    children: Children = field(default_factory=Children)

    def jobs(self) -> list[Job]:
        """All jobs; without an app at Spotify there are no polls."""
        every = IntervalTrigger(minutes=self.settings.poll_interval_minutes, start_date=self.clock(), timezone=UTC)
        zone = ZoneInfo(self.settings.listener_time_zone)
        nightly = CronTrigger(hour=NIGHT_HOUR, timezone=zone)
        weekly = CronTrigger(day_of_week=WEEKLY_DAY, hour=WEEKLY_HOUR, timezone=zone)
        heartbeat = IntervalTrigger(seconds=int(HEARTBEAT_EVERY.total_seconds()), start_date=self.clock(), timezone=UTC)
        found = [
            Job("run", every, self.run, "pipeline"),
            Job("nightly", nightly, self.nightly, "pipeline"),
            Job("weekly", weekly, self.weekly, "pipeline"),
            Job("heartbeat", heartbeat, self.heartbeat, "heart"),
        ]
        return [Job("poll", every, self.poll, "polls"), *found] if self.settings.spotify_client_id else found

    def fill(self) -> None:
        """Bring the lake up to date and show it to Trino, so that a new one has all its tables."""
        demo = [("run", "--demo", "--trigger", "first")] if self.settings.demo else []
        self._do("fill", [*demo, ("run", "--trigger", "first"), ("register",)], self.settings.run_limit_minutes)

    def poll(self) -> None:
        """Ask Spotify for new plays, unless there is no login to ask with."""
        login = login_status(self.settings.spotify_token_file)
        if login is None or login.ended:
            log("not polled: nobody is logged in at Spotify", logging.WARNING)
        else:
            self._do("poll", [("poll",)], POLL_LIMIT_MINUTES)
        self._alert()
        if self._waits():
            self.after_poll()

    def run(self) -> None:
        """Take what waits into the lake; without anything nothing starts."""
        if not self._waits():
            return
        if holder := writer_at_work(self.settings.work_path):
            log("run put off: somebody else is writing", holder=holder)
            return
        self._do("run", [*self._features(), ("run", "--trigger", "schedule")], self.settings.run_limit_minutes)
        self._alert()

    def nightly(self) -> None:
        """Bring everything up to date and check all that is stored."""
        steps = [*self._features(), ("run", "--trigger", "nightly"), ("check",)]
        self._do("nightly", steps, self.settings.run_limit_minutes)
        self._alert()

    def weekly(self) -> None:
        """Join small files and delete what no reader needs."""
        self._do("weekly", [("maintain",)], self.settings.run_limit_minutes)
        self._alert()

    def heartbeat(self) -> None:
        """Show that the scheduler's clock ticks; `python -m scheduler health` looks here."""
        write_state(self.settings.work_path / HEARTBEAT_FILE, {"alive_at": self.clock().isoformat()})

    def ended_at(self, job: str) -> datetime | None:
        """When a job ended last, whichever process did it."""
        return moment_in(ended_jobs(self.settings).get(job, {}), "ended_at")

    def _waits(self) -> bool:
        """Whether anything waits; a folder that cannot be read is told each time, and shows in `health`."""
        try:
            return bool(waiting_files(self.settings))
        except LakehouseError as error:
            log("attention", logging.WARNING, problem=str(error))
            return False

    def _features(self) -> list[tuple[str, ...]]:
        """Features for tracks that lack them, as far as the last run knows; taken by the run that follows."""
        asks = self.settings.ask_reccobeats or login_status(self.settings.spotify_token_file)
        return [("features",)] if asks else []

    def _do(self, job: str, steps: list[tuple[str, ...]], limit_minutes: float) -> None:
        """Run commands one after the other; one that fails does not keep the next from trying."""
        exit_code, told, seconds = 0, "", 0.0
        for command in steps:
            log("started", job=job, command=" ".join(command))
            ended = self.children.run(command, limit_minutes * 60)
            if ended is None:
                return
            level = logging.WARNING if ended.exit_code else logging.INFO
            log("ended", level, job=job, command=" ".join(command), exit_code=ended.exit_code,
                seconds=round(ended.seconds, 1), told=ended.told)  # fmt: skip
            seconds += ended.seconds
            if ended.exit_code and not exit_code and command != ("features",):
                exit_code, told = ended.exit_code, f"`lakehouse {' '.join(command)}`: {ended.told}"
        note_ended_job(
            self.settings, job, ended_at=self.clock().isoformat(), exit_code=exit_code, told=told,
            seconds=round(seconds, 1),
        )  # fmt: skip

    def _alert(self) -> None:
        found = problems(self.settings, self.clock())
        for problem in found:
            log("attention", logging.WARNING, problem=problem.text)
        send_alerts(self.settings, found, self.clock())
