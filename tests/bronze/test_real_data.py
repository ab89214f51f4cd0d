"""Real exports and the whole catalogue, compared with pandas record by record and value by value."""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.contract.columns import COLUMNS, UNIT_FEATURES
from lakehouse.runlog.import_report import ImportReport
from tests.bronze.lakes import SmallLake

pytestmark = pytest.mark.real_data

ZIP = "spotify_extended_streaming_history.zip"
ACCOUNT = "account_StreamingHistory0.json"
ANSWERS = ("recently_played_20210306.json", "recently_played_20221103.json")
CATALOGUE = "kaggle_tracks_dataset.csv.gz"
TEXTS = ("track_id", "artists", "album_name", "track_name", "track_genre")


def totals(report: ImportReport, *files: str) -> dict[str, int]:
    """Records by verdict, of the files with these names or in these zips."""
    found = Counter[str]()
    for name, verdicts in report.verdicts.items():
        if name.startswith(files):
            found.update(verdicts)
    return dict(found)


def columns_of(small: SmallLake, table: Table) -> pd.DataFrame:
    """A table in pandas."""
    return pd.DataFrame(small.lake.read(table).toPandas())


class RealLake:
    """A lake of everything, the zip imported twice. Sources never share a play, so files count as they would alone."""

    def __init__(self, small: SmallLake, real: Path) -> None:
        self.report = small.import_history(*(real / name for name in (ACCOUNT, ZIP, *ANSWERS)))
        self.zip_again = small.import_history(real / ZIP)
        self.zip_again_rejected = small.rejected()
        self.plays = columns_of(small, listening_history_bronze)
        small.import_catalogue(real / CATALOGUE)
        self.catalogue_rejected = small.rejected()
        self.tracks = columns_of(small, kaggle_tracks_bronze).sort_values("row_number", ignore_index=True)


@pytest.fixture(scope="module")
def lake(spark: SparkSession, real_data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealLake]:
    yield RealLake(SmallLake(tmp_path_factory.mktemp("real"), spark), real_data_dir)


@pytest.fixture(scope="module")
def by_pandas(real_data_dir: Path) -> pd.DataFrame:
    """The catalogue as pandas reads it, without taking any text for a missing value."""
    return pd.read_csv(real_data_dir / CATALOGUE, keep_default_na=False)


def test_the_account_file_gives_85_counted_and_44_too_short_plays(lake: RealLake) -> None:
    assert totals(lake.report, ACCOUNT) == {"counted": 85, "too_short": 44}


def test_every_record_of_the_zip_is_a_play_or_a_podcast(lake: RealLake) -> None:
    assert totals(lake.report, ZIP) == {"counted": 13_596, "too_short": 8_554, "podcast": 62}
    assert sum(totals(lake.report, ZIP).values()) == 22_212
    assert len(lake.report.verdicts) == 3 + 1 + 2
    assert lake.report.errors == []


def test_a_second_import_adds_nothing(lake: RealLake) -> None:
    assert totals(lake.zip_again, ZIP) == {"duplicate": 22_150, "podcast": 62}
    assert lake.zip_again.new_plays == 0
    assert lake.zip_again_rejected == []


def test_the_two_answers_give_86_plays(lake: RealLake) -> None:
    assert totals(lake.report, *ANSWERS) == {"counted": 86}


def test_bronze_holds_the_plays_of_all_sources(lake: RealLake) -> None:
    assert lake.plays.groupby("source").size().to_dict() == {
        "account_history": 129, "extended_history": 22_150, "spotify_api": 86,
    }  # fmt: skip
    assert lake.plays.play_id.is_unique
    extended = lake.plays[lake.plays.source == "extended_history"]
    assert extended.track_id.str.fullmatch("[0-9A-Za-z]{22}").all()
    audio = extended[extended.source_file.str.contains("Audio")].played_at
    assert [str(audio.min().date()), str(audio.max().date())] == ["2024-03-14", "2025-03-07"]
    assert (extended.played_at - extended.started_at == pd.to_timedelta(extended.ms_played, "ms")).all()


def test_the_whole_catalogue_is_in_bronze(lake: RealLake) -> None:
    assert [len(lake.tracks), lake.tracks.track_id.nunique()] == [114_000, 89_741]
    assert lake.tracks.row_number.tolist() == list(range(114_000))
    assert lake.catalogue_rejected == []


@pytest.mark.parametrize("column", TEXTS)
def test_every_text_is_as_pandas_reads_it(lake: RealLake, by_pandas: pd.DataFrame, column: str) -> None:
    pd.testing.assert_series_equal(lake.tracks[column].fillna(""), by_pandas[column], check_dtype=False)


@pytest.mark.parametrize(
    "column", [name for name in kaggle_tracks_bronze.columns if name.name not in TEXTS], ids=lambda c: c.name
)
def test_every_number_is_as_pandas_reads_it(lake: RealLake, by_pandas: pd.DataFrame, column: Any) -> None:
    if column.name not in by_pandas:
        assert column.name in ("row_number", "source_file", "ingested_at")
        return
    assert COLUMNS[column.name].type != "string"
    pd.testing.assert_series_equal(
        lake.tracks[column.name], by_pandas[column.name], check_dtype=False, check_exact=True
    )


def test_lines_with_quotes_and_backslashes_are_intact(
    lake: RealLake, by_pandas: pd.DataFrame, real_data_dir: Path
) -> None:
    with gzip.open(real_data_dir / CATALOGUE, "rt", encoding="utf-8", newline="\n") as file:
        lines = file.read().rstrip("\n").split("\n")[1:]
    assert len(lines) == 114_000
    quoted = [number for number, line in enumerate(lines) if '""' in line]
    backslashes = [number for number, line in enumerate(lines) if "\\" in line]
    assert [len(quoted), len(backslashes)] == [2_298, 7]
    for rows in (quoted, backslashes):
        found, wanted = (table.loc[rows, [*TEXTS, *UNIT_FEATURES]] for table in (lake.tracks, by_pandas))
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)


def test_no_feature_holds_another_columns_numbers(lake: RealLake) -> None:
    features = lake.tracks[list(UNIT_FEATURES)]
    assert features.min().min() == 0
    assert features.max().max() <= 1
    assert lake.tracks[["tempo", "loudness"]].max().tolist() == [243.372, 4.532]
