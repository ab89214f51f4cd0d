"""Files of the Kaggle catalogue: headers, encodings, quotes, positions, damage."""

import csv
import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bronze.delivered.catalogue_files import DELIVERED_COLUMNS, catalogue_at, copy_rows, is_catalogue
from bronze.delivered.delivered_files import BadFile
from bronze.delivered.rejects import LONGEST_RAW_ROW, Rejected
from tests.bronze.catalogues import GOOD, HEADER, csv_text, row, write_csv

Rows = list[dict[str, Any]]


def copied(path: Path) -> tuple[Rows, list[Rejected]]:
    """The rows of a file with their positions, and the rejected ones."""
    target = path.with_suffix(".parquet")
    rejected = copy_rows(catalogue_at(path), target)
    return pq.read_table(target).to_pylist(), rejected


def from_text(folder: Path, text: str | bytes) -> tuple[Rows, list[Rejected]]:
    path = folder / "dataset.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return copied(path)


def refusal(folder: Path, text: str | bytes) -> str:
    with pytest.raises(BadFile) as error:
        from_text(folder, text)
    assert str(error.value).isprintable()
    return str(error.value)


def line(**values: str) -> str:
    return csv_text([row(**values)]).removeprefix(csv_text([]))


HEADER_LINE = csv_text([])


# Headers


@pytest.mark.parametrize(
    "header",
    [
        HEADER,
        DELIVERED_COLUMNS,
        ("Unnamed: 0", *DELIVERED_COLUMNS),
        tuple(reversed(HEADER)),
        (*HEADER, "added", "added"),
        ("", "", *DELIVERED_COLUMNS),
        ("ö", *DELIVERED_COLUMNS),
    ],
)
def test_columns_are_found_by_name_wherever_they_stand(tmp_path: Path, header: tuple[str, ...]) -> None:
    rows, rejected = copied(write_csv(tmp_path / "dataset.csv", [row(track_name="A"), row(track_name="B")], header))
    assert rows == [{**row(track_name="A"), "row_number": 0}, {**row(track_name="B"), "row_number": 1}]
    assert rejected == []


@pytest.mark.parametrize("start", ["\ufeff", "\n\n", "\ufeff\n"])
def test_a_byte_order_mark_and_blank_lines_before_the_header_do_no_harm(tmp_path: Path, start: str) -> None:
    assert len(from_text(tmp_path, start + csv_text([GOOD, GOOD]))[0]) == 2


def test_lines_may_end_as_windows_writes_them(tmp_path: Path) -> None:
    rows, _ = from_text(tmp_path, csv_text([GOOD], newline="\r\n"))
    assert rows[0]["track_genre"] == "acoustic"


def test_the_last_line_needs_no_end(tmp_path: Path) -> None:
    assert len(from_text(tmp_path, csv_text([GOOD, GOOD]).rstrip("\n"))[0]) == 2


def test_missing_columns_are_named(tmp_path: Path) -> None:
    header = tuple(name for name in HEADER if name not in ("energy", "tempo"))
    assert refusal(tmp_path, csv_text([GOOD], header)) == (
        "dataset.csv lacks the columns energy, tempo: is it the Kaggle catalogue?"
    )


def test_a_repeated_column_is_named(tmp_path: Path) -> None:
    assert "has the columns energy more than once" in refusal(tmp_path, csv_text([GOOD], (*HEADER, "energy")))


@pytest.mark.parametrize("text", ["", "\n", "\ufeff", " \n"])
def test_an_empty_file_is_reported(tmp_path: Path, text: str) -> None:
    reason = refusal(tmp_path, text)
    assert "is empty" in reason or "lacks the columns" in reason


def test_a_header_alone_gives_no_rows(tmp_path: Path) -> None:
    assert from_text(tmp_path, HEADER_LINE) == ([], [])
    assert "Empty CSV file" in refusal(tmp_path, HEADER_LINE.rstrip("\n"))


# Encodings and damage


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_another_encoding_is_reported(tmp_path: Path, encoding: str) -> None:
    reason = refusal(tmp_path, csv_text([row(artists="Björk")] * 3).encode(encoding))
    assert "UTF-8" in reason or "lacks the columns" in reason


def test_wrong_bytes_far_behind_are_reported(tmp_path: Path) -> None:
    assert "cannot be read as CSV in UTF-8" in refusal(
        tmp_path, csv_text([GOOD] * 20_000).encode() + b'1,"\xff"' + b"," * 19
    )


def test_wrong_bytes_in_a_row_with_too_few_fields_are_reported(tmp_path: Path) -> None:
    try:
        rows, rejected = from_text(tmp_path, csv_text([GOOD]).encode() + b"1,\xff\n")
    except BadFile:
        return
    assert [len(rows), len(rejected)] == [1, 1]


def test_csv_gz_and_kaggles_zip_are_unpacked(tmp_path: Path) -> None:
    content = csv_text([GOOD]).encode()
    (tmp_path / "dataset.csv.gz").write_bytes(gzip.compress(content))
    with zipfile.ZipFile(tmp_path / "archive.zip", "w") as archive:
        archive.writestr("dataset.csv", content)
    assert copied(tmp_path / "dataset.csv.gz") == copied(tmp_path / "archive.zip") == from_text(tmp_path, content)


