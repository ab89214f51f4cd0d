"""A backup restores everything; an archive that is not one, cut off or hostile changes nothing. Needs no Spark."""

import gzip
import io
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake.lock import writer_lock
from lakehouse.lake.restore_swap import RESTORED, SCHEDULER_LOCK
from lakehouse.settings import Settings
from lakehouse.stack.restored_accounts import NO_PASSWORD
from lakehouse.stack.superset_metadata import SupersetMetadata
from lakehouse.state_files import only_one_process
from pipeline.backup import HEAD, backup, restore
from tests.support.command_line import lakehouse
from tests.support.ports import free_port
from tests.support.private import open_to_others

LAKE = {
    "bronze/plays/_delta_log/0.json": "one",
    "bronze/plays/.part-0.parquet.crc": "sum",
    "gold/descriptive/trends/part-0.parquet": "rows",
    "models/mood_model/ab12/card.json": "{}",
    "state/schedule.json": "{}",
}
OF_THIS_MACHINE = {"metastore/default/plays": "registered", SCHEDULER_LOCK: "", ".writer.lock": ""}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    made = Settings(lake_uri=f"file:{tmp_path}/lake", stack_dir=tmp_path / "stack", _env_file=None)
    write(made, LAKE | OF_THIS_MACHINE)
    write_superset(made, version="v1", password="of then", chart="Moods")
    return made


def write(settings: Settings, files: dict[str, str]) -> None:
    for name, content in files.items():
        (settings.lake_path / name).parent.mkdir(parents=True, exist_ok=True)
        (settings.lake_path / name).write_text(content)


def content(settings: Settings) -> dict[str, str]:
    files = (path for path in settings.lake_path.rglob("*") if path.is_file())
    found = {str(path.relative_to(settings.lake_path)): path.read_text() for path in files}
    return {name: text for name, text in found.items() if name not in OF_THIS_MACHINE}


TABLES = (
    "alembic_version (version_num)", "ab_user (id INTEGER PRIMARY KEY, username, password)", "slices (name)",
    "ab_role (id INTEGER PRIMARY KEY, name)", "ab_user_role (id INTEGER PRIMARY KEY, user_id, role_id)",
    "ab_api_key (id INTEGER PRIMARY KEY, user_id)",
)  # fmt: skip
ROLES = ("Admin", "Reader")


def add_user(settings: Settings, name: str, password: str, *roles: str) -> None:
    """Add a user with a key of the API."""
    with closing(sqlite3.connect(SupersetMetadata(settings).sqlite_file)) as database, database:
        number = database.execute("INSERT INTO ab_user (username, password) VALUES (?, ?)", (name, password)).lastrowid
        for role in roles:
            given = (number, ROLES.index(role) + 1)
            database.execute("INSERT INTO ab_user_role (user_id, role_id) VALUES (?, ?)", given)
        database.execute("INSERT INTO ab_api_key (user_id) VALUES (?)", (number,))


def users(settings: Settings) -> dict[str, tuple[str, set[str]]]:
    """Password and roles of each user."""
    accounts = "SELECT username, password FROM ab_user"
    roles = (
        "SELECT username, name FROM ab_user_role h, ab_user u, ab_role r WHERE u.id = h.user_id AND r.id = h.role_id"
    )
    with closing(sqlite3.connect(SupersetMetadata(settings).sqlite_file)) as database:
        held = database.execute(roles).fetchall()
        found = {name: (password, {role for user, role in held if user == name})
                 for name, password in database.execute(accounts)}  # fmt: skip
        assert not database.execute("SELECT * FROM ab_api_key").fetchall()
    return found


def write_superset(settings: Settings, *, version: str, password: str, chart: str) -> None:
    file = SupersetMetadata(settings).sqlite_file
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file)) as database, database:
        for table in TABLES:
            database.execute(f"CREATE TABLE {table}")
        database.executemany("INSERT INTO ab_role (name) VALUES (?)", [(role,) for role in ROLES])
        database.execute("INSERT INTO alembic_version VALUES (?)", (version,))
        database.execute("INSERT INTO ab_user VALUES (1, 'admin', ?)", (password,))
        database.execute("INSERT INTO ab_user_role VALUES (1, 1, 1)")
        database.execute("INSERT INTO slices VALUES (?)", (chart,))


