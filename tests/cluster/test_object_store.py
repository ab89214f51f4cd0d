"""How a lake in an object store is spoken to, and what is told when that fails: one line, and nothing is written."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from lakehouse.contract import Table
from lakehouse.contract.ops import PIPELINE_RUNS
from lakehouse.errors import LostWriterError
from lakehouse.lake import object_store
from lakehouse.lake.commit import Mode
from lakehouse.lake.logs import open_logs
from lakehouse.lake.object_store import ObjectStore, StoreRefusedError
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import no_rows, schema_of
from lakehouse.lake.storage import Lake, open_lake
from lakehouse.models.artifacts import Artifact, ArtifactRefusedError, ArtifactStore
from lakehouse.models.objects import ObjectFolders
from pipeline.cli import main
from tests.cluster.servers import BUCKET, S3Server
from tests.support.command_line import lakehouse
from tests.support.ports import free_port

TABLE: Table = PIPELINE_RUNS


@pytest.fixture
def store(s3_server: S3Server, place: str) -> ObjectStore:
    return s3_server.store(place)


def test_of_writers_that_found_the_same_one_wins(store: ObjectStore) -> None:
    def write(tag: str | None) -> list[str]:
        with ThreadPoolExecutor(8) as pool:
            # No content twice: its tag would be the same.
            tags = list(
                pool.map(lambda number: store.write_if("object", f"{number} after {tag}".encode(), tag), range(8))
            )
        return [tag for tag in tags if tag]

    [first] = write(None)
    [second] = write(first)
    assert write(None) == write(first) == []
    assert store.write_if("another", b"", second) is None


def test_names_are_listed_however_many(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "MOST_AT_ONCE", 3)
    names = [f"folder/{number}" for number in range(8)]
    for name in names:
        store.write(name, name.encode())
    store.write("beside", b"")
    assert [name for name, _ in store.objects("folder")] == names
    store.move("folder", "moved")
    assert [name for name, _ in store.objects()] == ["beside", *(f"moved/{number}" for number in range(8))]
    store.delete([name for name, _ in store.objects()])
    assert list(store.objects()) == []


def test_staged_files_are_there_for_a_while(store: ObjectStore, tmp_path: Path) -> None:
    (tmp_path / "plays").write_bytes(b"plays")
    with store.uploaded([tmp_path / "plays"]) as [uri]:
        kept = store.read(uri.removeprefix(f"{store.uri}/"))
        assert kept and kept.content == b"plays"
    assert list(store.objects()) == []


def test_a_table_is_written_read_and_moved(store: ObjectStore, spark: SparkSession) -> None:
    lake = Lake(store.uri, spark, store=store)
    assert (lake.state(TABLE), lake.exists(TABLE)) == (None, False)
    lake.create(TABLE)
    state = lake.state(TABLE)
    assert state and state.version == 0
    assert lake.set_aside(TABLE, "1") == f"{store.uri}/{TABLE.location}.damaged-1"
    assert lake.state(TABLE) is None
    assert any(name.startswith(f"{TABLE.location}.damaged-1/_delta_log/") for name, _ in store.objects())


def test_a_writer_that_lost_the_lease_commits_nothing(store: ObjectStore, spark: SparkSession) -> None:
    def lost() -> None:
        raise LostWriterError("lost")

    lake = Lake(store.uri, spark, store=store, still_writer=lost)
    with pytest.raises(LostWriterError):
        lake.create(TABLE)
    assert list(store.objects()) == []


@pytest.mark.parametrize("mode", ["append", "overwrite"])
def test_a_writer_that_stands_still_between_asking_and_committing_is_fenced(
    store: ObjectStore, spark: SparkSession, mode: Mode
) -> None:
    """Another one commits just after it asked whether it still holds the lease."""
    other = Lake(store.uri, spark, store=store)
    other.create(TABLE)
    slow = Lake(store.uri, spark, store=store, still_writer=lambda: other.create(TABLE))
    with pytest.raises(Exception, match="Failed to commit transaction"):
        slow.commit(TABLE, no_rows(schema_of(TABLE)), Provenance(run_id="slow"), mode=mode)
    log = other.log(TABLE)
    assert log and log.version() == 1


def test_models_are_kept_whole_or_not_at_all(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    models = ArtifactStore(ObjectFolders(store, "models"))
    models.save(Artifact("mood", "v1", {"model": {"a": np.arange(3)}}, {"rows": 3}))
    models.save(Artifact("mood", "v2", {"model": {}}, {}))
    assert (models.versions("mood"), models.versions("unknown")) == (["v1", "v2"], [])
    assert models.load("mood", "v1").parts["model"]["a"].tolist() == [0, 1, 2]
    written = store.write

    def killed(name: str, content: bytes) -> None:
        if name.endswith("card.json"):
            raise KeyboardInterrupt
        written(name, content)

    monkeypatch.setattr(store, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        models.save(Artifact("mood", "v2", {"model": {"a": 1}}, {}))
    assert models.versions("mood") == ["v1"]
    with pytest.raises(ArtifactRefusedError, match="its card cannot be read"):
        models.card("mood", "v2")
    store.delete(["models/mood/v1/model.skops"])
    with pytest.raises(ArtifactRefusedError, match=r"model\.skops: cannot be read"):
        models.verify(models.card("mood", "v1"))


def test_a_store_that_is_away_is_no_damage(
    own_server: S3Server, place: str, tmp_path: Path, spark: SparkSession
) -> None:
    settings = own_server.settings(place, tmp_path / "work")
    lake = open_lake(settings, spark)
    lake.create(TABLE)
    own_server.stop()
    with pytest.raises(StoreRefusedError, match=f"the object store at {own_server.endpoint} does not answer"):
        lake.state(TABLE)
    own_server.start()
    assert lake.state(TABLE)


def test_rows_of_a_table_are_read_without_spark(store: ObjectStore, spark: SparkSession) -> None:
    lake = Lake(store.uri, spark, store=store)
    lake.create(TABLE)
    log = lake.log(TABLE)
    assert log and isinstance(log.to_pyarrow_table(), pa.Table)


BAD = {
    "a wrong secret": (
        {"AWS_SECRET_ACCESS_KEY": "wrong"},
        "does not let these keys use s3a://listening/bad (SignatureDoesNotMatch): check AWS_ACCESS_KEY_ID and",
    ),
    # Amazon says InvalidAccessKeyId.
    "an unknown key": (
        {"AWS_ACCESS_KEY_ID": "nobody"},
        "refused (XAdminUserNotFound: No user exists with the provided access key ID): check the keys and LAKE_URI",
    ),
    "no keys": (
        {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
        "there are no keys for s3a://listening/bad: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or",
    ),
    "no such bucket": ({"LAKE_URI": "s3a://nowhere/bad"}, "there is no bucket nowhere at the object store at"),
    "nobody there": (
        {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"},
        "does not answer (EndpointConnection): check AWS_ENDPOINT_URL and the network",
    ),
}


@pytest.mark.parametrize("command", ["status", "run"])
@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_told_in_one_line_and_nothing_is_written(
    s3_server: S3Server, tmp_path: Path, what: str, command: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """By the command line's own entry point, in this process; the next test starts one."""
    wrong, told = BAD[what]
    before = s3_server.objects()
    for name, value in (s3_server.environment("bad", tmp_path / "work") | wrong).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["lakehouse", command])
    with pytest.raises(SystemExit) as ended:
        main()
    output, errors = capsys.readouterr()
    assert ended.value.code == 1
    [line] = errors.strip().splitlines()
    assert line.startswith("error ") and told in line
    assert "secret-for-tests" not in output + errors
    assert s3_server.objects() == before


