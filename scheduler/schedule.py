"""What the scheduler does and when: polls, runs when data waits, full checks at night, maintenance once a week."""

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
from lakehouse.spotify.logins import listeners_with_login
from lakehouse.state_files import moment_in, write_state
from pipeline.health import ended_jobs, note_ended_job, problems
from scheduler.alerts import send_alerts
from scheduler.children import Children
from scheduler.logs import log

HEARTBEAT_FILE = "state/scheduler.json"
HEARTBEAT_EVERY = timedelta(seconds=30)
# For each listener.
POLL_LIMIT_MINUTES = 5.0
NIGHT_HOUR, WEEKLY_DAY, WEEKLY_HOUR = 4, "sun", 5


@dataclass(frozen=True)
class Job:
    """One recurring job.

    Attributes:
        name: its id.
        trigger: when it is due.
        work: what it does.
        executor: 'polls', 'pipeline' or 'heart'; each runs one job at a time.
    """

    name: str
    trigger: BaseTrigger
    work: Callable[[], None]
    executor: str

    def first_time(self, ended_at: datetime | None, now: datetime) -> datetime | None:
        """When it is due after a start of the scheduler: at once if it became due while the scheduler was down.

        Args:
            ended_at: when it last ended, None where it never ran.
            now: the current time.
        """
        due = self.trigger.get_next_fire_time(None, ended_at or now)
        return max(due, now) if due else None


@dataclass
class Schedule:
    """The jobs, and what they need.

    Attributes:
        settings: of the scheduler; its children get the same from the environment.
        after_poll: called after a poll when data waits.
        clock: gives the current time.
        children: the running commands.
    """

    settings: Settings
    after_poll: Callable[[], None] = lambda: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    children: Children = field(default_factory=Children)

    def jobs(self) -> list[Job]:
        """All jobs; polls only with a Spotify client id."""
        every = IntervalTrigger(minutes=self.settings.poll_interval_minutes, start_date=self.clock(), timezone=UTC)
        zone = ZoneInfo(self.settings.listener_time_zone)
        nightly = CronTrigger(hour=NIGHT_HOUR, timezone=zone)
        weekly = CronTrigger(day_of_week=WEEKLY_DAY, hour=WEEKLY_HOUR, timezone=zone)
        heartbeat = IntervalTrigger(seconds=int(HEARTBEAT_EVERY.total_seconds()), start_date=self.clock(), timezone=UTC)
        jobs = [
            Job("run", every, self.run, "pipeline"),
            Job("nightly", nightly, self.nightly, "pipeline"),
            Job("weekly", weekly, self.weekly, "pipeline"),
            Job("heartbeat", heartbeat, self.heartbeat, "heart"),
        ]
        return [Job("poll", every, self.poll, "polls"), *jobs] if self.settings.spotify_client_id else jobs

    def fill(self) -> None:
        """Bring the lake up to date and register its tables in Trino, so that a new lake is complete."""
        demo = [("run", "--demo", "--trigger", "first")] if self.settings.demo else []
        self._do("fill", [*demo, ("run", "--trigger", "first"), ("register",)], self.settings.run_limit_minutes)

    def poll(self) -> None:
        """Ask Spotify for the new plays of every listener with a login."""
        logins = [login_status(self.settings, listener) for listener in listeners_with_login(self.settings)]
        if any(login and not login.ended for login in logins):
            self._do("poll", [("poll",)], POLL_LIMIT_MINUTES * len(logins))
        else:
            log("not polled: nobody is logged in at Spotify", logging.WARNING)
        self._alert()
        if self._waits():
            self.after_poll()

    def run(self) -> None:
        """Import what waits and rebuild; starts nothing when nothing waits."""
        if not self._waits():
            return
        if holder := writer_at_work(self.settings.work_path):
            log("run put off: another process is writing", holder=holder)
            return
        self._do("run", [*self._features(), ("run", "--trigger", "schedule")], self.settings.run_limit_minutes)
        self._alert()

    def nightly(self) -> None:
        """Bring everything up to date and check all stored tables."""
        steps = [*self._features(), ("run", "--trigger", "nightly"), ("check",)]
        self._do("nightly", steps, self.settings.run_limit_minutes)
        self._alert()

    def weekly(self) -> None:
        """Compact small files and vacuum old ones."""
        self._do("weekly", [("maintain",)], self.settings.run_limit_minutes)
        self._alert()

    def heartbeat(self) -> None:
        """Record that the scheduler is alive, for `python -m scheduler health`."""
        write_state(self.settings.work_path / HEARTBEAT_FILE, {"alive_at": self.clock().isoformat()})

    def ended_at(self, job: str) -> datetime | None:
        """When a job last ended, also in an earlier process."""
        return moment_in(ended_jobs(self.settings).get(job, {}), "ended_at")

    def _waits(self) -> bool:
        """Whether data waits; a folder that cannot be read is logged each time, and reported by `health`."""
        try:
            return bool(waiting_files(self.settings))
        except LakehouseError as error:
            log("attention", logging.WARNING, problem=str(error))
            return False

    def _features(self) -> list[tuple[str, ...]]:
        """The command that fetches missing audio features, for the run that follows; none without a provider to ask."""
        asks = self.settings.ask_reccobeats or listeners_with_login(self.settings)
        return [("features",)] if asks else []

    def _do(self, job: str, steps: list[tuple[str, ...]], limit_minutes: float) -> None:
        """Run commands one after the other, also after one that failed; the first failure is the job's result."""
        exit_code, error, seconds = 0, "", 0.0
        for command in steps:
            log("started", job=job, command=" ".join(command))
            result = self.children.run(command, limit_minutes * 60)
            if result is None:
                return
            level = logging.WARNING if result.exit_code else logging.INFO
            log("ended", level, job=job, command=" ".join(command), exit_code=result.exit_code,
                seconds=round(result.seconds, 1), last_line=result.last_line)  # fmt: skip
            seconds += result.seconds
            if result.exit_code and not exit_code and command != ("features",):
                exit_code, error = result.exit_code, f"`lakehouse {' '.join(command)}`: {result.last_line}"
        note_ended_job(
            self.settings, job, ended_at=self.clock().isoformat(), exit_code=exit_code, told=error,
            seconds=round(seconds, 1),
        )  # fmt: skip

    def _alert(self) -> None:
        found = problems(self.settings, self.clock())
        for problem in found:
            log("attention", logging.WARNING, problem=problem.text)
        send_alerts(self.settings, found, self.clock())
