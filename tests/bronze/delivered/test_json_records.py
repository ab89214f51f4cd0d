"""JSON read record by record: whole, broken, cut off, nested, hostile."""

import io
import json
import math
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bronze.delivered import json_records as module
from bronze.delivered.delivered_files import BadFile
from bronze.delivered.json_records import json_records
from tests.bronze.records import ANY_TEXT, extended

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | ANY_TEXT,
    lambda children: st.lists(children, max_size=4) | st.dictionaries(ANY_TEXT, children, max_size=4),
    max_leaves=10,
)


def read(content: bytes | str) -> list[Any]:
    return list(json_records(io.BytesIO(content.encode() if isinstance(content, str) else content), "a.json"))


def refusal(content: bytes | str) -> str:
    with pytest.raises(BadFile) as error:
        read(content)
    return str(error.value)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_CHARACTERS", 3)


@pytest.mark.parametrize(
    "content", ["[]", " [ ] ", "\ufeff[]\r\n", '{"items": []}', '\ufeff {"items":[],"next":null} ']
)
def test_an_empty_list_holds_nothing(content: str) -> None:
    assert read(content) == []


def test_the_records_of_a_list_come_in_order() -> None:
    assert read('\ufeff[{"a": 1},\n [2], "three", null, 4.5, 6]') == [{"a": 1}, [2], "three", None, 4.5, 6]


def test_the_records_of_an_answer_are_its_items() -> None:
    assert read('{"href": "x", "items": [{"a": 1}, 2], "limit": 50}') == [{"a": 1}, 2]


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    "content", ["[123456, 7890123, true, 1.25e2, -3]", '{"items": [123456, 7890123, true, 1.25e2, -3]}']
)
def test_values_are_whole_wherever_a_chunk_ends(content: str) -> None:
    assert read(content) == [123456, 7890123, True, 125.0, -3]


@settings(max_examples=150)
@given(st.lists(JSON_VALUES, max_size=5), st.integers(1, 40), st.booleans(), st.sampled_from([None, 0, 2]))
def test_everything_that_json_writes_is_read(
    values: list[Any], chunk: int, ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(values, ensure_ascii=True if _has_surrogates(values) else ascii_only, indent=indent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_CHARACTERS", chunk)
        assert read(text) == values


def _has_surrogates(values: object) -> bool:
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


@settings(max_examples=100)
@given(st.lists(JSON_VALUES, min_size=1, max_size=4), st.data())
def test_text_that_is_cut_off_is_never_taken_for_whole(values: list[Any], data: st.DataObject) -> None:
    text = json.dumps(values)
    assert refusal(text[: data.draw(st.integers(0, len(text) - 1))])


@settings(max_examples=150)
@given(st.binary(max_size=60) | st.text('[]{},:"\\ \n0123eE+-.truefalsn', max_size=40).map(str.encode))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    try:
        read(content)
    except BadFile as error:
        assert str(error).startswith("a.json")


@pytest.mark.parametrize("content", ["", " \n\t ", "\ufeff", "\ufeff  "])
def test_an_empty_file_is_reported(content: str) -> None:
    assert refusal(content) == "a.json is empty: get it again"


@pytest.mark.parametrize("content", ["null", "5", '"text"', "endTime,artistName\n", "<html>", "NaN", "\x00"])
def test_what_is_not_a_list_is_reported(content: str) -> None:
    assert refusal(content) == "a.json is not a JSON list of records"


@pytest.mark.parametrize(
    "content", ["{}", '{"items": null}', '{"items": {}}', '{"error": {"status": 401}}', '{"tracks": [1]}']
)
def test_an_object_that_is_not_an_answer_is_reported(content: str) -> None:
    assert "neither a JSON list of records nor an answer" in refusal(content)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "cp1252", "utf-16-le"])
def test_another_encoding_is_reported(encoding: str) -> None:
    reason = refusal('[{"artistName": "Björk"}]'.encode(encoding))
    assert "no UTF-8" in reason or "not text in UTF-8" in reason or "not a JSON list" in reason or "broken" in reason


def test_wrong_utf_8_in_the_middle_is_reported() -> None:
    assert "not text in UTF-8" in refusal(b'["good", "\xff"]')


@pytest.mark.parametrize(
    "content",
    [
        "[",
        "[1",
        "[1,",
        '[{"a": 1}, {"a": ',
        '["text',
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1;2]",
        "[1]]",
        "[1] [2]",
        "[1] x",
        "[1}",
        '{"items": [1]',
        '{"items": [1]} {"items": [2]}',
        "{]",
        "[tru]",
        "['a']",
        '["\n"]',
        "[1, /* 2 */ 3]",
        '{"a": 1}\n{"a": 2}',
    ],
)
def test_what_is_not_a_json_is_reported(content: str) -> None:
    assert "is broken or cut off" in refusal(content)


def test_the_broken_record_is_named_but_never_quoted() -> None:
    content = json.dumps([extended(ip_addr="203.0.113.77")] * 3)[:-30] + 'x "ip_addr": "203.0.113.77"'
    assert refusal(content) == "a.json is broken or cut off: no JSON at record 2, in it: get it again"


def test_the_records_before_a_break_are_reported_before_it() -> None:
    records = json_records(io.BytesIO(b"[1, 2, x"), "a.json")
    assert list(islice(records, 2)) == [1, 2]
    with pytest.raises(BadFile):
        next(records)


def test_not_a_number_is_null() -> None:
    assert read("[NaN, Infinity, -Infinity]") == [None, None, None]


def test_numbers_beyond_all_bounds_cost_only_themselves() -> None:
    small, long, huge, infinite = read(f"[9999999999999999999, {'9' * 30}, {'9' * 5000}, 1e999]")
    assert small == 9999999999999999999
    assert long == 1e30
    assert huge == infinite == math.inf


def test_of_a_repeated_key_the_last_value_counts() -> None:
    assert read('[{"a": 1, "a": 2}]') == [{"a": 2}]


def test_half_a_surrogate_pair_is_kept() -> None:
    assert read('["\\ud83d", "\\ud83d\\ude00"]') == ["\ud83d", "😀"]


@pytest.mark.parametrize("content", ["[" * 100_000, "[" * 100_000 + "]" * 100_000, '[{"a":' * 50_000])
def test_deep_nesting_is_refused(content: str) -> None:
    assert "nested too deeply" in refusal(content)


def test_a_record_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_RECORD", 1000)
    monkeypatch.setattr(module, "CHUNK_CHARACTERS", 100)
    read_bytes = 0

    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal read_bytes
            buffer[:] = b'["' + b"x" * (len(buffer) - 2) if not read_bytes else b"x" * len(buffer)
            read_bytes += len(buffer)
            return len(buffer)

    with pytest.raises(BadFile, match="record 0 is broken or longer than 1000 characters"):
        list(json_records(io.BufferedReader(Endless(), 100), "a.json"))
    assert read_bytes < 20_000


@pytest.mark.usefixtures("small_chunks")
def test_many_records_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_RECORD", 10)

    def numbers() -> Iterator[bytes]:
        yield b"[0"
        for number in range(1, 2000):
            yield b",%d" % number
        yield b"]"

    assert read(b"".join(numbers())) == list(range(2000))