def superset(settings: Settings) -> tuple[str, str]:
    with closing(sqlite3.connect(SupersetMetadata(settings).sqlite_file)) as database:
        [(password, chart)] = database.execute("SELECT password, name FROM ab_user, slices").fetchall()
    return password, chart


def test_lake_models_and_metadata_are_restored_and_passwords_stay(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "file")
    write(settings, {"bronze/plays/_delta_log/0.json": "two", "silver/new": "later", "metastore/default/plays": "kept"})
    write_superset(settings, version="v1", password="of now", chart="Energy")
    restore(settings, tmp_path / "file")
    assert content(settings) == LAKE
    assert superset(settings) == ("of now", "Moods")
    assert (settings.lake_path / "metastore/default/plays").read_text() == "kept"


def test_it_restores_into_nothing(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "file")
    new = Settings(lake_uri=f"file:{tmp_path}/new", stack_dir=tmp_path / "new-stack", _env_file=None)
    restore(new, tmp_path / "file")
    assert content(new) == LAKE
    # The next start of Superset gives admin the password of this machine.
    assert users(new) == {"admin": (NO_PASSWORD, set())}
    assert superset(new) == (NO_PASSWORD, "Moods")


def test_users_of_here_keep_what_they_have_and_those_of_the_backup_get_no_way_in(
    settings: Settings, tmp_path: Path
) -> None:
    for name, roles in {"mallory": ["Admin", "Reader"], "anna": ["Admin", "Reader"], "ben": []}.items():
        add_user(settings, name, f"{name}'s of then", *roles)
    backup(settings, tmp_path / "file")
    write_superset(settings, version="v1", password="of now", chart="Energy")
    add_user(settings, "anna", "anna's of now", "Reader")
    add_user(settings, "ben", "ben's of now", "Reader")
    restore(settings, tmp_path / "file")
    assert users(settings) == {
        "admin": ("of now", {"Admin"}),
        "anna": ("anna's of now", {"Reader"}),
        "ben": ("ben's of now", set()),
        "mallory": (NO_PASSWORD, {"Reader"}),
    }


@pytest.mark.parametrize(
    "harm",
    [
        "CREATE TRIGGER t AFTER UPDATE ON ab_user BEGIN UPDATE ab_user SET password = 'mine'; END",
        "CREATE VIEW v AS SELECT * FROM ab_user",
    ],
)
def test_metadata_with_triggers_or_views_is_refused(settings: Settings, tmp_path: Path, harm: str) -> None:
    with closing(sqlite3.connect(SupersetMetadata(settings).sqlite_file)) as database, database:
        database.execute(harm)
    backup(settings, tmp_path / "file")
    write(settings, {"silver/new": "later"})
    write_superset(settings, version="v1", password="of now", chart="Energy")
    with pytest.raises(LakehouseError, match="holds triggers or views, which no backup contains"):
        restore(settings, tmp_path / "file")
    assert "silver/new" in content(settings)
    assert superset(settings) == ("of now", "Energy")


def test_the_lake_alone(settings: Settings, tmp_path: Path) -> None:
    assert backup(settings, tmp_path / "alone", lake_only=True).superset == ""
    backup(settings, tmp_path / "file")
    write_superset(settings, version="v1", password="of now", chart="Energy")
    restore(settings, tmp_path / "file", lake_only=True)
    assert superset(settings) == ("of now", "Energy")


def test_metadata_of_another_version_of_superset_is_refused_and_nothing_changed(
    settings: Settings, tmp_path: Path
) -> None:
    backup(settings, tmp_path / "file")
    write(settings, {"silver/new": "later"})
    write_superset(settings, version="v2", password="of now", chart="Energy")
    with pytest.raises(LakehouseError, match=r"of another version .*--lake-only"):
        restore(settings, tmp_path / "file")
    assert "silver/new" in content(settings)
    assert superset(settings) == ("of now", "Energy")


