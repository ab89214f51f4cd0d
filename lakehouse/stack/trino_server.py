"""Trino as a plain process: downloaded once, started on loopback."""

import os
import re
import shutil
import tarfile
from pathlib import Path

import psutil
import requests
from rich.console import Console

from lakehouse import PROJECT
from lakehouse.console import say
from lakehouse.errors import LakehouseError
from lakehouse.java import trino_java_home
from lakehouse.maven import fetch, maven_repository, require_disk
from lakehouse.settings import Settings, in_bytes
from lakehouse.stack.processes import LOOPBACK, Background, require_free_port, wait_until_it_answers
from lakehouse.stack.trino_registration import local_session, require_answer

TRINO_VERSION = "476"
SERVER_SHA256 = "cfd5accde17e8ebd251eeeb78aed1f490e77bb3a164d95a0f454bf8a7c1cbd3f"
CLI_SHA256 = "fe4e9c7fb569cd67673afa1622945f6308e1e59bdb825419352b80887661757b"
# The second one is for those who switch on passwords.
PLUGINS = ("delta-lake", "password-authenticators")
SERVER_PARTS = ("bin/", "lib/", *(f"plugin/{name}/" for name in PLUGINS))
# The archive and the parts unpacked from it, which exist at the same time.
SERVER_DISK = 2_000_000_000
START_SECONDS = 180
CONFIGURATION = PROJECT / "trino"


def trino_process(settings: Settings) -> Background:
    """Trino's process, which may not be running."""
    return Background("trino", settings.stack_dir.resolve())


def start_trino(settings: Settings, console: Console) -> None:
    """Start Trino and wait until it answers; one that already runs on the same lake is left alone.

    Raises:
        LakehouseError: it cannot be downloaded or started; says why, what to do, and where the log is.
    """
    trino = trino_process(settings)
    if trino.process():
        _require_same(trino, settings)
        say(console, f"Trino runs already at {settings.trino_address}.")
        return
    server, java = get_server(settings, console), trino_java_home()
    get_cli(settings, console)
    require_free_port(settings.trino_port, "TRINO_PORT")
    _require_memory(settings)
    with console.status("Starting Trino ..."):
        _start(trino, server, java, settings)
        seconds = wait_until_it_answers(trino, "Trino", lambda: _has_started(settings), START_SECONDS, _first_error)
        require_answer(settings)
    say(console, f"Trino answers at {settings.trino_address} after {seconds:.0f} s.")


def sql_command(settings: Settings, console: Console) -> list[str]:
    """The command line of Trino's own client, on the lake's tables; downloads the client if it is missing."""
    client = get_cli(settings, console)
    java = str(trino_java_home() / "bin" / "java")
    # JLine reaches the terminal through native code, which Java would warn about at each start.
    command = [java, "--enable-native-access=ALL-UNNAMED", "-jar", str(client), "--server", settings.trino_address]
    command += ["--catalog", "delta", "--schema", "default"]
    if settings.trino_address.startswith("https"):
        command += ["--password"]
        command += ["--truststore-path", str(settings.trino_certificate)] if settings.trino_certificate else []
    return command


def get_server(settings: Settings, console: Console) -> Path:
    """The folder of the unpacked server, downloaded if it is missing, with only the parts that this lake needs."""
    name = f"trino-server-{TRINO_VERSION}"
    server = settings.stack_dir.resolve() / name
    if server.is_dir():
        return server
    require_disk(settings.stack_dir, SERVER_DISK, f"Trino {TRINO_VERSION}")
    archive = server.with_name(f"{name}.tar.gz")
    address = f"{maven_repository(settings)}/io/trino/trino-server/{TRINO_VERSION}/{archive.name}"
    fetch(address, archive, SERVER_SHA256, console)
    with console.status("Unpacking Trino ..."):
        unpacked = server.with_name("unpacked.partial")
        shutil.rmtree(unpacked, ignore_errors=True)
        unpack_server(archive, unpacked)
        (unpacked / name).rename(server)
        shutil.rmtree(unpacked)
        archive.unlink()
    return server


