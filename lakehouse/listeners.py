"""Listeners: what they may be called, and the file that gives each a time zone and a name for display."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from lakehouse.errors import UsageError

# A name is part of folders, table rows and accounts.
LISTENER_NAME = r"^[a-z0-9_-]{1,40}$"
LONGEST_DISPLAY_NAME = 80

# Looks at each of some hundred files.
_time_zones = cache(available_timezones)


@dataclass(frozen=True)
class Listener:
    """What the file says of a listener.

    Attributes:
        time_zone: IANA time zone; None for that of the setting LISTENER_TIME_ZONE.
        display_name: for people to read; '' for none.
    """

    time_zone: str | None = None
    display_name: str = ""


@dataclass(frozen=True)
class ByListener:
    """A setting of which a listener may have a value of their own."""

    default: str
    own: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, listener: str) -> str:
        """A listener's value."""
        return self.own.get(listener, self.default)

    def listeners_by_value(self) -> dict[str, list[str]]:
        """The values that differ from the default, each with its listeners."""
        found: dict[str, list[str]] = {}
        for listener, value in sorted(self.own.items()):
            if value != self.default:
                found.setdefault(value, []).append(listener)
        return found


def require_listener_name(name: str) -> None:
    """Refuse what cannot be a listener's name.

    Raises:
        UsageError: says which characters it may have.
    """
    if not re.fullmatch(LISTENER_NAME, name):
        raise UsageError(f"{name!r} cannot be a listener's name: up to 40 of a-z 0-9 _ -")


def require_time_zone(name: object) -> str:
    """An IANA time zone's name.

    Raises:
        ValueError: says what it must be.
    """
    if name not in _time_zones():
        raise ValueError("must be an IANA time zone such as Europe/Berlin or America/New_York")
    return str(name)


def read_listeners(file: Path) -> dict[str, Listener]:
    """What a TOML file says of listeners: a section each, with `time_zone` and `display_name`; {} without a file.

    Raises:
        UsageError: names the line and what is wrong there.
    """
    try:
        text = file.read_text(encoding="utf-8")
        sections = tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}): check who owns it") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise UsageError(f"{file} is not TOML: {error}") from None
    listeners = {}
    for name, section in sections.items():
        for key, problem in _problems(name, section):
            raise UsageError(f"{file}, line {_line_of(text, name, key)}: {problem}")
        listeners[name] = Listener(section.get("time_zone"), section.get("display_name", ""))
    return listeners


def _problems(name: str, section: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with a section, each with the key that it is about; '' for the section as a whole."""
    if not isinstance(section, dict):
        yield "", f"{name} stands outside a section: begin one with the listener's name, such as [anna]"
        return
    if not re.fullmatch(LISTENER_NAME, name):
        yield "", f"[{name}] cannot be a listener's name: up to 40 of a-z 0-9 _ -"
    for key, value in section.items():
        if key == "time_zone":
            try:
                require_time_zone(value)
            except (TypeError, ValueError):
                yield key, f"{value!r} is no IANA time zone such as Europe/Berlin or America/New_York"
        elif key == "display_name":
            if not (isinstance(value, str) and value.isprintable() and len(value) <= LONGEST_DISPLAY_NAME):
                yield key, f"display_name must be a text of up to {LONGEST_DISPLAY_NAME} printable characters"
        else:
            yield key, f"{key} is not known: a listener has time_zone and display_name"


def _line_of(text: str, section: str, key: str) -> int:
    """The line of a section's header, or of a key in it; that of the header where the key is written otherwise."""
    found, is_inside = 1, False
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*[\"']?([^\"'\]]*?)[\"']?\s*\]", line)
        if header or re.match(rf"\s*[\"']?{re.escape(section)}[\"']?\s*[.=]", line):
            is_inside = header is None or header[1] == section
            found = number if is_inside else found
        if is_inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
            return number
    return found
