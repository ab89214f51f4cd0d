"""Many dashboards at once: no query fails, and at rest the server is small again."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lakehouse.settings import Settings
from lakehouse.stack.processes import Background
from tests.stack.conftest import run_query
from tests.stack.documents import sql_blocks

CLIENTS = 16
ROUNDS = 3
RESIDENT_LIMIT = 2**30
REST_SECONDS = 150


@pytest.mark.long
def test_sixteen_clients_run_everything_three_times(trino: Settings) -> None:
    def client(number: int) -> int:
        statements = [block.sql for block in sql_blocks()] * ROUNDS
        return sum(run_query(trino, sql, f"client{number}") is not None for sql in statements)

    with ThreadPoolExecutor(CLIENTS) as pool:
        assert sum(pool.map(client, range(CLIENTS))) == CLIENTS * ROUNDS * len(sql_blocks())

    process = Background("trino", trino.stack_dir).process()
    assert process is not None
    deadline = time.monotonic() + REST_SECONDS
    while process.memory_info().rss > RESIDENT_LIMIT:
        assert time.monotonic() < deadline, f"{process.memory_info().rss / 2**20:.0f} MB at rest"
        time.sleep(5)
