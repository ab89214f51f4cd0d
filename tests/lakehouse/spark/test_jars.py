"""Jars are those of the lock file, downloaded once and as a whole."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.spark import jars
from lakehouse.spark.jars import DELTA_GROUPS, HADOOP_VERSION, S3_GROUPS, fetch_delta_jars, locked_jars

PATHS = ("io/delta/delta-spark/9/delta-spark-9.jar", "io/delta/delta-storage/9/delta-storage-9.jar")
OF_S3 = "org/wildfly/openssl/2/openssl-2.jar"


class Repository(BaseHTTPRequestHandler):
    """Has every path; its content is the path."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer."""
        self.asked.append(self.path)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def settings() -> Iterator[Settings]:
    """Settings that name a repository on this machine."""
    Repository.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Settings(maven_repository_url=f"http://127.0.0.1:{server.server_port}", _env_file=None)
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the jars come, with a lock file of two of them and one of another group."""
    lock = tmp_path / "jars.lock"
    lock.write_text("".join(f"{hashlib.sha256(f'/{path}'.encode()).hexdigest()}  {path}\n" for path in (*PATHS, OF_S3)))
    monkeypatch.setattr(jars, "LOCK_FILE", lock)
    place = tmp_path / "environment" / jars.JARS_FOLDER.name
    monkeypatch.setattr(jars, "JARS_FOLDER", place)
    return place


def test_the_jars_of_the_lock_file_are_downloaded_once(settings: Settings, folder: Path) -> None:
    assert [fetch_delta_jars(settings), fetch_delta_jars(settings)] == [2, 2]
    assert Repository.asked == [f"/{path}" for path in PATHS]
    assert {path.name: path.read_text() for path in folder.iterdir()} == {Path(path).name: f"/{path}" for path in PATHS}


def test_jars_of_another_version_are_replaced(settings: Settings, folder: Path) -> None:
    for older in ("delta-jars", "delta-jars-0.1", "delta-jars-0.2.unfinished"):
        (folder.parent / older).mkdir(parents=True)
        (folder.parent / older / "old.jar").touch()
    (folder.parent / "delta-jars.log").touch()
    fetch_delta_jars(settings)
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, "delta-jars.log"]


def test_a_jar_with_another_content_is_refused_and_no_session_sees_the_others(settings: Settings, folder: Path) -> None:
    lock = jars.LOCK_FILE
    first, second, third = lock.read_text().splitlines()
    lock.write_text("\n".join([first, "0" * 64 + second[64:], third]))
    with pytest.raises(LakehouseError, match=r"delta-storage-9\.jar is not the expected file"):
        fetch_delta_jars(settings)
    assert not folder.exists()


def test_the_lock_file_is_of_the_installed_versions() -> None:
    """Another version of a package wants `python -m lakehouse.spark.jars renew`."""
    names = [path.name for path in locked_jars(DELTA_GROUPS + S3_GROUPS)]
    assert f"delta-spark_4.2_2.13-{version('delta-spark')}.jar" in names
    assert f"hadoop-aws-{HADOOP_VERSION}.jar" in names
    assert len(locked_jars(DELTA_GROUPS)) == 7
