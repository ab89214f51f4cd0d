"""Who has a login at Spotify, and the files of each listener's login and polls.

A listener's files are named after them. LISTENER's may have no name in it, as in lakes from before there were several;
each file says whose it is, so that it stays theirs when LISTENER changes. One that does not say is LISTENER's.
"""

import glob
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.errors import LakehouseError
from lakehouse.listeners import LISTENER_NAME
from lakehouse.settings import Settings
from lakehouse.state_files import moment_in, only_one_process, read_state, write_state

# The entry of a file that says whose it is.
OWNER = "listener"
POLL_STATE, POLL_LOCK = "state/spotify_polls.json", "state/poll.lock"
# What holds for all listeners, and what for one.
APP_PAUSE, LISTENER_PAUSE = "state/spotify_pause.json", "state/spotify_pause_{}.json"
POLL_AT_WORK = "another poll is at work: try again when it has ended"
RENEWAL_AT_WORK = "another process is renewing the login at Spotify: try again"


def token_file(settings: Settings, listener: str) -> Path:
    """The file of a listener's login."""
    return _file_of(settings.spotify_token_file, settings, listener)


def poll_state_file(settings: Settings, listener: str) -> Path:
    """The file of what polls have seen of a listener's plays."""
    return _file_of(settings.work_path / POLL_STATE, settings, listener)


def pause_file(settings: Settings, listener: str) -> Path:
    """The file of when a listener's requests may resume after failures."""
    return settings.work_path / LISTENER_PAUSE.format(listener)


def token_lock(settings: Settings) -> Path:
    """The lock of all logins: a file of its own for each would keep the name of a listener who is forgotten."""
    return settings.spotify_token_file.with_name(f".{settings.spotify_token_file.name}.lock")


def listeners_with_login(settings: Settings) -> list[str]:
    """Who has a login, also an ended one: LISTENER first, then by name."""
    owners = _owners(settings.spotify_token_file, settings)
    return _in_order((o for o in owners if moment_in(read_state(token_file(settings, o)), "consented_at")), settings)


def known_listeners(settings: Settings) -> list[str]:
    """Who has a login or was polled before, in the same order."""
    polled = _owners(settings.work_path / POLL_STATE, settings)
    return _in_order({*listeners_with_login(settings), *polled}, settings)


def prefix(settings: Settings, listener: str) -> str:
    """What a message about one listener begins with: the name, where there are several."""
    return f"{listener}: " if len({*known_listeners(settings), listener}) > 1 else ""


def auth_command(settings: Settings, listener: str) -> str:
    """The command for a new login."""
    return f"`lakehouse auth{'' if listener == settings.listener else f' --listener {listener}'}`"


def forget_login(settings: Settings, listener: str) -> list[Path]:
    """Delete a listener's login and all that polls kept of them; returns the deleted files.

    Raises:
        LakehouseError: a poll or a renewal of a login is at work.
    """
    deleted = []
    with _nobody_asks(settings):
        for find in (token_file, poll_state_file, pause_file):
            # Twice where a file with the listener's name and one without are both theirs.
            while (file := find(settings, listener)).exists():
                file.unlink()
                deleted.append(file)
    return deleted


def rename_login(settings: Settings, old: str, new: str) -> None:
    """Give a listener's login, and what polls kept of them, to another name. Done again after a kill, it completes.

    Raises:
        LakehouseError: the new name has such files of its own, or a poll or a renewal of a login is at work.
    """
    with _nobody_asks(settings):
        moves = {}
        for unnamed in (settings.spotify_token_file, settings.work_path / POLL_STATE):
            file, target = _file_of(unnamed, settings, old), _file_of(unnamed, settings, new)
            if file.exists():
                if target.exists():
                    raise LakehouseError(f"{new} has a login at Spotify, or was polled before: {target}")
                moves[file] = unnamed if file == unnamed else target
        for file, target in moves.items():
            write_state(file, read_state(file) | {OWNER: new}, mode=stat.S_IMODE(file.stat().st_mode))
            file.rename(target)
        pause_file(settings, old).unlink(missing_ok=True)


@contextmanager
def _nobody_asks(settings: Settings) -> Iterator[None]:
    """Keep out whoever would write such a file anew."""
    with (
        only_one_process(settings.work_path / POLL_LOCK, POLL_AT_WORK),
        only_one_process(token_lock(settings), RENEWAL_AT_WORK),
    ):
        yield


def _file_of(unnamed: Path, settings: Settings, listener: str) -> Path:
    named = unnamed.with_stem(f"{unnamed.stem}_{listener}")
    is_theirs = (_owner_in(unnamed) or settings.listener) == listener
    return unnamed if is_theirs and not named.exists() else named


def _owners(unnamed: Path, settings: Settings) -> set[str]:
    """The listeners who have such a file."""
    named = unnamed.parent.glob(f"{glob.escape(unnamed.stem)}_*{glob.escape(unnamed.suffix)}")
    # A copy that somebody made has a name that is not its owner's.
    owners = {owner for file in named if (owner := _owner_in(file)) and file.stem == f"{unnamed.stem}_{owner}"}
    return owners | {_owner_in(unnamed) or settings.listener} if unnamed.exists() else owners


def _owner_in(file: Path) -> str:
    """Whose a file says that it is, '' where it does not say."""
    owner = read_state(file).get(OWNER)
    return owner if isinstance(owner, str) and re.fullmatch(LISTENER_NAME, owner) else ""


def _in_order(listeners: Iterable[str], settings: Settings) -> list[str]:
    return sorted(listeners, key=lambda name: (name != settings.listener, name))
