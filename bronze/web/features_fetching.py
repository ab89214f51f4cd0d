"""Fetches audio features of played tracks that have none. Needs no Spark: answers wait in the inbox for a run."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bronze.delivered.audio_features_api import FILE_KIND, RECCOBEATS, SPOTIFY, track_id_of, tracks_in
from bronze.delivered.inbox import keep_answer
from bronze.delivered.plays import TRACK_ID, Malformed
from bronze.my_tracks_features import my_tracks_features_bronze
from bronze.web.spotify_polling import politeness
from lakehouse.lake.logs import open_logs
from lakehouse.runlog.spool import recorded_at_once
from lakehouse.settings import Settings
from lakehouse.spotify.login import LoginNeeded, SpotifyLogin
from lakehouse.spotify.logins import listeners_with_login
from lakehouse.spotify.politeness import Politeness
from lakehouse.spotify.web_api import TIMEOUT_SECONDS, BoundedSession, NotYet, Refused, WebApiError
from lakehouse.state_files import moment_in, only_one_process, read_state, write_state

# Tracks per request, by provider.
BATCH_SIZES = {SPOTIFY: 100, RECCOBEATS: 40}
# Per call; a long backlog, as after a first import, takes several calls.
MOST_BATCHES = 50
# Tracks that a provider did not know are asked for again after this time.
ASK_AGAIN = timedelta(days=30)
FEATURES_LOCK, FEATURES_STATE = "state/features.lock", "state/audio_features.json"
RECCOBEATS_PAUSE_FILE = "state/reccobeats_pause.json"


@dataclass
class Fetched:
    """The result of a call.

    Attributes:
        asked: tracks that the providers were asked for.
        answered: tracks that they knew; their features wait in the inbox.
        notes: why a provider was not asked, or not for all tracks.
    """

    asked: int = 0
    answered: int = 0
    notes: list[str] = field(default_factory=list)


def fetch(
    settings: Settings, missing: Collection[str], now: datetime, *, pause: Callable[[float], None] = time.sleep
) -> Fetched:
    """Ask each provider for the tracks that it was not asked for recently; fetched features are not fetched again.

    Args:
        settings: give the lake, the login and the servers.
        missing: ids of played tracks that have no features.
        now: the current time.
        pause: waits between two attempts.
    """
    result = Fetched()
    with only_one_process(settings.work_path / FEATURES_LOCK, "features are being fetched: this is not needed twice"):
        lacking = {track_id for track_id in missing if TRACK_ID.fullmatch(track_id)}
        if not lacking:
            result.notes.append("no listened track lacks features, as far as the last run knows")
            return result
        for provider in _providers(settings, now, pause, result.notes):
            wanted = sorted(lacking - provider.recently_asked() - _fetched_ids(settings, provider.name))
            if wanted:
                with recorded_at_once(settings.work_path, "features", now) as log:
                    asked_before, error = result.asked, _ask(provider, wanted, result)
                    status = "failed" if error else "succeeded" if result.asked > asked_before else "no_news"
                    log.finish(status, now, error)
            lacking -= provider.answered
    return result


@dataclass
class _Provider:
    """One provider of audio features.

    Attributes:
        name: SPOTIFY or RECCOBEATS.
        question: asks for the features of some tracks; answers None where the provider refuses this app for good.
        politeness: limits how often it is asked.
        settings: give the lake.
        answered: tracks that it knew.
    """

    name: str
    question: Callable[[list[str]], Any]
    politeness: Politeness
    settings: Settings
    answered: set[str] = field(default_factory=set)

    @property
    def now(self) -> datetime:
        return self.politeness.now

    def recently_asked(self) -> set[str]:
        times = self._request_times()
        return {i for i in times if (at := moment_in(times, i)) and self.now - at < ASK_AGAIN}

    def remember(self, track_ids: Collection[str]) -> None:
        times = self._request_times() | dict.fromkeys(track_ids, self.now.isoformat())
        _change_state(self.settings, f"asked_{self.name}", times)

    def _request_times(self) -> dict[str, Any]:
        """When each track was last asked for."""
        times = read_state(self.settings.work_path / FEATURES_STATE).get(f"asked_{self.name}")
        return times if isinstance(times, dict) else {}


def _ask(provider: _Provider, wanted: list[str], result: Fetched) -> str | None:
    """Ask batch by batch, storing each answer before the next request; returns the error that ended it, or None."""
    size = BATCH_SIZES[provider.name]
    for start in range(0, min(len(wanted), size * MOST_BATCHES), size):
        batch = wanted[start : start + size]
        try:
            answer = provider.politeness.ask(lambda batch=batch: provider.question(batch))  # type: ignore[misc]
        except (NotYet, LoginNeeded) as error:
            result.notes.append(str(error))
            return None
        except WebApiError as error:
            result.notes.append(str(error))
            return str(error)
        if answer is None:
            result.notes.append("Spotify no longer gives audio features to this app; it is not asked again")
            return None
        stored = {"provider": provider.name, "fetched_at": provider.now.isoformat(), "answer": answer}
        keep_answer(provider.settings, f"{FILE_KIND}_{provider.name}", stored, provider.now)
        provider.remember(batch)
        provider.answered |= set(batch) & set(_known_ids(provider.name, answer))
        result.asked += len(batch)
        result.answered += len(set(batch) & provider.answered)
    if len(wanted) > size * MOST_BATCHES:
        result.notes.append(f"{len(wanted) - size * MOST_BATCHES:,} more tracks wait for the next time")
    return None


def _known_ids(provider: str, answer: Any) -> Iterator[str]:
    for track in tracks_in(provider, answer):
        try:
            yield track_id_of(provider, track)
        except Malformed:
            continue


def _providers(
    settings: Settings, now: datetime, pause: Callable[[float], None], notes: list[str]
) -> Iterator[_Provider]:
    """The providers that may be asked, the better one first; `notes` gets why one may not."""
    refused_app = read_state(settings.work_path / FEATURES_STATE).get("refused_app")
    if settings.spotify_client_id and settings.spotify_client_secret and settings.spotify_client_id != refused_app:
        login, asking = _login_to_ask_with(settings, now, pause)
        yield _Provider(SPOTIFY, _SpotifyQuestion(settings, login), asking, settings)
    if settings.ask_reccobeats:
        asking = Politeness(settings.work_path / RECCOBEATS_PAUSE_FILE, "ReccoBeats", now, pause)
        yield _Provider(RECCOBEATS, _ReccoBeatsQuestion(settings), asking, settings)
    else:
        notes.append("ReccoBeats is not asked: ASK_RECCOBEATS=true switches it on")


def _login_to_ask_with(
    settings: Settings, now: datetime, pause: Callable[[float], None]
) -> tuple[SpotifyLogin, Politeness]:
    """The first login that may be used now, as features are not a listener's; LISTENER's where there is none."""
    for listener in listeners_with_login(settings):
        login = SpotifyLogin(settings, now, listener)
        asking = politeness(login, settings, pause)
        with suppress(LoginNeeded, NotYet):
            login.expect_usable()
            asking.expect_allowed()
            return login, asking
    login = SpotifyLogin(settings, now)
    return login, politeness(login, settings, pause)


@dataclass(frozen=True)
class _SpotifyQuestion:
    """Spotify's own audio features. Closed to most apps: after a refusal this app is not tried again."""

    settings: Settings
    login: SpotifyLogin

    def __call__(self, track_ids: list[str]) -> Any:
        try:
            answer = {"audio_features": self.login.ask(lambda client: client.audio_features(track_ids))}
        except Refused:
            _change_state(self.settings, "refused_app", self.settings.spotify_client_id)
            return None
        return _validate(SPOTIFY, answer)


@dataclass(frozen=True)
class _ReccoBeatsQuestion:
    settings: Settings

    def __call__(self, track_ids: list[str]) -> Any:
        with BoundedSession() as session:
            url, ids = f"{self.settings.reccobeats_url}/audio-features", ",".join(track_ids)
            response = session.get(url, params={"ids": ids}, timeout=TIMEOUT_SECONDS)
            response.raise_for_status()
            return _validate(RECCOBEATS, response.json())


def _validate(provider: str, answer: Any) -> Any:
    try:
        tracks_in(provider, answer)
    except Malformed as reason:
        raise ValueError(str(reason)) from None
    return answer


def _change_state(settings: Settings, name: str, value: Any) -> None:
    file = settings.work_path / FEATURES_STATE
    write_state(file, read_state(file) | {name: value})


def _fetched_ids(settings: Settings, provider: str) -> set[str]:
    """Tracks whose features of a provider are in bronze."""
    log = open_logs(settings).log(my_tracks_features_bronze)
    if log is None:
        return set()
    columns = log.to_pyarrow_table(columns=["track_id", "provider"])
    rows = zip(columns["track_id"].to_pylist(), columns["provider"].to_pylist(), strict=True)
    return {track_id for track_id, name in rows if name == provider}