def test_a_process_ends_with_the_same_line(s3_server: S3Server, tmp_path: Path) -> None:
    environment = s3_server.environment("bad", tmp_path / "work") | {"AWS_SECRET_ACCESS_KEY": "wrong"}
    done = lakehouse(tmp_path, "run", HOME=str(tmp_path), **environment)
    assert done.returncode == 1
    [line] = done.stderr.strip().splitlines()
    assert line.startswith("error ") and BAD["a wrong secret"][1] in line
    assert "secret-for-tests" not in done.stdout + done.stderr


def test_keys_may_be_in_the_users_file(s3_server: S3Server, tmp_path: Path) -> None:
    environment = s3_server.environment("by-file", tmp_path / "work")
    key, secret = environment.pop("AWS_ACCESS_KEY_ID"), environment.pop("AWS_SECRET_ACCESS_KEY")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(f"[default]\naws_access_key_id={key}\naws_secret_access_key={secret}\n")
    done = lakehouse(tmp_path, "status", HOME=str(tmp_path), **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"lake s3a://{BUCKET}/by-file" in done.stdout


def test_a_clock_that_is_wrong_is_named_before_anything_is_written(
    s3_server: S3Server, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_store, "MOST_SKEW_SECONDS", -1)
    with pytest.raises(StoreRefusedError, match=r"clock is \d+ minutes off the object store's"):
        open_logs(s3_server.settings(place, tmp_path / "work"))
