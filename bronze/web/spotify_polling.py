"""Polls Spotify's Web API for new plays. Needs no Spark: answers wait in the inbox for the next run."""

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from bronze.delivered.inbox import keep_answer
from bronze.delivered.plays import INSTANT, Malformed, moment
from lakehouse.contract.ops import QUALITY_RESULTS
from lakehouse.errors import LakehouseError
from lakehouse.runlog.spool import RunLog, recorded_at_once
from lakehouse.settings import Settings
from lakehouse.spotify.login import SERVICE, SpotifyLogin
from lakehouse.spotify.logins import APP_PAUSE, POLL_AT_WORK, POLL_LOCK, pause_file, prefix
from lakehouse.spotify.politeness import Politeness
from lakehouse.spotify.poll_state import PollState, load_poll_state, save_poll_state
from lakehouse.state_files import only_one_process

# An answer's file name begins with this; the import recognises it by that.
ANSWER_KIND = "recently_played"
PAGE_SIZE = 50
# Spotify reports plays late: a poll starts this long before the newest known play, and once a day it asks for all.
OVERLAP = timedelta(hours=2)
ASK_FOR_ALL_EVERY = timedelta(days=1)
MOST_PAGES = 4
# Spotify returns the last 50 plays, perhaps without podcasts: so many without a known one mean that some were lost.
FULL_WINDOW = 40
MOST_KNOWN_PLAYS = 500


@dataclass(frozen=True)
class Poll:
    """The result of one poll.

    Attributes:
        new_plays: plays that no earlier poll got; they wait in the inbox.
        gap: time range in which plays were likely missed, as text; '' where none were.
    """

    new_plays: int
    gap: str = ""


def poll(
    settings: Settings, now: datetime, listener: str | None = None, *, pause: Callable[[float], None] = time.sleep
) -> Poll:
    """Ask once for a listener's plays since the last poll, with an overlap; answers are stored before anything else.

    The poll is recorded as a run: 'succeeded' with new plays, 'no_news' without, or 'failed'.

    Args:
        settings: give the lake, the login and the server.
        now: the current time.
        listener: whose plays; None for LISTENER's.
        pause: waits between two attempts.

    Raises:
        LoginNeeded: there is no login, or it has ended.
        NotYet: Spotify asked for a pause that has not ended.
        LakehouseError: Spotify gave no usable answer, or another poll is running.
    """
    work_path = settings.work_path
    with only_one_process(work_path / POLL_LOCK, POLL_AT_WORK):
        login = SpotifyLogin(settings, now, listener)
        asking = politeness(login, settings, pause)
        named = prefix(settings, login.listener)
        login.expect_usable()
        asking.expect_allowed()
        with recorded_at_once(work_path, "poll", now) as log:
            try:
                result = _Polling(settings, login, asking, now).ask()
            except LakehouseError as error:
                state = load_poll_state(settings, login.listener)
                state = replace(state, failing_since=state.failing_since or now.isoformat(), error=str(error))
                save_poll_state(settings, login.listener, state)
                log.finish("failed", now, error=f"{named}{error}")
                failure: LakehouseError | None = error
            else:
                failure = None
                _record(log, result, now, named)
        if failure:
            raise failure
        return result


def politeness(login: SpotifyLogin, settings: Settings, pause: Callable[[float], None]) -> Politeness:
    """When Spotify may be asked with a login.

    Spotify's rate limit is the app's, so after a 429 no login is used until the wait is over. Any other failure may be
    that of one login, and does not keep other listeners from being polled: each login backs off on its own, so that
    an outage gets three requests from each, then fewer and fewer.
    """
    shared_file = settings.work_path / APP_PAUSE
    return Politeness(pause_file(settings, login.listener), SERVICE, login.now, pause, shared_file)


def _record(log: RunLog, result: Poll, now: datetime, named: str) -> None:
    if result.new_plays:
        log.add(
            QUALITY_RESULTS, table_name="listening_history_bronze", check_name="no_plays_missed", severity="warn",
            passed=not result.gap, failing_rows=0, checked_at=now,
            detail=f"{named}plays {result.gap} were likely missed" if result.gap
            else f"{named}every poll reached the one before",
        )  # fmt: skip
    log.finish("succeeded" if result.new_plays else "no_news", now)


