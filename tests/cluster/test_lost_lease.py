"""Who loses the lease while at work ends with one line, whatever the work is, and commits nothing more."""

from pathlib import Path

import pytest

from lakehouse.lake.lease import LEASE, Holder, _read, _serialized
from lakehouse.lake.object_store import ObjectStore
from tests.cluster.servers import S3Server, started, wait_until
from tests.support.command_line import LAKEHOUSE, environment_with, lakehouse
from tests.support.ports import free_port

pytestmark = pytest.mark.long

WORK = {"run": ["run", "--full", "--select", "catalogue_tracks"], "check": ["check"], "maintain": ["maintain"]}
OTHER = Holder(token=99, owner="other", purpose="import", pid=5, host="elsewhere", since="now")
SECONDS = 120


@pytest.mark.parametrize("command", WORK)
def test_it_ends_with_one_line_and_commits_nothing_more(
    s3_server: S3Server, place: str, tmp_path: Path, command: str
) -> None:
    variables = s3_server.environment(place, tmp_path / "work", SPARK_MASTER="local[2]", TRINO_PORT=str(free_port()))
    built = lakehouse(tmp_path, *WORK["run"], **variables)
    assert built.returncode == 0, built.stderr
    store = s3_server.store(place)
    before = tables(store)

    def is_at_work() -> bool:
        found = _read(store)
        return found is not None and found[0].purpose == command and bool(found[0].owner)

    with started([str(LAKEHOUSE), *WORK[command]], tmp_path, environment_with(**variables)) as work:
        wait_until(is_at_work, SECONDS, f"{command} is at work")
        store.write(LEASE, _serialized(OTHER))
        _, errors = work.communicate(timeout=SECONDS)
    assert work.returncode == 1
    [line] = errors.strip().splitlines()
    assert line.startswith(f"error this run lost the lease on {store.uri}, another writer took over")
    assert line.endswith(": it stopped writing, and the next run completes what it began")
    assert tables(store) == before


def tables(store: ObjectStore) -> dict[str, str]:
    """All objects but the lease, with what tells their content."""
    return {name: content for name, content in store.objects() if name != LEASE}
