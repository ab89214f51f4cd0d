"""`python -m scheduler` keeps the lake up to date; `python -m scheduler health` says whether it is running.

With `--fill` it first brings the lake up to date. It counts as healthy only after that, so that others can wait for it.

Exit codes: 0 success, 1 failure, 2 wrong usage.
"""

import os
import signal
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler

from bronze.delivered.inbox import waiting_files
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake.restore_swap import SCHEDULER_LOCK
from lakehouse.settings import Settings, load_settings
from lakehouse.state_files import keep_private, moment_in, only_one_process, read_state
from pipeline.health import problems
from scheduler.logs import log, start_logging
from scheduler.schedule import HEARTBEAT_EVERY, HEARTBEAT_FILE, Schedule

# Jobs that become due while the machine sleeps or another run works start late instead of never; the rarest is weekly.
GRACE = timedelta(hours=7 * 24)


def build_scheduler(schedule: Schedule) -> BlockingScheduler:
    """The schedule's jobs in APScheduler: one instance each; missed times are coalesced into one, not dropped."""
    scheduler = BlockingScheduler(
        timezone=UTC,
        executors={"polls": ThreadPoolExecutor(1), "pipeline": ThreadPoolExecutor(1), "heart": ThreadPoolExecutor(1)},
        job_defaults={"misfire_grace_time": int(GRACE.total_seconds()), "coalesce": True, "max_instances": 1},
    )
    now = schedule.clock()
    for job in schedule.jobs():
        scheduler.add_job(
            job.work, job.trigger, id=job.name, executor=job.executor, replace_existing=True,
            next_run_time=job.first_time(schedule.ended_at(job.name), now),
        )  # fmt: skip

    def run_at_once() -> None:
        try:
            scheduler.modify_job("run", next_run_time=schedule.clock())
        except JobLookupError:
            return

    schedule.after_poll = run_at_once
    return scheduler


def serve(settings: Settings, *, fill: bool = False) -> None:
    """Work until SIGTERM or SIGINT; then end the children and return within seconds.

    Args:
        settings: give the lake and the times.
        fill: whether to bring the lake up to date before anything else.

    Raises:
        LakehouseError: another scheduler is running on this lake.
    """
    schedule = Schedule(settings)
    busy = f"another scheduler keeps {settings.work_path} fresh: one is enough"
    with only_one_process(settings.work_path / SCHEDULER_LOCK, busy):
        scheduler = build_scheduler(schedule)
        for number in (signal.SIGTERM, signal.SIGINT):
            # In a new thread: the handler interrupts the main thread, which may hold a lock that `_stop` needs.
            signal.signal(
                number, lambda *_: threading.Thread(target=_stop, args=(scheduler, schedule), daemon=True).start()
            )
        polls = f"every {settings.poll_interval_minutes} minutes" if settings.spotify_client_id else "none"
        log("scheduler started", lake=settings.lake_uri, polls=polls)
        try:
            if fill:
                schedule.fill()
            scheduler.start()
        finally:
            schedule.children.end_all()
        log("scheduler ended")


def health(settings: Settings, now: datetime) -> int:
    """Print what needs attention and whether the scheduler is running; returns the exit code, 0 if it is."""
    alive_at = moment_in(read_state(settings.work_path / HEARTBEAT_FILE), "alive_at")
    for problem in problems(settings, now):
        sys.stdout.write(f"attention: {problem.text}\n")
    waiting_files(settings)  # raises if a folder cannot be read
    if alive_at and now - alive_at < 6 * HEARTBEAT_EVERY:
        sys.stdout.write("the scheduler is at work\n")
        return 0
    since = f"since {alive_at:%Y-%m-%d %H:%M} UTC" if alive_at else "yet"
    sys.stdout.write(f"the scheduler has not been seen {since}: start it with `python -m scheduler`\n")
    return 1


def main() -> int:
    """Entry point: errors become one line on stderr and an exit code."""
    keep_private()
    try:
        settings = load_settings()
        if sys.argv[1:] == ["health"]:
            return health(settings, datetime.now(UTC))
        if sys.argv[1:] not in ([], ["--fill"]):
            raise UsageError("`python -m scheduler` takes no argument, `--fill` or `health`")
        start_logging()
        serve(settings, fill="--fill" in sys.argv)
    except LakehouseError as error:
        sys.stderr.write(f"error {error}\n")
        return 2 if isinstance(error, UsageError) else 1
    return 0


def _stop(scheduler: BlockingScheduler, schedule: Schedule) -> None:
    if not scheduler.running:
        schedule.children.end_all()
    while not scheduler.running:
        time.sleep(0.05)
    log("scheduler is ending")
    with suppress(SchedulerNotRunningError):  # a second signal
        scheduler.shutdown(wait=False)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Does not wait for threads: one may still wait for a webhook's answer, and an alert can be sent the next time.
    os._exit(code)