def unpack_server(archive: Path, target: Path) -> None:
    """Unpack the needed parts of the server.

    Identical jars are hard links in the archive, some to files of plugins that are not needed: those files are
    unpacked too, and their plugins deleted afterwards.
    """
    with tarfile.open(archive) as tar:
        members = tar.getmembers()
        wanted = [member for member in members if member.name.partition("/")[2].startswith(SERVER_PARTS)]
        names = {member.name for member in wanted} | {member.linkname for member in wanted if member.islnk()}
        tar.extractall(target, [member for member in members if member.name in names], filter="data")
    for plugin in target.glob("*/plugin/*"):
        if plugin.name not in PLUGINS:
            shutil.rmtree(plugin)


def get_cli(settings: Settings, console: Console) -> Path:
    """Trino's own client, downloaded if it is missing."""
    client = settings.stack_dir.resolve() / f"trino-cli-{TRINO_VERSION}-executable.jar"
    address = f"{maven_repository(settings)}/io/trino/trino-cli/{TRINO_VERSION}/{client.name}"
    fetch(address, client, CLI_SHA256, console)
    return client


def _require_same(trino: Background, settings: Settings) -> None:
    facts = trino.facts
    if (facts["port"], facts["lake"]) != (settings.trino_port, _lake(settings)):
        raise LakehouseError(
            f"Trino runs already, on port {facts['port']} and lake {facts['lake']}: run `lakehouse stack down` first"
        )


def _lake(settings: Settings) -> str:
    return settings.lake_uri.removeprefix("file://")


def _require_memory(settings: Settings) -> None:
    needed = in_bytes(settings.trino_memory)
    available = psutil.virtual_memory().available
    if available < needed:
        raise LakehouseError(
            f"Trino may use {settings.trino_memory} of memory (TRINO_MEMORY), {available / 2**30:.1f} GB are free: "
            "close other programs or set it lower"
        )


def _start(trino: Background, server: Path, java: Path, settings: Settings) -> None:
    settings.work_path.mkdir(parents=True, exist_ok=True)
    data = trino.folder / "trino"
    differences = {
        "node.data-dir": str(data),
        "node.bind-ip": LOOPBACK,
        # By default Trino may announce the address of a network bridge, where it does not listen.
        "node.internal-address": LOOPBACK,
        "http-server.http.port": str(settings.trino_port),
        "discovery.uri": f"http://{LOOPBACK}:{settings.trino_port}",
    }
    if settings.is_in_object_store:
        differences["catalog.config-dir"] = str(CONFIGURATION / "catalog-s3")
    command = [str(server / "bin" / "launcher"), "run", "-etc-dir", str(CONFIGURATION), "-data-dir", str(data)]
    command += ["-jvm-dir", str(java), *(f"-D{name}={value}" for name, value in differences.items())]
    environment = {
        **os.environ,
        "JDK_JAVA_OPTIONS": f"-Xmx{settings.trino_memory}",
        # Where the lake is in an object store, this holds the metastore alone.
        "TRINO_LAKE": str(settings.work_path),
        "AWS_ENDPOINT_URL": settings.aws_endpoint_url or f"https://s3.{settings.aws_region}.amazonaws.com",
        "AWS_REGION": settings.aws_region,
        # Java reads paths with umlauts correctly only in a UTF-8 locale.
        "LC_ALL": "C.UTF-8",
    }
    trino.start(command, environment, port=settings.trino_port, lake=_lake(settings))


def _has_started(settings: Settings) -> bool:
    try:
        info = local_session().get(f"http://{LOOPBACK}:{settings.trino_port}/v1/info", timeout=5)
        return info.ok and info.json()["starting"] is False
    except (requests.RequestException, ValueError, KeyError):
        return False


def _first_error(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines()
    found = (line for line in lines if re.search(r"\tERROR\t|^\d+\) |^Error|[Ii]nvalid", line))
    return next(found, "it gave no reason").rsplit("\t", 1)[-1][:300]
