"""Histories in the lake: every record accounted for, nothing twice, nothing personal."""

import json
import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from bronze import listening_history
from bronze.listening_history import listening_history_bronze
from lakehouse.contract.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.runlog.append import append_finished_runs
from lakehouse.runlog.import_report import ImportReport
from tests.bronze.lakes import SmallLake
from tests.bronze.records import NOW, PERSONAL, account, api_item, extended, write_json
from tests.support.frames import LISTENER

EPISODE = extended("2024-03-16T08:00:00Z", episode_name="Part 1", **PERSONAL)
# In the night when clocks go back in America, one wall-clock time is two instants.
IN_THE_REPEATED_HOUR = ("2024-11-03T05:30:00Z", "2024-11-03T06:30:00Z")


def generated(number: int) -> list[Any]:
    """A file of records of every kind, some repeated within the file and across files."""
    draw = random.Random(number)
    make: tuple[Callable[[], Any], ...] = (
        lambda: extended(f"2024-05-{draw.randint(1, 28):02}T10:00:00Z", ms_played=draw.choice([5, 40_000]), **PERSONAL),
        lambda: extended(f"2024-05-{draw.randint(1, 28):02}T11:00:00Z", episode_name="Part 1"),
        lambda: extended(audiobook_title="Book"),
        lambda: extended(spotify_track_uri=None, master_metadata_track_name=None),
        lambda: extended(ts=None, **PERSONAL),
        lambda: draw.choice([None, 5, [], "text"]),
    )
    return [draw.choices(make, weights=[8, 1, 1, 1, 1, 1])[0]() for _ in range(draw.randint(0, 40))]


FILES: dict[str, Any] = {
    "1/Streaming_History_Audio_1.json": [
        extended("2024-03-14T10:00:00Z", **PERSONAL),
        extended("2024-03-14T10:05:00Z", ms_played=29_999),
        extended("2024-03-14T10:00:00Z"),
        EPISODE,
        extended(ms_played=-1, **PERSONAL),
        extended(ms_played="1"),
    ],
    "1/renamed.json": [
        extended("2024-03-14T10:00:00Z", platform="web"),
        extended("2024-03-14T10:00:00Z", ms_played=40_000),
    ],
    "1/StreamingHistory0.json": [account("2024-03-14 10:00"), account("2024-03-14 10:00", msPlayed=5)],
    "2/StreamingHistory0.json": [account("2024-03-14 10:00"), account("2024-03-14 10:01")],
    "recently_played.json": {"items": [api_item("2024-03-14T10:00:00.250Z")]},
    "clock.json": [extended(at) for at in IN_THE_REPEATED_HOUR],
    "empty/endsong_1.json": [],
    "broken/endsong_2.json": json.dumps([extended(**PERSONAL)] * 20)[:-9],
    "broken/endsong_3.json": "\ufeff" + json.dumps(PERSONAL)[1:],
    "broken/my.zip": b"PK\x03\x04",
    "Userdata.json": PERSONAL,
    "Read me.pdf": b"%PDF",
    **{f"generated/{number:02}.json": generated(number) for number in range(12)},
}
# In the order of the report: zips first.
BROKEN = ("export/broken/my.zip", "export/broken/endsong_2.json", "export/broken/endsong_3.json")


class Imported:
    """One folder, imported twice."""

    def __init__(self, small: SmallLake, export: Path) -> None:
        self.small = small
        self.first, self.first_audit = self.imported(export)
        self.first_rejected, self.first_rejects = small.rejected(), small.recorded(REJECTED_ROWS)
        self.first_times = small.recorded(IMPORT_AUDIT)
        self.version = small.version(listening_history_bronze)
        self.second, self.second_audit = self.imported(export)
        self.second_version = small.version(listening_history_bronze)
        self.second_rejected = small.rejected()
        append_finished_runs(small.lake, small.spool)
        self.rows = small.rows(listening_history_bronze)
        self.ops = {table.name: small.rows(table) for table in (IMPORT_AUDIT, REJECTED_ROWS)}

    def imported(self, export: Path) -> tuple[ImportReport, dict[str, dict[str, int]]]:
        return self.small.import_history(export), self.small.audit()


