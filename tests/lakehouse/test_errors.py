"""Errors as one line."""

import pytest

from lakehouse.errors import one_line


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError("a\n  b\tc"), "a b c"),
        (ValueError("\x1b[31mred\x00 \x07 alarm"), "[31mred alarm"),
        (EOFError(), "EOFError"),
        (ValueError(" \n"), "ValueError"),
        (PermissionError(13, "Permission denied", "/data/a.zip"), "Permission denied"),
        (OSError("no number"), "no number"),
        ("from another\nprogram", "from another program"),
        ("", ""),
    ],
)
def test_an_error_becomes_one_printable_line(error: object, expected: str) -> None:
    assert one_line(error) == expected


def test_a_long_error_is_cut() -> None:
    assert one_line("x" * 1_000) == "x" * 500
    assert one_line(ValueError("x" * 1_000), longest=120) == "x" * 120
