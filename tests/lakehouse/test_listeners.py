"""The file that gives listeners time zones and names for display, and its mistakes. Needs no Spark."""

from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.listeners import ByListener, Listener, read_listeners

GOOD = """\
# At home
[anna]
time_zone = "Europe/Berlin"
display_name = "Anna Ö."

[ben]
"""


def read(folder: Path, text: str) -> dict[str, Listener]:
    file = folder / "listeners.toml"
    file.write_text(text, encoding="utf-8")
    return read_listeners(file)


def test_each_section_is_a_listener(tmp_path: Path) -> None:
    assert read(tmp_path, GOOD) == {"anna": Listener("Europe/Berlin", "Anna Ö."), "ben": Listener()}


def test_without_a_file_nothing_is_known(tmp_path: Path) -> None:
    assert read_listeners(tmp_path / "listeners.toml") == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[anna\n", "is not TOML: .*line 1"),
        (f"{GOOD}[anna]\n", "is not TOML: .*line 7"),
        (GOOD.replace("Europe/Berlin", "Berlin"), "line 3: 'Berlin' is no IANA time zone such as"),
        (GOOD.replace('"Europe/Berlin"', "1"), "line 3: 1 is no IANA time zone such as"),
        (GOOD.replace('"Europe/Berlin"', "[]"), r"line 3: \[\] is no IANA time zone such as"),
        (GOOD.replace("[ben]", "[Ben]"), r"line 6: \[Ben\] cannot be a listener's name: up to 40 of a-z 0-9 _ -"),
        (GOOD.replace("[ben]", f"[{'b' * 41}]"), "line 6: .* cannot be a listener's name"),
        (f"{GOOD}timezone = 'UTC'\n", "line 7: timezone is not known: a listener has time_zone and display_name"),
        (f"{GOOD}[anna.more]\n", "line 2: more is not known"),
        (f"{GOOD}display_name = 7\n", "line 7: display_name must be a text of up to 80 printable characters"),
        (f"{GOOD}display_name = '{'x' * 81}'\n", "line 7: display_name must be"),
        ("display_name = 'Anna'\n", "line 1: display_name stands outside a section"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=f"listeners.toml.*{message}"):
        read(tmp_path, text)


def test_a_file_of_another_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "listeners.toml"
    file.write_bytes("[anna]\ndisplay_name = 'Änne'".encode("latin-1"))
    with pytest.raises(UsageError, match=r"listeners.toml is not TOML: .*utf-8"):
        read_listeners(file)


def test_a_setting_has_the_values_of_listeners_beside_its_default() -> None:
    zones = ByListener("UTC", {"ann": "Asia/Kolkata", "ben": "UTC", "cleo": "Asia/Kolkata"})
    assert [zones[name] for name in ("ann", "ben", "dora")] == ["Asia/Kolkata", "UTC", "UTC"]
    assert zones.listeners_by_value() == {"Asia/Kolkata": ["ann", "cleo"]}
