"""No link below the folders for imports and catalogues is followed: who may put files there must not read others."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bronze.delivered.inbox import rename_folders, waiting_files
from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import listening_history_bronze
from bronze.my_tracks_features import my_tracks_features_bronze
from tests.bronze.catalogues import GOOD, write_csv
from tests.bronze.lakes import SmallLake
from tests.bronze.records import account, extended, write_json

SECRET = "hunter2"  # noqa: S105
# Where a link is put, below the lake's folder, and what it leads to, below the folder of secrets.
LINKS = {
    "import/a.json": "password",
    "import/Streaming_History_Audio_0.json": "history.json",
    "import/export.zip": "password",
    "import/tracks.csv": "tracks.csv",
    "import/anna": ".",
    "import/My Export": ".",
    "import/anna/a.json": "history.json",
    "import/anna/export": ".",
    "import/audio_features_reccobeats_1.json": "features.json",
    "dataset.csv": "tracks.csv",
}


@pytest.fixture
def small(tmp_path: Path, spark: SparkSession) -> SmallLake:
    """A lake, and beside it a folder of secrets."""
    secrets = tmp_path / "secrets"
    write_json(secrets / "password", SECRET)
    write_json(secrets / "history.json", [extended(master_metadata_track_name=SECRET)])
    write_csv(secrets / "tracks.csv", [GOOD | {"track_name": SECRET}])
    answer = {"provider": "reccobeats", "fetched_at": "2026-01-01T00:00:00Z", "answer": {"content": [{"x": SECRET}]}}
    write_json(secrets / "features.json", answer)
    (tmp_path / "lake-folder" / "import").mkdir(parents=True)
    return SmallLake(tmp_path / "lake-folder", spark)


def link(small: SmallLake, name: str) -> Path:
    place = small.root / name
    place.parent.mkdir(exist_ok=True)
    place.symlink_to(small.root.parent / "secrets" / LINKS[name])
    return place


def everything_kept(small: SmallLake) -> str:
    tables = (listening_history_bronze, kaggle_tracks_bronze, my_tracks_features_bronze)
    return repr([small.rows(table) for table in tables]) + repr(small.rejected_raw())


@pytest.mark.parametrize("name", LINKS)
def test_a_link_that_waits_is_refused_by_name_once_and_nothing_of_it_is_kept(small: SmallLake, name: str) -> None:
    place = link(small, name)
    report = small.take(*waiting_files(small.settings))
    assert report.errors == [f"{place} is a link, and links are not followed: deliver the file itself"]
    assert SECRET not in everything_kept(small)
    assert waiting_files(small.settings) == []


@pytest.mark.parametrize("name", ["import/a.json", "import/anna", "import/anna/a.json", "dataset.csv"])
@pytest.mark.parametrize("spelled", ["{}", "{}/../{name}", "by another link", "relative"])
def test_it_is_refused_however_a_command_names_it(
    small: SmallLake, name: str, spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = link(small, name)
    (small.root.parent / "alias").symlink_to(small.root)
    monkeypatch.chdir(small.root.parent)
    path = {
        "{}": place,
        "{}/../{name}": place.parent / ".." / place.parent.name / place.name,
        "by another link": small.root.parent / "alias" / name,
        "relative": Path("lake-folder") / name,
    }[spelled]
    options = {"catalogue": path} if name == "dataset.csv" else {}
    report = small.take(*(() if options else (path,)), **options)
    assert len(report.errors) == 1
    assert report.errors[0].endswith("is a link, and links are not followed: deliver the file itself")
    assert SECRET not in everything_kept(small)


def test_a_link_elsewhere_that_a_command_names_is_followed(small: SmallLake) -> None:
    elsewhere = small.root.parent / "link.json"
    elsewhere.symlink_to(write_json(small.root.parent / "mine.json", [account()]))
    assert small.take(elsewhere).new_plays == 1
    catalogue = small.root.parent / "link.csv"
    catalogue.symlink_to(small.root.parent / "secrets" / "tracks.csv")
    assert small.take(catalogue=catalogue).catalogue_rows == 1


def test_the_import_folder_may_be_a_link_itself(small: SmallLake) -> None:
    moved = small.settings.import_dir.rename(small.root.parent / "volume")
    small.settings.import_dir.symlink_to(moved)
    write_json(moved / "anna" / "a.json", [account()])
    assert small.take(*waiting_files(small.settings)).new_plays == 1
    write_json(moved / "b.json", [account(msPlayed=50_001)])
    assert small.take(small.settings.import_dir).new_plays == 1


def test_a_link_in_place_of_a_listeners_folder_is_not_renamed_into(small: SmallLake) -> None:
    link(small, "import/anna")
    rename_folders("anna", "berta", small.settings)
    assert sorted(path.name for path in (small.root.parent / "secrets").iterdir()) == [
        "features.json", "history.json", "password", "tracks.csv",
    ]  # fmt: skip
