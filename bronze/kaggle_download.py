"""Downloads the Kaggle catalogue."""

import errno
import shutil
from pathlib import Path

from lakehouse.errors import LakehouseError, one_line
from lakehouse.state_files import atomic_file

KAGGLE_DATASET = "maharshipandya/-spotify-tracks-dataset"
FILE_NAME = "dataset.csv"


def kaggle_catalogue(target: Path) -> Path:
    """Download the catalogue with kagglehub and copy it to `target`, unless that is read-only.

    Returns:
        The copy, or the downloaded file itself.

    Raises:
        LakehouseError: there is no network, or Kaggle refuses; the message says how to get the file by hand.
    """
    import kagglehub

    try:
        folder = Path(kagglehub.dataset_download(KAGGLE_DATASET))
    except Exception as error:  # kagglehub raises what its HTTP library does
        reason = one_line(str(error), 120)
        raise LakehouseError(
            f"could not download the catalogue ({type(error).__name__}: {reason}). By hand: download the dataset "
            f'"{KAGGLE_DATASET}" from Kaggle in a browser, then `lakehouse catalogue archive.zip`, or put {FILE_NAME} '
            f"at {target}"
        ) from None
    found = folder / FILE_NAME
    if not found.is_file():
        raise LakehouseError(f"the download from Kaggle holds no {FILE_NAME}; it lies in {folder}")
    try:
        with found.open("rb") as source, atomic_file(target) as copy:
            shutil.copyfileobj(source, copy)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EROFS):
            return found
        raise
    return target
