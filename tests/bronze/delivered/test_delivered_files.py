"""Files, folders and zips as users deliver them, including broken and hostile ones."""

import gc
import gzip
import io
import json
import os
import random
import struct
import tracemalloc
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pyarrow.csv as pa_csv
import pytest

from bronze.delivered import delivered_files
from bronze.delivered.delivered_files import BadFile, DeliveredFile, files_at, fingerprint, parts_of
from tests.bronze.records import delivered

MEMBERS = {"Export/b.json": "[2]", "Export/a.json": "[1]", "Export/Read me.pdf": "%PDF"}


def make_zip(path: Path, members: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def patched(path: Path, old: bytes, new: bytes) -> Path:
    """The file with all occurrences of some bytes replaced by as many others."""
    assert len(old) == len(new)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    return path


def files(path: Path) -> list[DeliveredFile]:
    return [part for file in files_at(path) for part in parts_of(file)]


def names(path: Path) -> list[str]:
    return [file.name for file in files(path)]


def content_of(path: Path) -> list[bytes]:
    contents = []
    for file in files(path):
        with file.open() as stream:
            contents.append(stream.read())
    return contents


def refusal(path: Path) -> str:
    """Why a path is refused, in one line that a terminal can show."""
    with pytest.raises(BadFile) as error:
        content_of(path)
    assert str(error.value).isprintable()
    return str(error.value)


# What is found


def test_a_file_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[]")
    [file] = files(tmp_path / "a.json")
    assert (file.name, file.base_name, file.folder, file.is_named) == ("a.json", "a.json", tmp_path.name, True)


def test_a_zip_is_its_members_by_name(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "my.zip", {**MEMBERS, "Export/": ""})
    assert names(path) == ["my.zip/Export/Read me.pdf", "my.zip/Export/a.json", "my.zip/Export/b.json"]
    assert content_of(path) == [b"%PDF", b"[1]", b"[2]"]
    assert {(file.folder, file.is_named) for file in files(path)} == {("Export", False)}


def test_a_folder_is_everything_in_it_zips_opened(tmp_path: Path) -> None:
    export = tmp_path / "export"
    make_zip(export / "deep" / "er" / "my.ZIP", MEMBERS)
    (export / "z.json").write_text("[]")
    (export / "deep" / "a.json").write_text("[]")
    assert names(export) == [
        "export/deep/a.json",
        "export/deep/er/my.ZIP/Export/Read me.pdf",
        "export/deep/er/my.ZIP/Export/a.json",
        "export/deep/er/my.ZIP/Export/b.json",
        "export/z.json",
    ]
    assert not any(file.is_named for file in files(export))


def test_the_working_folder_is_named_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("[]")
    monkeypatch.chdir(tmp_path)
    assert names(Path()) == [f"{tmp_path.name}/a.json"]


def test_hidden_files_and_links_in_a_folder_are_left_out(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.json").write_text("[]")
    export = tmp_path / "export"
    export.mkdir()
    (export / ".hidden.json").write_text("[]")
    (export / "link.json").symlink_to(outside / "secret.json")
    (export / "folder").symlink_to(outside)
    (export / "loop").symlink_to(export)
    assert names(export) == []


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("[1]")
    (tmp_path / "link.json").symlink_to(tmp_path / "a.json")
    (tmp_path / "folder").symlink_to(tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("link.json", "folder", "loop"):
        assert (
            refusal(tmp_path / name)
            == f"{tmp_path}/{name} is a link, and links are not followed: deliver the file itself"
        )


@pytest.mark.parametrize("exchanged", ["export", "export/inner", "export/inner/a.json"])
def test_what_is_exchanged_for_a_link_after_it_was_looked_at_is_not_read(tmp_path: Path, exchanged: str) -> None:
    for name in ("export/inner/a.json", "secret/inner/a.json", "secret/a.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f'["{name}"]')
    [file] = files(tmp_path / "export")
    part = tmp_path / exchanged
    part.rename(tmp_path / "moved")
    target = {"export": "secret", "export/inner": "secret", "export/inner/a.json": "secret/a.json"}[exchanged]
    part.symlink_to(tmp_path / target)
    assert (tmp_path / "export/inner/a.json").read_text().startswith('["secret')
    with pytest.raises(BadFile, match="cannot be read"):
        file.open()


def test_hidden_members_of_a_zip_are_left_out(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.json": "[]", "__MACOSX/._a.json": "\x00\x05", ".DS_Store": ""})
    assert names(path) == ["a.zip/a.json"]


def test_an_empty_folder_and_an_empty_zip_hold_nothing(tmp_path: Path) -> None:
    assert names(tmp_path) == []
    assert names(make_zip(tmp_path / "a.zip", {})) == []


def test_gz_is_unpacked_on_the_way_also_inside_a_zip(tmp_path: Path) -> None:
    packed = gzip.compress(b"[1]")
    (tmp_path / "a.json.GZ").write_bytes(packed)
    assert content_of(tmp_path / "a.json.GZ") == [b"[1]"]
    assert content_of(make_zip(tmp_path / "a.zip", {"a.json.gz": packed})) == [b"[1]"]


def test_demo_data_is_known_by_its_name_and_its_folder(tmp_path: Path) -> None:
    members: dict[str, str | bytes] = {
        "Demo Streaming History/a.json": "",
        "X/Demo_a.json": "",
        "X/a.json": "",
        "a.json": "",
    }
    assert [file.is_demo for file in files(make_zip(tmp_path / "my.zip", members))] == [True, True, False, False]
    assert delivered(tmp_path / "Demo Streaming History" / "a.json").is_demo
    assert delivered(tmp_path / "demo_a.csv").is_demo
    assert not delivered(tmp_path / "my_demo_a.csv").is_demo


# Names


def test_names_are_shown_without_control_characters(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m\n\u202egnp.json"
    path.write_text("[]")
    assert names(path) == ["a[31mgnp.json"]


def test_a_name_that_is_not_text_is_cleaned(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.json"))
    path.write_text("[]")
    assert names(path) == [".json"]
    assert "no such file" in refusal(path.with_name(os.fsdecode(b"\xff")))


def test_a_long_name_keeps_its_end(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"/".join(["folder"] * 100) + "/a.json": "[]"})
    [name] = names(path)
    assert len(name) == 300
    assert name.endswith("/folder/a.json")


# What cannot be read


@pytest.mark.parametrize("name", ["missing.zip", "missing", "x" * 5000])
def test_nothing_at_the_path_is_reported(tmp_path: Path, name: str) -> None:
    reason = refusal(tmp_path / name)
    assert "no such file" in reason or "File name too long" in reason


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")
    assert "cannot be read" in refusal(tmp_path)


def test_a_file_without_permission_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_text("[]")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    assert refusal(tmp_path / "a.json") == "a.json cannot be read (Permission denied): get it again"


def test_a_folder_without_permission_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "locked").mkdir()
    (tmp_path / "a.json").write_text("[]")
    listed = Path.iterdir

    def denied(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(Path, "iterdir", denied)
    readable, locked = files_at(tmp_path)
    assert parts_of(readable) == [readable]
    with pytest.raises(BadFile, match="locked: cannot be read"):
        parts_of(locked)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04", b"PK\x05\x06" + bytes(10)])
def test_what_is_not_a_zip_is_reported(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    assert "a.zip is no readable zip" in refusal(tmp_path / "a.zip")


def test_a_truncated_zip_is_reported(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", MEMBERS)
    path.write_bytes(path.read_bytes()[:-30])
    assert "a.zip is no readable zip" in refusal(path)


def test_a_zip_damaged_in_the_middle_is_reported(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.json": random.Random(1).randbytes(5000)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[1000] ^= 255
    path.write_bytes(content)
    assert "Bad CRC-32" in refusal(path)


def test_any_damage_to_a_file_is_reported_or_harmless(tmp_path: Path) -> None:
    draw = random.Random(20240314)
    packed = gzip.compress(b"[1]" * 50)
    sound = make_zip(tmp_path / "sound.zip", {"A/a.json": "[1]" * 50, "A/b.json.gz": packed}).read_bytes()
    for good, name in ((sound, "a.zip"), (packed, "a.json.gz")):
        for _ in range(400):
            damaged = bytearray(good)
            for _ in range(draw.choice([1, 2, 9])):
                damaged[draw.randrange(len(damaged))] = draw.randrange(256)
            (tmp_path / name).write_bytes(damaged[: draw.choice([len(damaged), draw.randrange(len(damaged))])])
            try:
                content_of(tmp_path / name)
            except BadFile as error:
                assert str(error).isprintable()


@pytest.mark.parametrize(
    "name", ["../a.json", "a/../../b.json", "/etc/passwd", "..\\a.json", "\\a.json", "a/..", "Export/../../x.json"]
)
def test_a_zip_with_paths_that_lead_out_of_it_is_refused(tmp_path: Path, name: str) -> None:
    assert "leads out of it" in refusal(make_zip(tmp_path / "a.zip", {"good.json": "[]", name: "[]"}))


def test_a_zip_of_endless_names_is_refused_before_they_are_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {f"{number}.json": "" for number in range(30_000)})
    tracemalloc.start()
    try:
        assert "its list of files is too long" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_a_zip_with_a_nameless_file_is_refused(tmp_path: Path) -> None:
    path = patched(make_zip(tmp_path / "a.zip", {"\x01": "[]"}), b"\x01\x00\x00\x00", b"\x00\x00\x00\x00")
    assert "a.zip" in refusal(path)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.json": "[]"})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert refusal(path) == "a.zip is encrypted: unpack it and import the folder"


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_that_cannot_be_unpacked_in_bounds_is_refused(tmp_path: Path, method: int) -> None:
    assert "compressed in a way" in refusal(make_zip(tmp_path / "a.zip", {"a.json": "[]"}, method))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_two_files_of_one_name_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.json", "[1]")
        archive.writestr("a.json", "[2]")
    assert "two files of the same name" in refusal(tmp_path / "a.zip")


def test_a_zip_with_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_files, "MAX_MEMBERS", 2)
    assert "unpacks to more than 4 GiB or 2 files" in refusal(make_zip(tmp_path / "a.zip", MEMBERS))


def test_a_zip_that_unpacks_to_too_much_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_files, "MAX_UNPACKED_BYTES", 2**20)
    path = make_zip(tmp_path / "a.zip", {"a.json": " " * 2**19, "b.json": " " * (2**19 + 1)})
    monkeypatch.setattr(DeliveredFile, "open", None)
    assert "unpacks to more than" in refusal(path)


def test_a_gz_that_unpacks_to_too_much_ends_at_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_files, "MAX_UNPACKED_BYTES", 2**20)
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(bytes(2**20 + 1)))
    read = 0
    with pytest.raises(BadFile, match="unpacks to more than"), delivered(path).open() as stream:
        while chunk := stream.read(1000):
            read += len(chunk)
    assert read <= 2**20
    path.write_bytes(gzip.compress(bytes(2**20)))
    assert content_of(path) == [bytes(2**20)]


def test_a_zip_that_lies_about_sizes_gives_no_more_than_it_says(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.json": " " * 100_000})
    assert "Bad CRC-32" in refusal(patched(path, struct.pack("<L", 100_000), struct.pack("<L", 10)))


@pytest.mark.parametrize("cut", [5, 20])
def test_a_truncated_gz_is_reported(tmp_path: Path, cut: int) -> None:
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(list(range(100))).encode())[:-cut])
    assert "a.json.gz cannot be read (" in refusal(tmp_path / "a.json.gz")


def test_what_is_not_a_gz_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.json.gz").write_bytes(b"[1]")
    assert "Not a gzipped file" in refusal(tmp_path / "a.json.gz")


# The stream


@pytest.mark.filterwarnings("error::ResourceWarning", "error::pytest.PytestUnraisableExceptionWarning")
def test_closing_a_member_closes_its_zip(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.json.gz": gzip.compress(b"[1]")})
    open_before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    [file] = files(path)
    stream = file.open()
    assert stream.read(1) == b"["
    stream.close()
    assert stream.closed
    assert len(os.listdir("/proc/self/fd")) == open_before  # noqa: PTH208
    with pytest.raises(BadFile):
        DeliveredFile(path, "x", member="missing.json").open()
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == open_before  # noqa: PTH208


def test_the_stream_is_one_that_readers_know(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", {"a.csv": "a,b\n1,2\n"})
    [file] = files(path)
    with file.open() as stream:
        assert io.TextIOWrapper(stream, "utf-8").readline() == "a,b\n"
    assert pa_csv.read_csv(file.open()).to_pylist() == [{"a": 1, "b": 2}]
    with file.open() as stream:
        assert (stream.read(0), stream.read(3), stream.read(), stream.read(5)) == (b"", b"a,b", b"\n1,2\n", b"")


def test_equal_content_has_an_equal_fingerprint(tmp_path: Path) -> None:
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    one, same, other = (fingerprint(delivered(tmp_path / name)) for name in "abc")
    assert one == same != other
