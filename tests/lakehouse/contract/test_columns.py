"""The naming rules, enforced by regular expressions over the whole vocabulary. Needs no Spark."""

import re
from pathlib import Path

import pytest

from lakehouse.contract import columns
from lakehouse.contract.columns import AUDIO_FEATURES, COLUMNS, CONTINUOUS_FEATURES, UNIT_FEATURES, Column

SPARK_TYPES = {"bigint", "int", "double", "string", "boolean", "timestamp", "timestamp_ntz", "date"}
BOOLEANS_WITHOUT_PREFIX = {"explicit", "skipped", "shuffle", "offline", "incognito"} | {"passed", "beats_baseline"}
MAX_LINES = 250
MAX_LINE_LENGTH = 120

TYPE_BY_NAME = {
    r".*_at": {"timestamp"},
    r".*_local": {"timestamp_ntz"},
    r"date|.*_date": {"date"},
    r".*_ms|ms_.*": {"bigint"},
    r".*_count|(train|test|sample)_size|distinct_.*": {"bigint"},
    r".*_key|.*_name": {"string"},
    r".*_id": {"string", "bigint"},
    r"(is|has)_.*": {"boolean"},
    r"(avg|overall|expected)_.*": {"double"},
    r".*_(lower|upper)_90|.*_ci_(low|high)|.*_(stddev|std_dev|std)": {"double"},
}
UNIT_BY_NAME = {
    r".*_ms|ms_.*": {"ms"},
    r".*_at": {"UTC"},
    r".*_local": {"local"},
    r"(.*_)?tempo": {"BPM"},
    r".*_plays": {"plays"},
    r".*_count": {"plays", "tracks", "rows", "shifts", "pairs"},
}


each_column = pytest.mark.parametrize("column", list(COLUMNS.values()), ids=list(COLUMNS))


@each_column
def test_name_is_snake_case(column: Column) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", column.name)


@each_column
def test_type_is_one_that_the_lake_uses(column: Column) -> None:
    assert column.type in SPARK_TYPES


@pytest.mark.parametrize("pattern", TYPE_BY_NAME)
def test_name_determines_type(pattern: str) -> None:
    named = [column for name, column in COLUMNS.items() if re.fullmatch(pattern, name)]
    assert [column for column in named if column.type not in TYPE_BY_NAME[pattern]] == []


@pytest.mark.parametrize("pattern", UNIT_BY_NAME)
def test_name_determines_unit(pattern: str) -> None:
    named = [column for name, column in COLUMNS.items() if re.fullmatch(pattern, name)]
    assert [column for column in named if column.unit not in UNIT_BY_NAME[pattern]] == []


def test_booleans_start_with_is_or_has_except_as_delivered() -> None:
    booleans = {name for name, column in COLUMNS.items() if column.type == "boolean"}
    assert {name for name in booleans if not name.startswith(("is_", "has_"))} == BOOLEANS_WITHOUT_PREFIX


def test_timestamps_are_described_as_timestamps() -> None:
    instants = [name for name, column in COLUMNS.items() if column.type == "timestamp"]
    assert [name for name in instants if not name.endswith("_at")] == []


@each_column
def test_meaning_can_be_shown_to_users(column: Column) -> None:
    assert column.meaning
    assert column.meaning == column.meaning.strip()
    assert not column.meaning.endswith(".")
    assert column.meaning.isascii()


def test_no_name_is_defined_twice() -> None:
    names = [row[0] for row in columns._ROWS]
    assert len(names) == len(set(names)) == len(COLUMNS)


@each_column
def test_no_unit_is_empty_text(column: Column) -> None:
    assert column.unit != "-"


def test_audio_features_keep_their_order() -> None:
    first = "danceability energy key loudness mode speechiness acousticness"
    assert " ".join(AUDIO_FEATURES) == f"{first} instrumentalness liveness valence tempo time_signature"


def test_unit_features_are_those_from_0_to_1() -> None:
    in_order = "danceability energy speechiness acousticness instrumentalness liveness valence"
    assert " ".join(UNIT_FEATURES) == in_order
    assert list(UNIT_FEATURES) == [name for name in AUDIO_FEATURES if COLUMNS[name].unit == "0..1"]


def test_continuous_features_are_the_doubles() -> None:
    assert list(CONTINUOUS_FEATURES) == [name for name in AUDIO_FEATURES if COLUMNS[name].type == "double"]


@pytest.mark.parametrize("file", sorted(Path(columns.__file__).parent.glob("*.py")), ids=lambda file: file.stem)
def test_file_stays_readable(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    assert len(lines) < MAX_LINES, "A long vocabulary means that columns are being invented"
    assert [line for line in lines if len(line) > MAX_LINE_LENGTH or line != line.rstrip()] == []
