"""One running stack on demo data for all tests here; `make test-compose` makes engine and images first."""

import random
import subprocess
from collections.abc import Callable, Iterator

import pytest

from tests.stack.compose.stack import Stack, brought_up, copy_repository

# Planted where a careless image would take it in.
PLANTED = "planted-secret-6f0c2e"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=int, metavar="N", help="run N of the tests of faults, by --seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    count = config.getoption("--faults", None)
    faults = [item for item in items if "test_up_faults" in item.nodeid]
    if count is not None and count < len(faults):
        kept = random.Random(config.getoption("--seed")).sample(faults, count)
        items[:] = [item for item in items if item not in faults or item in kept]


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that `docker compose up --wait` brought up from nothing; what it took is told at once."""
    tell = line_writer(pytestconfig)
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        pytest.fail("no Docker with Compose: run `make test-compose`")
    folder = tmp_path_factory.mktemp("clone")
    copy_repository(folder)
    (folder / "data" / "settings" / "SPOTIFY_CLIENT_SECRET").write_text(PLANTED)
    with brought_up(folder, "lakehouse-test", tell) as made:
        yield made


def line_writer(config: pytest.Config) -> Callable[[str], None]:
    """Writes a line that is seen at once: what a fixture writes is otherwise captured, and dropped where tests pass."""
    writer, capture = config.get_terminal_writer(), config.pluginmanager.getplugin("capturemanager")
    assert capture, "a part of pytest"

    def write(text: str) -> None:
        with capture.global_and_fixture_disabled():
            writer.line(text)
            writer.flush()

    return write