@dataclass
class _Polling:
    """One poll: pages are requested until one reaches a known play."""

    settings: Settings
    login: SpotifyLogin
    asking: Politeness
    now: datetime

    def ask(self) -> Poll:
        listener = self.login.listener
        before = state = load_poll_state(self.settings, listener)
        new_plays, reached_known = 0, False
        for answer in self._pages(before):
            keys = list(dict.fromkeys(_key(item, self.now) for item in answer["items"]))
            new = [key for key in keys if key not in state.known_plays]
            reached_known |= len(new) < len(keys)
            if new:
                # Before the state: after a kill in between the next poll just asks for it again.
                keep_answer(self.settings, ANSWER_KIND, answer, self.now, listener)
                new_plays += len(new)
                state = _with_plays(state, keys, self.now)
                # The cursor moves only when all pages are stored.
                save_poll_state(self.settings, listener, replace(state, newest_played_at=before.newest_played_at))
        gap = ""
        if before.known_plays and new_plays >= FULL_WINDOW and not reached_known:
            new_times = (_time_in(key) for key in state.known_plays if key not in before.known_plays)
            oldest = min(filter(None, new_times), default="")
            gap = f"between {before.newest_played_at[:16]} and {oldest[:16]} UTC"
            state = replace(state, gap=gap, gap_noticed_at=self.now.isoformat())
        asked_for_all_at = self.now.isoformat() if _asks_for_all(before, self.now) else before.asked_for_all_at
        state = replace(
            state, answered_at=self.now.isoformat(), failing_since="", error="", asked_for_all_at=asked_for_all_at
        )
        save_poll_state(self.settings, listener, state)
        return Poll(new_plays, gap)

    def _pages(self, state: PollState) -> Iterator[dict[str, Any]]:
        """Answers, newest plays first, back to a known play or to the end of what Spotify returns."""
        newest = state.moment("newest_played_at")
        cursor: dict[str, int] = {}
        if newest and not _asks_for_all(state, self.now):
            cursor = {"after": _milliseconds(newest - OVERLAP)}
        for _ in range(MOST_PAGES):
            answer = self.asking.ask(partial(self._answer, cursor))
            yield answer
            times = list(filter(None, (_time_in(_key(item, self.now)) for item in answer["items"])))
            oldest = min(times, default="")
            if len(times) < FULL_WINDOW or (newest and datetime.fromisoformat(oldest) <= newest):
                return
            cursor = {"before": _milliseconds(datetime.fromisoformat(oldest))}

    def _answer(self, cursor: dict[str, int]) -> dict[str, Any]:
        """One page, older or newer than a cursor, a Unix time in milliseconds."""
        answer = self.login.ask(lambda client: client.current_user_recently_played(limit=PAGE_SIZE, **cursor))
        if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
            raise ValueError("no list of plays")
        return answer


def _asks_for_all(state: PollState, now: datetime) -> bool:
    last = state.moment("asked_for_all_at")
    return last is None or now - last >= ASK_FOR_ALL_EVERY


def _with_plays(state: PollState, keys: Collection[str], now: datetime) -> PollState:
    """The state with these plays added. The cursor stays at or before now, even if a device's clock runs ahead."""
    # The keys of this poll go last: the oldest are dropped first.
    others = [key for key in state.known_plays if key not in keys]
    times = [time for time in map(_time_in, keys) if time]
    newest = max([state.newest_played_at, min(max(times, default=""), _text(now))])
    return replace(state, newest_played_at=newest, known_plays=(*others, *sorted(keys))[-MOST_KNOWN_PLAYS:])


def _key(item: object, now: datetime) -> str:
    """Identifies an item: time of the play and hash of the track, or of the whole item where it cannot be read."""
    played_at, identity = "", item
    if isinstance(item, dict):
        with suppress(Malformed):
            played_at = _text(moment(item, "played_at", now, INSTANT))
            track = item.get("track")
            identity = track.get("uri") or track.get("id") if isinstance(track, dict) else item
    digest = hashlib.sha256(json.dumps(identity or item, sort_keys=True).encode()).hexdigest()[:16]
    return f"{played_at}|{digest}"


def _time_in(key: str) -> str:
    return key.split("|", 1)[0]


def _text(instant: datetime) -> str:
    """An instant in a format that sorts by time."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds")


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
