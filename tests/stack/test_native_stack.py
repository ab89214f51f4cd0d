"""`lakehouse stack` says clearly what is wrong, and leaves nothing behind."""

import io
import json
import socket
import subprocess
import tarfile
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from lakehouse.errors import LakehouseError
from lakehouse.settings import Settings
from lakehouse.stack.local_stack import stack_down, stack_status, stack_up
from lakehouse.stack.processes import Background
from lakehouse.stack.trino_server import sql_command, unpack_server
from pipeline.registry import all_tables
from tests.stack.conftest import FirstStart

QUIET = Console(quiet=True)


def said(settings: Settings) -> str:
    output = io.StringIO()
    stack_status(settings, Console(file=output))
    return output.getvalue()


def test_status_and_repeated_up_of_a_running_stack(trino: Settings) -> None:
    assert f"Trino answers at http://127.0.0.1:{trino.trino_port}, process " in said(trino)
    assert f"on the lake {trino.lake_path}." in said(trino)
    before = Background("trino", trino.stack_dir).facts
    stack_up(trino, all_tables().values(), QUIET, superset=False)
    assert Background("trino", trino.stack_dir).facts == before


def test_a_running_stack_on_another_lake_is_not_taken_for_ours(trino: Settings, tmp_path: Path) -> None:
    other = trino.model_copy(update={"lake_uri": f"file://{tmp_path}"})
    with pytest.raises(LakehouseError, match=r"runs already, on port .* and lake .*: run `lakehouse stack down` first"):
        stack_up(other, all_tables().values(), QUIET, superset=False)


def test_it_listens_on_loopback_only(trino: Settings) -> None:
    process = Background("trino", trino.stack_dir).process()
    assert process is not None
    listening = {c.laddr.ip for c in process.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}


def test_a_lake_of_another_layout_is_said_to_have_no_tables(first_start: FirstStart) -> None:
    lake = first_start.settings.lake_uri
    assert f"The lake {lake} has no tables yet: `lakehouse run` makes" in first_start.output
    assert first_start.schemas == []


def test_a_taken_port_is_named(native: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", native.trino_port))
        taken.listen()
        with pytest.raises(LakehouseError, match=rf"port {native.trino_port} is taken .*, or set TRINO_PORT"):
            stack_up(native, all_tables().values(), QUIET, superset=False)


def test_too_little_memory_is_said_before_starting(native: Settings) -> None:
    greedy = native.model_copy(update={"trino_memory": "9000g"})
    with pytest.raises(LakehouseError, match=r"Trino may use 9000g of memory \(TRINO_MEMORY\), .* GB are free"):
        stack_up(greedy, all_tables().values(), QUIET, superset=False)


def test_too_little_disk_is_said_before_downloading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(10, 9, 1))
    with pytest.raises(LakehouseError, match=r"Trino 476 needs 2.0 GB on the disk of .*, 0.0 GB are free"):
        stack_up(Settings(stack_dir=tmp_path, _env_file=None), all_tables().values(), QUIET, superset=False)


def test_a_trino_that_dies_while_starting_gives_its_reason_and_log(native: Settings) -> None:
    # A heap that Java accepts and Trino cannot live in.
    doomed = native.model_copy(update={"trino_memory": "8m"})
    with pytest.raises(LakehouseError, match=rf"Trino ended while starting: .+; its log: {native.stack_dir}/trino.log"):
        stack_up(doomed, all_tables().values(), QUIET, superset=False)
    assert "Trino is not running, but it was started and not stopped: it died." in said(native)
    stack_down(native, QUIET)
    assert "Trino is not running." in said(native).splitlines()


def test_down_of_nothing_is_fine(native: Settings) -> None:
    stack_down(native, QUIET)


def test_only_what_is_needed_is_unpacked_and_links_into_other_plugins_are_kept(tmp_path: Path) -> None:
    archive = tmp_path / "server.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("bin/launcher", "lib/a.jar", "plugin/bigquery/shared.jar", "plugin/bigquery/own.jar"):
            member = tarfile.TarInfo(f"server/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
        for name, target in (("a.jar", "lib/a.jar"), ("shared.jar", "plugin/bigquery/shared.jar")):
            member = tarfile.TarInfo(f"server/plugin/delta-lake/{name}")
            member.type, member.linkname = tarfile.LNKTYPE, f"server/{target}"
            tar.addfile(member)
    unpack_server(archive, tmp_path / "out")
    server = tmp_path / "out" / "server"
    found = {str(path.relative_to(server)) for path in server.rglob("*") if path.is_file()}
    assert found == {"bin/launcher", "lib/a.jar", "plugin/delta-lake/a.jar", "plugin/delta-lake/shared.jar"}
    assert (server / "plugin/delta-lake/shared.jar").read_text() == "plugin/bigquery/shared.jar"


def test_the_command_line_client_answers(trino: Settings) -> None:
    statement = "SELECT count(*) > 0 AS ok FROM temporal_trends"
    command = [*sql_command(trino, QUIET), "--output-format", "JSON", "--execute", statement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert json.loads(done.stdout) == {"ok": True}, done.stderr
