"""The download of the catalogue, with a folder in place of Kaggle."""

import errno
import shutil
from pathlib import Path

import kagglehub
import pytest

from bronze.kaggle_download import FILE_NAME, KAGGLE_DATASET, kaggle_catalogue
from lakehouse.errors import LakehouseError


@pytest.fixture
def downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that Kaggle's client downloads to."""
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setattr(kagglehub, "dataset_download", {KAGGLE_DATASET: str(folder)}.__getitem__)
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "kaggle" / "dataset.csv"


def test_the_catalogue_comes_to_its_place(downloaded: Path, target: Path) -> None:
    for content in ("first", "second"):
        (downloaded / FILE_NAME).write_text(content)
        assert kaggle_catalogue(target) == target
        assert target.read_text() == content
        assert list(target.parent.iterdir()) == [target]


def test_a_download_without_the_catalogue_is_reported(downloaded: Path, target: Path) -> None:
    (downloaded / "other.csv").touch()
    with pytest.raises(LakehouseError) as error:
        kaggle_catalogue(target)
    assert str(error.value) == f"the download from Kaggle holds no dataset.csv; it lies in {downloaded}"
    assert not target.exists()


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_where_its_place_is_read_only_the_catalogue_stays_where_it_came_to(
    downloaded: Path, target: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, "refused")

    (downloaded / FILE_NAME).touch()
    monkeypatch.setattr(shutil, "copyfileobj", refuse)
    assert kaggle_catalogue(target) == downloaded / FILE_NAME
    assert not target.exists()


def test_a_full_disk_is_not_taken_for_a_read_only_place(
    downloaded: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    (downloaded / FILE_NAME).touch()
    monkeypatch.setattr(shutil, "copyfileobj", refuse)
    with pytest.raises(OSError, match="No space left"):
        kaggle_catalogue(target)
