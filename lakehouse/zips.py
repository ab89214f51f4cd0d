"""Zips from elsewhere."""

import zipfile
from typing import IO, Any

# Bytes of a zip's list of its files; those that are known here have some hundred files, at a hundred bytes each.
LARGEST_LIST = 2**20


def open_zip(stream: IO[bytes]) -> zipfile.ZipFile:
    """Open a zip for reading, unless its list of files is long: Python keeps the whole list in memory.

    Raises:
        zipfile.BadZipFile: it is no zip, it is damaged, or its list is too long.
    """
    # The same reading of the zip's end by which `ZipFile` knows how much to read.
    end: Any = zipfile._EndRecData(stream)  # type: ignore[attr-defined]
    if end is not None and end[zipfile._ECD_SIZE] > LARGEST_LIST:  # type: ignore[attr-defined]
        raise zipfile.BadZipFile("its list of files is too long")
    stream.seek(0)
    return zipfile.ZipFile(stream)
