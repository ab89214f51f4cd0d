"""Reads the records of a JSON file one at a time, so that its size does not matter.

Not `ijson`: it refuses `NaN`, does not limit the size of a record, and is slower than the standard library's decoder.
"""

import io
import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from bronze.delivered.delivered_files import BadFile

BLANKS = re.compile(r"[ \t\n\r]*")
VALUE_ENDS = frozenset(" \t\n\r,]}")
CHUNK_CHARACTERS = 2**20
# A record of Spotify's has about a thousand characters, a whole answer of its Web API less than a million.
LONGEST_RECORD = 4 * 2**20
# A bigint has at most as many. Python refuses to convert numbers of thousands of digits.
MOST_DIGITS = 19


def json_records(stream: BinaryIO, name: str) -> Iterator[Any]:
    """The records of a JSON list, or of the list `items` of an API answer, as Python values.

    `NaN` and `Infinity`, which some tools write although they are not JSON, are read as null.

    Args:
        stream: UTF-8, with or without a byte order mark.
        name: the file's name, for messages.

    Raises:
        BadFile: the text is empty, not UTF-8, not such JSON, cut off, or has a record longer than `LONGEST_RECORD`.
            The message does not quote the content; records before the error were valid.
    """
    text = _Text(stream, name)
    if text.next_character() == "{":
        answer = text.value()
        text.expect_end()
        items = answer.get("items")
        if not isinstance(items, list):
            raise BadFile(f"{name} is neither a JSON list of records nor an answer with `items`")
        yield from items
    else:
        yield from _elements(text, name)


def _elements(text: "_Text", name: str) -> Iterator[Any]:
    if not text.next_character():
        raise BadFile(f"{name} is empty: get it again")
    if not text.skip("["):
        raise BadFile(f"{name} is not a JSON list of records")
    if not text.skip("]"):
        yield text.value()
        while text.skip(","):
            yield text.value()
        if not text.skip("]"):
            raise text.broken("between two records")
    text.expect_end()


class _Text:
    """A window that moves over the text; at most one record and one chunk are in memory."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        self._name = name
        self._window = ""
        self._at = 0
        self._values = 0

    def next_character(self) -> str:
        """The next character that is not blank, '' at the end."""
        while True:
            blanks = BLANKS.match(self._window, self._at)
            assert blanks is not None, "the pattern also matches the empty text"
            self._at = blanks.end()
            if self._at < len(self._window):
                return self._window[self._at]
            if not self._read_more():
                return ""

    def skip(self, character: str) -> bool:
        """Skip the next character if it is this one; says whether it was."""
        is_next = self.next_character() == character
        self._at += is_next
        return is_next

    def value(self) -> Any:
        """Decode the next value."""
        self.next_character()
        while True:
            try:
                value, end = DECODER.raw_decode(self._window, self._at)
            except json.JSONDecodeError:
                end = None
            except RecursionError:
                raise BadFile(f"{self._name}: record {self._values} is nested too deeply") from None
            # A number may be incomplete at the end of the window: "12" or "12." of "12.5".
            if end is not None and self._window[end : end + 1] in VALUE_ENDS:
                break
            if not self._read_more():
                if end is None:
                    raise self.broken("in it")
                break
        self._at = end
        self._values += 1
        return value

    def expect_end(self) -> None:
        """Raise BadFile where anything but blanks follows."""
        if self.next_character():
            raise self.broken("after the end of the list")

    def broken(self, where: str) -> BadFile:
        """The error for text that is not JSON."""
        return BadFile(f"{self._name} is broken or cut off: no JSON at record {self._values}, {where}: get it again")

    def _read_more(self) -> bool:
        """Move the window; False at the end of the text."""
        rest = self._window[self._at :]
        if len(rest) > LONGEST_RECORD:
            raise BadFile(f"{self._name}: record {self._values} is broken or longer than {LONGEST_RECORD} characters")
        try:
            more = self._stream.read(CHUNK_CHARACTERS)
        except UnicodeDecodeError:
            raise BadFile(f"{self._name} is not text in UTF-8: get it again, or save it as UTF-8") from None
        self._window, self._at = rest + more, 0
        return bool(more)


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MOST_DIGITS else float(digits)


DECODER = json.JSONDecoder(parse_int=_whole_number, parse_constant=lambda name: None)
