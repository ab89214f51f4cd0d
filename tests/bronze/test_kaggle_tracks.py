"""The catalogue in the lake: types, rejects, replacement."""

import csv
import io
import random
from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import SparkSession

from bronze.delivered.delivered_files import BadFile
from bronze.kaggle_tracks import kaggle_tracks_bronze
from lakehouse.contract.ops import REJECTED_ROWS
from tests.bronze.catalogues import GOOD, csv_text, row, write_csv
from tests.bronze.lakes import SmallLake
from tests.bronze.records import NOW

BAD_ROWS = {
    "track_id is missing": {"track_id": ""},
    "track_id is no Spotify id": {"track_id": "0.676"},
    "track_genre is missing": {"track_genre": ""},
    "energy is no double: Comedy": {"energy": "Comedy"},
    "tempo is no double: NaN": {"tempo": "NaN"},
    "loudness is no double: Infinity": {"loudness": "Infinity"},
    "key is no int: 1.5": {"key": "1.5"},
    "popularity is no int: many": {"popularity": "many"},
    "duration_ms is no bigint: 1e300": {"duration_ms": "1e300"},
    "explicit is no boolean: perhaps": {"explicit": "perhaps"},
    "energy is not within 0..1: 259": {"energy": "259"},
    "valence is not within 0..1: -0.1": {"valence": "-0.1"},
    "duration_ms is not within 0..604800000: -5": {"duration_ms": "-5"},
    "popularity is not within 0..100: 101": {"popularity": "101"},
    "key is not within -1..11: 12": {"key": "12"},
    "mode is not within 0..1: 2": {"mode": "2"},
    "tempo is not within 0..1000: 1e6": {"tempo": "1e6"},
    "track_name has more than 2000 characters: a quote not closed?": {"track_name": "x\n" * 1001},
}
ODD_BUT_GOOD = {
    "whole numbers with a fraction of zero": {
        "popularity": "73.0",
        "duration_ms": "230666.0",
        "key": "1.0",
        "mode": "0.0",
    },
    "nothing known but the id": {name: "" for name in GOOD if name not in ("track_id", "track_genre")},
    "zeros where the analysis failed": {"tempo": "0.0", "time_signature": "0", "valence": "0.0", "duration_ms": "0"},
    "the extremes that occur": {"loudness": "4.532", "tempo": "243.372", "key": "-1", "energy": "1", "valence": "0"},
    "words that mean nothing elsewhere": {"artists": "NA", "album_name": "None", "track_name": "null"},
    "a backslash and quotes": {"artists": "Axwell /\\ Ingrosso", "track_name": 'The "Best" \\"'},
}