@pytest.fixture(scope="module")
def imported(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    small = SmallLake(tmp_path_factory.mktemp("history"), spark)
    for name, content in FILES.items():
        write_json(small.root / "export" / name, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield Imported(small, small.root / "export")
    time.tzset()


def plays_of(imported: Imported, file: str) -> list[dict[str, Any]]:
    of_file = [row for row in imported.rows if row["source_file"] == f"export/{file}"]
    return sorted(of_file, key=lambda row: row["played_at"])


def test_the_verdicts_of_each_file_add_up_to_its_records(imported: Imported) -> None:
    for audit in (imported.first_audit, imported.second_audit):
        for name, content in FILES.items():
            records = content.get("items", []) if isinstance(content, dict) else content
            if isinstance(records, list) and records:
                assert sum(audit[f"export/{name}"].values()) == len(records), name


def test_the_report_says_what_the_audit_says(imported: Imported) -> None:
    # A file without records has no verdict.
    empty: dict[str, dict[str, int]] = {"export/empty/endsong_1.json": {}}
    assert imported.first.verdicts == empty | imported.first_audit
    assert imported.second.verdicts == empty | imported.second_audit


def test_each_record_has_its_verdict(imported: Imported) -> None:
    expected = {
        "1/Streaming_History_Audio_1.json": {
            "counted": 1,
            "too_short": 1,
            "duplicate": 1,
            "podcast": 1,
            "malformed": 2,
        },
        "1/renamed.json": {"duplicate": 1, "counted": 1},
        "1/StreamingHistory0.json": {"counted": 1, "too_short": 1},
        "2/StreamingHistory0.json": {"duplicate": 1, "counted": 1},
        "recently_played.json": {"counted": 1},
    }
    assert {name: imported.first_audit[f"export/{name}"] for name in expected} == expected
    assert "export/empty/endsong_1.json" not in imported.first_audit


def test_the_plays_in_bronze_are_those_that_were_counted_or_too_short(imported: Imported) -> None:
    totals = Counter[str]()
    for verdicts in imported.first_audit.values():
        totals.update(verdicts)
    assert len(imported.rows) == totals["counted"] + totals["too_short"] == imported.first.new_plays
    assert len({row["play_id"] for row in imported.rows}) == len(imported.rows)


def test_importing_again_adds_nothing_and_says_so(imported: Imported) -> None:
    assert imported.second.new_plays == 0
    assert imported.second_version == imported.version
    for name, verdicts in imported.first_audit.items():
        again = dict(verdicts)
        plays = sum(again.pop(verdict, 0) for verdict in ("counted", "too_short", "duplicate"))
        assert imported.second_audit[name] == {**again, **({"duplicate": plays} if plays else {})}


def test_importing_again_rejects_the_same(imported: Imported) -> None:
    assert imported.second_rejected == imported.first_rejected


def test_a_row_says_where_it_comes_from(imported: Imported) -> None:
    play, short = plays_of(imported, "1/Streaming_History_Audio_1.json")
    assert play | {"play_id": ""} == {
        "listener": LISTENER,
        "play_id": "",
        "track_id": "3n3Ppam7vgaVa1iaRUc9Lp",
        "played_at": datetime(2024, 3, 14, 10, tzinfo=UTC),
        "started_at": datetime(2024, 3, 14, 9, 57, tzinfo=UTC),
        "track_name": "Mr. Brightside",
        "artist_name": "The Killers",
        "album_name": "Hot Fuss",
        "isrc": None,
        "duration_ms": None,
        "ms_played": 180_000,
        "reason_start": "trackdone",
        "reason_end": "fwdbtn",
        "skipped": False,
        "shuffle": True,
        "offline": None,
        "incognito": False,
        "platform": "ios",
        "source": "extended_history",
        "source_file": "export/1/Streaming_History_Audio_1.json",
        "ingested_at": NOW,
    }
    assert short["started_at"] == datetime(2024, 3, 14, 10, 4, 30, 1000, tzinfo=UTC)


def test_a_play_of_unknown_length_has_no_start(imported: Imported) -> None:
    [play] = plays_of(imported, "recently_played.json")
    assert (play["started_at"], play["ms_played"], play["duration_ms"]) == (None, None, 222_075)
    assert play["played_at"] == datetime(2024, 3, 14, 10, 0, 0, 250_000, tzinfo=UTC)


def test_files_of_one_name_in_different_folders_are_told_apart(imported: Imported) -> None:
    assert len(plays_of(imported, "1/StreamingHistory0.json")) == 2
    assert len(plays_of(imported, "2/StreamingHistory0.json")) == 1


def test_broken_files_are_named_and_the_others_imported(imported: Imported) -> None:
    assert len(imported.first.errors) == len(BROKEN)
    for name, error in zip(BROKEN, imported.first.errors, strict=True):
        assert error.startswith(name)
        assert imported.first_audit[name] == {"malformed": 1}
        assert plays_of(imported, name) == []


def test_other_files_are_ignored_by_name(imported: Imported) -> None:
    assert {"export/Userdata.json", "export/Read me.pdf"} <= set(imported.first.ignored)
    assert not any("Userdata" in error for error in imported.first.errors)


def test_rejects_keep_position_reason_and_raw_text(imported: Imported) -> None:
    of_file = [found for found in imported.first_rejects if found["source_file"].endswith("Audio_1.json")]
    assert [(found["row_number"], found["reason"]) for found in of_file] == [
        (4, "ms_played is negative"), (5, "ms_played is text, not a whole number"),
    ]  # fmt: skip
    assert json.loads(of_file[1]["raw"]) == extended(ms_played="1")


def test_of_a_file_that_cannot_be_read_only_size_and_kind_are_kept(imported: Imported) -> None:
    kept = {found["source_file"]: found["raw"] for found in imported.first_rejects}
    for name in BROKEN:
        assert re.fullmatch(r"\([\d,]+ bytes, (unknown|begins as a JSON list|a zip)\)", kept[name]), kept[name]


def test_the_ops_tables_hold_what_both_runs_recorded(imported: Imported) -> None:
    audit = {
        (row["run_id"], row["source_file"], row["verdict"]): row["record_count"] for row in imported.ops["import_audit"]
    }
    wanted = {
        (run_id, file, verdict): count
        for run_id, files in (("run-0", imported.first_audit), ("run-1", imported.second_audit))
        for file, verdicts in files.items()
        for verdict, count in verdicts.items()
    }
    assert audit == wanted
    assert len(imported.ops["import_audit"]) == len(wanted)
    assert len(imported.ops["rejected_rows"]) == 2 * len(imported.first_rejected)


def test_the_audit_knows_first_and_last_play_also_where_the_clock_repeats(imported: Imported) -> None:
    [row] = [
        row
        for row in imported.ops["import_audit"]
        if row["source_file"] == "export/clock.json" and row["run_id"] == "run-0"
    ]
    assert [row["first_played_at"], row["last_played_at"]] == [
        datetime.fromisoformat(at) for at in IN_THE_REPEATED_HOUR
    ]
    [podcast] = [
        row
        for row in imported.first_times
        if row["source_file"].endswith("Audio_1.json") and row["verdict"] == "podcast"
    ]
    assert podcast["first_played_at"] == podcast["last_played_at"] == "2024-03-16T08:00:00+00:00"


def test_nothing_personal_is_anywhere_in_the_lake(imported: Imported) -> None:
    files = [path for path in imported.small.settings.lake_path.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files if path.suffix == ".parquet"} == {
        "listener=me", "import_audit", "rejected_rows", "pipeline_runs"
    }  # fmt: skip
    for path in files:
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += repr(pq.read_table(path).to_pylist()).encode()
        for secret in PERSONAL.values():
            assert secret.encode() not in content, path


@pytest.mark.parametrize("most", [0, 2])
def test_repeats_are_left_out_be_they_few_or_many(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(listening_history, "MOST_BROADCAST_DUPLICATES", most)
    small = SmallLake(tmp_path, spark)
    records = [extended(f"2024-03-14T10:0{minute}:00Z") for minute in range(3)]
    small.import_history(write_json(tmp_path / "endsong_0.json", records[:1]))
    report = small.import_history(write_json(tmp_path / "endsong_1.json", [*records, records[2]]))
    assert report.verdicts["endsong_1.json"] == {"counted": 2, "duplicate": 2}
    plays = small.lake.read(listening_history.listening_history_bronze)
    assert sorted(row["played_at"].minute for row in plays.collect()) == [0, 1, 2]


def test_two_zips_of_one_name_are_told_apart(spark: SparkSession, tmp_path: Path) -> None:
    small = SmallLake(tmp_path, spark)
    for folder, record in (("a", account("2024-03-14 10:00")), ("b", account("2024-03-14 10:01"))):
        (tmp_path / folder).mkdir()
        with zipfile.ZipFile(tmp_path / folder / "my.zip", "w") as archive:
            archive.writestr("MyData/StreamingHistory0.json", json.dumps([record]))
    report = small.import_history(tmp_path / "a" / "my.zip", tmp_path / "b" / "my.zip", tmp_path / "a" / "my.zip")
    assert report.new_plays == 2
    assert small.audit() == {
        "my.zip/MyData/StreamingHistory0.json": {"counted": 1},
        "my.zip/MyData/StreamingHistory0.json (2)": {"counted": 1},
        "my.zip/MyData/StreamingHistory0.json (3)": {"duplicate": 1},
    }


@pytest.mark.parametrize("name", ["notes.txt", "SearchQueries.json", "empty"])
def test_what_holds_no_history_is_reported(spark: SparkSession, tmp_path: Path, name: str) -> None:
    small = SmallLake(tmp_path, spark)
    path = tmp_path / name
    if name == "empty":
        path.mkdir()
    else:
        write_json(path, [{"searchTime": "2024"}])
    assert small.import_history(path).errors == [f"{name} holds no listening history that is known here"]
    assert small.audit() == {}
    assert small.version(listening_history_bronze) == -1


def test_a_missing_file_is_named_and_the_others_imported(spark: SparkSession, tmp_path: Path) -> None:
    small = SmallLake(tmp_path, spark)
    report = small.import_history(tmp_path / "missing.zip", write_json(tmp_path / "a.json", [extended()]))
    assert [report.new_plays, len(report.errors)] == [1, 1]
    assert "missing.zip: no such file or folder" in report.errors[0]
    assert small.audit() == {"missing.zip": {"malformed": 1}, "a.json": {"counted": 1}}