def test_the_file_is_readable_only_by_its_owner_and_appears_complete(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "file")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    with pytest.raises(LakehouseError, match="cannot be written"):
        backup(settings, Path("/proc/nowhere"))
    assert not list(tmp_path.glob(".*partial"))


def test_while_another_process_writes_or_the_scheduler_is_at_work_it_says_so(
    settings: Settings, tmp_path: Path
) -> None:
    impatient = settings.model_copy(update={"lock_wait_seconds": 0.0})
    backup(settings, tmp_path / "file")
    with writer_lock(settings.lake_path, purpose="run", wait_seconds=0):
        with pytest.raises(LakehouseError, match="another run is writing"):
            backup(impatient, tmp_path / "other")
        with pytest.raises(LakehouseError, match="another run is writing"):
            restore(impatient, tmp_path / "file")
    with (
        only_one_process(settings.lake_path / SCHEDULER_LOCK, ""),
        pytest.raises(LakehouseError, match="the scheduler is at work: stop it first"),
    ):
        restore(settings, tmp_path / "file")


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_lake_in_an_object_store_is_declined_and_nothing_is_touched(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    store = {"LAKE_URI": "s3a://bucket/lake", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    done = lakehouse(tmp_path, command, "file", **store)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.strip() == (
        "error s3a://bucket/lake is in an object store, which keeps copies of objects itself: use its versioning or "
        "replication"
    )
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "kept")]


def archive(members: dict[str, object], **head: object) -> bytes:
    """An archive with a head that announces its members; `head` changes what it announces."""
    made = io.BytesIO()
    announced = {"format": 1, "made_at": "", "program": "", "files": len(members), "bytes": 0, "superset": ""} | head
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, member in {HEAD: json.dumps(announced), **members}.items():
            info = tarfile.TarInfo(name)
            if isinstance(member, str):
                info.size = len(member)
                tar.addfile(info, io.BytesIO(member.encode()))
            else:
                info.type, info.linkname = member  # type: ignore[misc]
                tar.addfile(info)
    return made.getvalue()