@pytest.fixture(scope="module")
def small(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    """A lake with one imported file of odd and bad rows, and two rows of a wrong width in between."""
    lake = SmallLake(tmp_path_factory.mktemp("kaggle"), spark)
    rows = [row(**values) for values in (*ODD_BUT_GOOD.values(), *BAD_ROWS.values())]
    text = csv_text(rows[:3]) + "too,few\n" + csv_text(rows[3:]).removeprefix(csv_text([])) + "too,few,again"
    path = lake.root / "dataset.csv"
    path.write_text(text, encoding="utf-8", newline="")
    lake.import_catalogue(path)
    yield lake


@pytest.fixture(scope="module")
def bronze(small: SmallLake) -> dict[int, dict[str, Any]]:
    """Its rows by position."""
    return {values["row_number"]: values for values in small.rows(kaggle_tracks_bronze)}


def position(title: str) -> int:
    """The position of an odd row: after the third one comes a row of a wrong width."""
    index = list(ODD_BUT_GOOD).index(title)
    return index if index < 3 else index + 1


def test_every_row_is_in_the_table_or_rejected(small: SmallLake, bronze: dict[int, Any]) -> None:
    rejected = {row_number for _, row_number, _ in small.rejected()}
    assert set(bronze) == {0, 1, 2, 4, 5, 6}
    assert rejected == {3, *range(7, 7 + len(BAD_ROWS) + 1)}


def test_each_reason_is_reported(small: SmallLake) -> None:
    assert [reason for _, _, reason in small.rejected()] == ["2 fields, not 21", *BAD_ROWS, "3 fields, not 21"]


def test_the_raw_text_is_kept(small: SmallLake) -> None:
    raw = {found["reason"]: found["raw"] for found in small.recorded(REJECTED_ROWS)}
    assert raw["2 fields, not 21"] == "too,few"
    assert raw["energy is not within 0..1: 259"].startswith(
        "5SuOikwiRyPMVoIQDJUgSV,Gen Hoshino;Somebody,Comedy,Comedy,73,"
    )
    assert next(csv.reader(io.StringIO(raw["track_genre is missing"])))[:-1] == list(GOOD.values())[:-1]
    assert max(map(len, raw.values())) == 2000


def test_values_have_the_contracts_types(bronze: dict[int, Any]) -> None:
    values = bronze[position("whole numbers with a fraction of zero")]
    assert values == {
        "row_number": 0,
        "track_id": "5SuOikwiRyPMVoIQDJUgSV",
        "artists": "Gen Hoshino;Somebody",
        "album_name": "Comedy",
        "track_name": "Comedy",
        "popularity": 73,
        "duration_ms": 230_666,
        "explicit": False,
        "danceability": 0.676,
        "energy": 0.461,
        "key": 1,
        "loudness": -6.746,
        "mode": 0,
        "speechiness": 0.143,
        "acousticness": 0.0322,
        "instrumentalness": 1.01e-06,
        "liveness": 0.358,
        "valence": 0.715,
        "tempo": 87.917,
        "time_signature": 4,
        "track_genre": "acoustic",
        "source_file": "dataset.csv",
        "ingested_at": NOW,
    }


def test_what_is_not_given_is_null(bronze: dict[int, Any]) -> None:
    values = bronze[position("nothing known but the id")]
    given = {"row_number", "track_id", "track_genre", "source_file", "ingested_at"}
    assert {name for name, value in values.items() if value is not None} == given


def test_zeros_and_extremes_are_kept_as_delivered(bronze: dict[int, Any]) -> None:
    values = bronze[position("zeros where the analysis failed")]
    assert [values[name] for name in ("tempo", "time_signature", "valence", "duration_ms")] == [0, 0, 0, 0]
    values = bronze[position("the extremes that occur")]
    assert [values[name] for name in ("loudness", "tempo", "key", "energy", "valence")] == [4.532, 243.372, -1, 1, 0]


@pytest.mark.parametrize("title", ["words that mean nothing elsewhere", "a backslash and quotes"])
def test_names_are_text(bronze: dict[int, Any], title: str) -> None:
    values = bronze[position(title)]
    assert {name: values[name] for name in ODD_BUT_GOOD[title]} == ODD_BUT_GOOD[title]


def test_the_same_file_again_changes_nothing(small: SmallLake) -> None:
    before = small.version(kaggle_tracks_bronze)
    (small.root / "renamed.csv").write_bytes((small.root / "dataset.csv").read_bytes())
    assert small.import_catalogue(small.root / "dataset.csv") is None
    assert small.import_catalogue(small.root / "renamed.csv") is None
    assert small.version(kaggle_tracks_bronze) == before
    assert small.rejected() == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("a,b\n1,2\n", "lacks the columns"),
        (csv_text([]), "holds no row that can be read"),
        (csv_text([row(energy="x")]), "holds no row that can be read"),
        (csv_text([GOOD]).replace("acoustic\n", "\udcff\n"), "UTF-8"),
    ],
)
def test_a_bad_file_leaves_the_old_catalogue_in_place(small: SmallLake, text: str, reason: str) -> None:
    before = small.version(kaggle_tracks_bronze)
    path = small.root / "bad.csv"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(BadFile, match=reason):
        small.import_catalogue(path)
    assert small.version(kaggle_tracks_bronze) == before
    assert small.rejected() == []


def test_too_many_bad_rows_refuse_the_file(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bronze.delivered.rejects.MOST_REJECTED", 1)
    path = write_csv(small.root / "bad.csv", [GOOD, row(energy="x"), row(tempo="y")])
    with pytest.raises(BadFile, match="more than 1 rows cannot be read, the first one: energy is no double: x"):
        small.import_catalogue(path)


def test_generated_values_are_read_as_they_are_and_replace_the_old_catalogue(small: SmallLake) -> None:
    draw = random.Random(7)
    letters = "abc äß,;\"'\\\n\t|音🎵/#%"
    units = ("danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence")

    def generated(number: int) -> dict[str, Any]:
        return {
            "track_id": f"{number:022}",
            "popularity": draw.randint(0, 100),
            "duration_ms": draw.randint(0, 10**7),
            "explicit": draw.random() < 0.5,
            "key": draw.randint(-1, 11),
            "mode": draw.randint(0, 1),
            "loudness": draw.uniform(-60, 5),
            "tempo": draw.uniform(0, 250),
            "time_signature": draw.randint(0, 7),
            **{name: draw.random() ** draw.randint(1, 30) for name in units},
            **{
                name: "".join(draw.choices(letters, k=draw.randint(1, 30))) + "x"
                for name in ("artists", "album_name", "track_name")
            },
            "track_genre": draw.choice(["pop", "j-rock"]),
        }

    wanted = [generated(number) for number in range(500)]
    path = write_csv(small.root / "generated.csv", [{name: str(v) for name, v in values.items()} for values in wanted])
    state = small.import_catalogue(path)
    assert state is not None
    assert state.provenance.rows == 500
    found = sorted(small.rows(kaggle_tracks_bronze), key=lambda values: values["row_number"])
    assert [{name: values[name] for name in wanted[0]} for values in found] == wanted


def test_demo_data_is_known_by_its_ids_and_may_be_kept_out(small: SmallLake) -> None:
    before = small.version(kaggle_tracks_bronze)
    path = write_csv(small.root / "mine.csv", [row(track_id=f"demo{number:018}") for number in range(2)])
    with pytest.raises(BadFile, match=r"mine\.csv: demo data stays out of a lake of real data"):
        small.import_catalogue(path, takes_demo=False)
    assert small.version(kaggle_tracks_bronze) == before
