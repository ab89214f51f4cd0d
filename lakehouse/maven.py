"""Downloads files from Maven Central: once, verified, and resumed where an earlier attempt broke off.

Not by a library such as pooch: those start a download of a gigabyte from the beginning each time.
"""

import hashlib
import re
import shutil
import ssl
import time
import zipfile
from pathlib import Path
from typing import Any

import pyspark
import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings

ATTEMPTS = 4
TIMEOUT_SECONDS = 30
BLOCK = 2**20


def maven_repository(settings: Settings) -> str:
    """The address of Maven Central, or of the mirror that the settings name, without a slash at its end.

    It is read from Ivy, the part of Spark that downloads Spark's packages: so all artifacts come from one repository,
    the one of the installed Spark, and there is no second address here to keep equal to it.

    Raises:
        LakehouseError: Spark's Ivy does not contain it.
    """
    if settings.maven_repository_url:
        return settings.maven_repository_url.rstrip("/")
    for jar in (Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"):
        resolver = zipfile.ZipFile(jar).read("org/apache/ivy/plugins/resolver/IBiblioResolver.class")
        if address := re.search(rb"https://[\w./-]+/maven2(?=/)", resolver):
            return address[0].decode()
    raise LakehouseError("Spark's Ivy does not name Maven Central: set MAVEN_REPOSITORY_URL")


def fetch(url: str, target: Path, sha256: str, console: Console) -> None:
    """Download a file, unless it exists.

    Args:
        url: where it is.
        target: where to put it; while it is incomplete, its name ends in '.partial'.
        sha256: the file's SHA-256, in hexadecimal.
        console: where progress is shown.

    Raises:
        LakehouseError: the network fails repeatedly (the part that arrived is kept and resumed next time), the disk is
            full, or the checksum differs (the file is deleted).
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _continue_download(url, partial, console)
            break
        except requests.RequestException as error:
            if attempt == ATTEMPTS:
                raise LakehouseError(
                    f"could not download {url} ({error}): run the command again, it continues where it broke off"
                ) from error
            time.sleep(attempt)
        except OSError as error:
            raise LakehouseError(f"could not write {partial}: {error.strerror}") from error
    with partial.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        partial.unlink()
        raise LakehouseError(
            f"{url} is not the expected file (SHA-256 {found[:12]}..., not {sha256[:12]}...) and was deleted: "
            "run the command again; if it stays so, something between here and Maven Central changes the file"
        )
    partial.rename(target)


def require_disk(folder: Path, needed: int, what: str) -> None:
    """Check that there is enough space, before filling the disk.

    Raises:
        LakehouseError: fewer than `needed` bytes are free.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise LakehouseError(
            f"{what} needs {needed / 1e9:.1f} GB on the disk of {folder.resolve()}, {free / 1e9:.1f} GB are free: "
            "make room or set STACK_DIR to another place"
        )


class _SystemTrust(HTTPAdapter):
    """Trusts what this machine trusts, too: requests alone knows nothing of a company's own authority."""

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=ssl.create_default_context(), **options)


def _continue_download(url: str, partial: Path, console: Console) -> None:
    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-", "Accept-Encoding": "identity"}
    session = requests.Session()
    session.mount("https://", _SystemTrust())
    with session, session.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable:
            return  # it is complete; the checksum decides whether it is right
        response.raise_for_status()
        if response.status_code != requests.codes.partial_content:
            start = 0
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with (
            partial.open("ab" if start else "wb") as file,
            Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as progress,
        ):
            size = start + int(response.headers.get("Content-Length", 0))
            task = progress.add_task(url.rsplit("/", 1)[-1], total=size, completed=start)
            for block in response.iter_content(BLOCK):
                file.write(block)
                progress.advance(task, len(block))