REFUSED = {
    "a picture": (b"\x89PNG", "not a backup of a lakehouse"),
    "nothing": (b"", "not a backup of a lakehouse"),
    "another archive": (gzip.compress(b"hello"), "not a backup of a lakehouse"),
    "no head": (archive({}, files="many"), "not a backup of a lakehouse"),
    "another format": (archive({}, format=2), "format 2, known is 1"),
    "a way out": (archive({"lake/../../evil": ""}), "not to be trusted"),
    "an absolute path": (archive({"/etc/passwd": ""}), "not to be trusted"),
    "a symbolic link": (archive({"lake/link": (tarfile.SYMTYPE, "/etc")}), "not to be trusted"),
    "a hard link": (archive({"lake/link": (tarfile.LNKTYPE, "/etc/passwd")}), "not to be trusted"),
    "a device": (archive({"lake/device": (tarfile.CHRTYPE, "")}), "not to be trusted"),
    "something else": (archive({"other/file": ""}), "not to be trusted"),
    **{
        f"the reserved name {name}": (archive({f"lake/{name}": ""}), "not to be trusted")
        for name in (
            ".restored/a",
            ".Restored/.names.json",
            ".replaced/a",
            ".restoring-x/a",
            ".names.json",
            ".writer.lock",
            "metastore/default/a",
            "METASTORE/a",
            "metastore",
            "state/scheduler.lock",
            "state/scheduler.lock/a",
            "./bronze/a",
            "bronze//a",
            "bronze/a\n",
        )
    },
    "more than announced": (archive({"lake/a": "many", "lake/b": ""}, bytes=3), "more than it announces"),
    "more files than announced": (archive({"lake/a": "", "lake/b": ""}, files=1), "more than it announces"),
    "a description without end": (archive({"lake/" + "a" * 50_000: ""}), "a description is too large"),
    "less than announced": (archive({"lake/a": ""}, files=2), "cut off: 1 of 2 files"),
    "more than the disk holds": (archive({"lake/a": ""}, bytes=10**18), "more than the lake's disk has free"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_an_unusable_archive_is_refused_and_nothing_changed(what: str, settings: Settings, tmp_path: Path) -> None:
    data, message = REFUSED[what]
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(LakehouseError, match=message):
        restore(settings, tmp_path / "file")
    assert content(settings) == LAKE
    assert superset(settings) == ("of then", "Moods")


def test_what_a_killed_writer_left_is_neither_saved_nor_restored(settings: Settings, tmp_path: Path) -> None:
    write(settings, {"models/.writing-1/card.json": "half", "gold/.part.tmp": "half"})
    backup(settings, tmp_path / "file")
    restore(settings, tmp_path / "file")
    assert content(settings) == LAKE
    (tmp_path / "older").write_bytes(archive({"lake/models/.writing-1/card.json": "", "lake/bronze/a": ""}))
    restore(settings, tmp_path / "older", lake_only=True)
    assert content(settings) == {"bronze/a": ""}


def test_a_backup_that_is_cut_off_anywhere_is_refused(settings: Settings, tmp_path: Path) -> None:
    backup(settings, tmp_path / "file")
    whole = (tmp_path / "file").read_bytes()
    for share in (0.3, 0.6, 0.9, 0.999):
        (tmp_path / "part").write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(LakehouseError, match=r"damaged|cut off|not a backup"):
            restore(settings, tmp_path / "part")
        assert content(settings) == LAKE


def test_where_the_lake_cannot_be_exchanged_the_metadata_stays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(settings, tmp_path / "file")
    write(settings, {"silver/new": "later"})
    write_superset(settings, version="v1", password="of now", chart="Energy")
    rename = Path.rename

    def full(path: Path, target: Path) -> Path:
        if target.name == RESTORED:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OSError, match="No space left"):
        restore(settings, tmp_path / "file")
    assert "silver/new" in content(settings)
    assert superset(settings) == ("of now", "Energy")


def test_a_missing_file_is_a_usage_error(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        restore(settings, tmp_path / "missing")


@pytest.mark.parametrize("step", range(1, 9))
def test_killed_in_the_middle_of_the_exchange_the_next_writer_completes_it(
    step: int, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(settings, tmp_path / "file")
    write(settings, {"bronze/plays/_delta_log/0.json": "two", "silver/new": "later"})
    before, moves = content(settings), 0
    rename = Path.rename

    def kill_at_the_step(path: Path, target: Path) -> Path:
        nonlocal moves
        moves += 1
        if moves == step:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "rename", kill_at_the_step)
        # A kill runs no clean-up.
        patch.setattr("pipeline.backup.shutil.rmtree", lambda *_, **__: None)
        restore(settings, tmp_path / "file")
    with writer_lock(settings.lake_path, purpose="run", wait_seconds=0):
        pass
    assert content(settings) == (before if step == 1 else LAKE)


def test_as_streams_by_the_command_line(settings: Settings, tmp_path: Path) -> None:
    environment = os.environ | {"LAKE_URI": settings.lake_uri, "STACK_DIR": str(settings.stack_dir), "TRINO_PORT": "1"}
    command = [sys.executable, "-m", "pipeline"]
    options = {"env": environment, "cwd": tmp_path, "check": True, "capture_output": True}
    saved = subprocess.run([*command, "backup", "-"], **options).stdout  # type: ignore[call-overload]
    write(settings, {"silver/new": "later"})
    SupersetMetadata(settings).sqlite_file.unlink()
    done = subprocess.run([*command, "restore", "-"], input=saved, **options)  # type: ignore[call-overload]
    assert b"restored from" in done.stderr
    assert open_to_others(settings.lake_path / "bronze") == []
    assert open_to_others(SupersetMetadata(settings).sqlite_file) == []
    assert content(settings) == LAKE
