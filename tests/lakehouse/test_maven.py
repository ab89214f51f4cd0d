"""Downloads are verified and resumed; needs no network."""

import hashlib
import re
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.maven import fetch, maven_repository, require_disk
from lakehouse.settings import Settings

CONTENT = bytes(range(256)) * 4 * 4096
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUIET = Console(quiet=True)


class Repository(BaseHTTPRequestHandler):
    """Serves one file, with ranges; a path that ends in 'cut' breaks off in the middle the first time."""

    ranges: list[str | None]

    def do_GET(self) -> None:
        """Answer as the path asks."""
        self.ranges.append(self.headers["Range"])
        if self.path.endswith("missing"):
            self.send_error(404)
            return
        start = int(re.findall(r"\d+", self.headers["Range"])[0]) if not self.path.endswith("whole") else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        cut = self.path.endswith("cut") and len(self.ranges) == 1
        self.wfile.write(CONTENT[start : len(CONTENT) // 2] if cut else CONTENT[start:])

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a repository on this machine."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    Repository.ranges = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A certificate for this machine that it signed itself, with its key beside it."""
    certificate = tmp_path / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    files = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "key.pem"), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return certificate


@pytest.mark.parametrize("is_trusted", [True, False])
def test_an_authority_that_this_machine_trusts_is_trusted(
    authority: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    Repository.ranges = []
    monkeypatch.setattr("time.sleep", lambda _: None)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    if is_trusted:
        # In the place of the system's own file.
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repository)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        refused = pytest.raises(LakehouseError, match="certificate verify failed")
        with nullcontext() if is_trusted else refused:
            fetch(f"https://localhost:{server.server_port}/whole", tmp_path / "file", SHA256, QUIET)
        assert (tmp_path / "file").exists() == is_trusted
    finally:
        server.shutdown()
        server.server_close()


def test_a_file_is_downloaded_once(repository: str, tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "file"
    fetch(f"{repository}/file", target, SHA256, QUIET)
    fetch(f"{repository}/file", target, SHA256, QUIET)
    assert target.read_bytes() == CONTENT
    assert len(Repository.ranges) == 1
    assert list(target.parent.iterdir()) == [target]


def test_a_broken_download_is_resumed_at_once(repository: str, tmp_path: Path) -> None:
    fetch(f"{repository}/cut", tmp_path / "file", SHA256, QUIET)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert Repository.ranges == ["bytes=0-", f"bytes={len(CONTENT) // 2}-"]


def test_an_earlier_attempt_is_resumed(repository: str, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    fetch(f"{repository}/file", tmp_path / "file", SHA256, QUIET)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert Repository.ranges == ["bytes=1000-"]


def test_a_server_without_ranges_is_read_from_the_start(repository: str, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    fetch(f"{repository}/whole", tmp_path / "file", SHA256, QUIET)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_complete_attempt_is_only_renamed(repository: str, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT)
    fetch(f"{repository}/file", tmp_path / "file", SHA256, QUIET)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_changed_file_is_refused_and_deleted(repository: str, tmp_path: Path) -> None:
    with pytest.raises(LakehouseError, match=r"is not the expected file .* run the command again"):
        fetch(f"{repository}/file", tmp_path / "file", "0" * 64, QUIET)
    assert list(tmp_path.iterdir()) == []


def test_a_failing_server_is_named_and_the_partial_file_kept(repository: str, tmp_path: Path) -> None:
    (tmp_path / "file.partial").write_bytes(CONTENT[:1000])
    with pytest.raises(LakehouseError, match=r"could not download .*/missing .*404.* continues"):
        fetch(f"{repository}/missing", tmp_path / "file", SHA256, QUIET)
    assert (tmp_path / "file.partial").read_bytes() == CONTENT[:1000]


def test_too_little_disk_space_is_reported_before_it_is_filled(tmp_path: Path) -> None:
    with pytest.raises(LakehouseError, match=r"Trino needs 1000000.0 GB .* are free: make room or set STACK_DIR"):
        require_disk(tmp_path, 10**15, "Trino")


def test_maven_central_is_the_one_that_spark_uses() -> None:
    assert re.fullmatch(r"https://[a-z0-9.]+/maven2", maven_repository(Settings(_env_file=None)))


def test_a_mirror_replaces_it() -> None:
    settings = Settings(maven_repository_url="https://mirror.example/maven/", _env_file=None)
    assert maven_repository(settings) == "https://mirror.example/maven"