def test_a_truncated_gz_is_reported(tmp_path: Path) -> None:
    packed = gzip.compress("".join([HEADER_LINE, *(line(popularity=str(n)) for n in range(20_000))]).encode())
    for cut in (5, len(packed) // 2):
        (tmp_path / "dataset.csv.gz").write_bytes(packed[:-cut])
        with pytest.raises(BadFile, match=r"dataset\.csv\.gz cannot be read \(Compressed file ended"):
            copied(tmp_path / "dataset.csv.gz")


@pytest.mark.parametrize("names", [[], ["a.csv", "b.csv"], ["a.txt"]])
def test_one_csv_file_must_be_there(tmp_path: Path, names: list[str]) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, HEADER_LINE)
    with pytest.raises(BadFile, match=r"a\.zip holds [02] csv files: name the one catalogue file"):
        catalogue_at(tmp_path / "a.zip")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"missing\.csv: no such file or folder"):
        catalogue_at(tmp_path / "missing.csv")


def test_a_catalogue_is_known_by_its_name_or_what_is_in_its_zip(tmp_path: Path) -> None:
    for name, members in {"kaggle.zip": ["a.csv"], "spotify.zip": ["a.json", "b.csv"], "other.zip": ["a.txt"]}.items():
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for member in members:
                archive.writestr(member, "")
    (tmp_path / "broken.zip").write_bytes(b"")
    found = {
        name
        for name in ("kaggle.zip", "spotify.zip", "other.zip", "broken.zip", "a.csv", "a.CSV.gz", "a.json", "")
        if is_catalogue(tmp_path / name)
    }
    assert found == {"kaggle.zip", "a.csv", "a.CSV.gz"}


# Rows


@pytest.mark.parametrize(
    "name",
    [
        "Axwell /\\ Ingrosso",
        'He said "no"',
        '"',
        '""',
        "\\",
        '\\"',
        "a,b",
        "two\nlines",
        "two\r\nlines",
        "NA",
        "None",
        "null",
        "nan",
        "N/A",
        " padded ",
        "Sigur Rós",
        "音楽",
        "🎵",
        "-",
        "1.0",
        "a\tb",
        "'",
    ],
)
def test_a_name_stays_as_it_is(tmp_path: Path, name: str) -> None:
    rows, rejected = from_text(tmp_path, csv_text([row(track_name=name, artists=name), GOOD]))
    assert [rows[0]["track_name"], rows[0]["artists"], rows[0]["track_genre"]] == [name, name, "acoustic"]
    assert [len(rows), rejected] == [2, []]


def test_an_empty_field_is_null_quoted_or_not(tmp_path: Path) -> None:
    text = HEADER_LINE + line(artists="") + line(artists="X").replace(",X,", ',"",')
    assert [values["artists"] for values in from_text(tmp_path, text)[0]] == [None, None]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [("1,2,3\n", "3 fields, not 21"), (line()[:-1] + ",x\n", "22 fields, not 21"), ("x\n", "1 fields, not 21")],
)
def test_a_row_with_a_wrong_number_of_fields_is_rejected_with_its_text(tmp_path: Path, bad: str, reason: str) -> None:
    rows, rejected = from_text(tmp_path, HEADER_LINE + line() + bad + line())
    assert [values["row_number"] for values in rows] == [0, 2]
    assert rejected == [Rejected(1, reason, bad.rstrip("\n"))]


def test_positions_count_rows_regardless_of_rejected_ones(tmp_path: Path) -> None:
    two_lines = line(track_name="two\nlines")
    text = HEADER_LINE + two_lines + "a,b\n" + "\n" + two_lines + '"a\nb",c\n' + "d\n" + two_lines
    rows, rejected = from_text(tmp_path, text)
    assert [values["row_number"] for values in rows] == [0, 2, 5]
    assert [(found.row_number, found.raw) for found in rejected] == [(1, "a,b"), (3, '"a\nb",c'), (4, "d")]


def test_positions_are_right_across_blocks(tmp_path: Path) -> None:
    bad = set(range(0, 30_000, 777))
    lines = ["short\n" if n in bad else line(track_name=f"{n}\nx") for n in range(30_000)]
    rows, rejected = from_text(tmp_path, HEADER_LINE + "".join(lines))
    assert all(values["track_name"] == f"{values['row_number']}\nx" for values in rows)
    assert [found.row_number for found in rejected] == sorted(bad)
    assert len(rows) + len(rejected) == 30_000


def test_a_quote_that_is_not_closed_costs_the_rows_that_it_swallows_and_no_others(tmp_path: Path) -> None:
    text = HEADER_LINE + line() + line(artists='"open').replace('"""open"', '"open') + line() * 3
    rows, rejected = from_text(tmp_path, text)
    assert [values["row_number"] for values in rows] == [0]
    assert rejected[0].reason.startswith("3 fields") and rejected[0].raw.count("\n") == 3


def test_a_raw_text_is_cut_off(tmp_path: Path) -> None:
    _, [rejected] = from_text(tmp_path, HEADER_LINE + "x" * 50_000 + "\n")
    assert len(rejected.raw) == LONGEST_RAW_ROW


def test_a_file_of_broken_rows_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, HEADER_LINE + "1,2,3\n" * 1_000_000).endswith(
        "more than 10000 rows cannot be read, the first one: 3 fields, not 21"
    )


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(*[TEXTS] * 4), min_size=1, max_size=8), st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_everything_that_csv_writes_is_read(tmp_path: Path, texts: list[tuple[str, ...]], quoting: int) -> None:
    names = ("artists", "album_name", "track_name", "track_genre")
    rows = [row(**dict(zip(names, values, strict=True))) for values in texts]
    text = io.StringIO()
    writer = csv.writer(text, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(HEADER)
    writer.writerows([values.get(name, "0") for name in HEADER] for values in rows)
    found, rejected = from_text(tmp_path, text.getvalue())
    assert rejected == []
    assert [{name: values[name] or "" for name in names} for values in found] == [
        {name: values[name] for name in names} for values in rows
    ]
