"""What is imported, what waits, and how real data replaces demo data."""

import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from bronze.delivered import shared_exports
from bronze.delivered.inbox import SEEN_FILES, listener_of, remember, seen_files, signatures_of, waiting_files
from bronze.imports import holds_demo_beside_real, take
from bronze.kaggle_tracks import kaggle_tracks_bronze
from bronze.listening_history import holds_demo, holds_real, listening_history_bronze
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, QUALITY_RESULTS
from lakehouse.runlog.import_report import ImportReport
from lakehouse.settings import Settings
from pipeline.demo.data import write_demo_data
from tests.bronze.catalogues import GOOD, row, write_csv
from tests.bronze.lakes import SmallLake
from tests.bronze.records import NOW, account, extended, write_json

PODCAST = {"endTime": "2024-03-14 18:30", "podcastName": "Show", "msPlayed": 5}
STAYS_OUT = "demo data stays out of a lake of real data"


@pytest.fixture
def small(spark: SparkSession, tmp_path: Path) -> SmallLake:
    return SmallLake(tmp_path, spark)


@pytest.fixture
def demo_history(tmp_path: Path) -> Path:
    path = tmp_path / "my_spotify_data.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("Streaming_History_Audio_1.json", "Streaming_History_Video_1.json"):
            record = extended(ms_played=len(name) * 1000 + (5 if "Video" in name else 0))
            archive.write(write_json(tmp_path / "tmp" / name, [record]), f"Demo Streaming History/demo_{name}")
    return path


def demo_catalogue(folder: Path) -> Path:
    demo_id = f"demo{1:018}"
    return write_csv(folder / "demo_catalogue.csv", [row(track_id=demo_id), row(track_id=demo_id, track_genre="pop")])


def state(small: SmallLake, table: Table) -> str:
    demo, real = holds_demo(small.lake, table), holds_real(small.lake, table)
    assert not (demo and real)
    return "demo" if demo else "real" if real else "nothing"


def sources(small: SmallLake) -> set[str]:
    return {play["source"] for play in small.rows(listening_history_bronze)}


# Demo data


def test_the_demo_makes_way_for_the_first_real_plays(small: SmallLake, demo_history: Path) -> None:
    report = small.take(demo_history, demo_catalogue(small.root))
    assert [report.new_plays, report.catalogue_rows, report.errors, report.removed_demo] == [2, 2, [], False]
    assert sources(small) == {"demo"}
    assert small.take(demo_history).new_plays == 0

    # A real file without plays does not count as real data.
    report = small.take(write_json(small.root / "StreamingHistory_podcast_0.json", [PODCAST]))
    assert [report.removed_demo, report.errors, state(small, listening_history_bronze)] == [False, [], "demo"]

    report = small.take(write_json(small.root / "StreamingHistory0.json", [account()]))
    assert [report.new_plays, report.removed_demo] == [1, True]
    assert sources(small) == {"account_history"}
    assert state(small, kaggle_tracks_bronze) == "nothing"
    assert small.rows(kaggle_tracks_bronze) == []

    report = small.take(demo_history, demo_catalogue(small.root))
    assert [report.new_plays, report.catalogue_rows, report.removed_demo] == [0, None, False]
    assert len(report.errors) == 2
    assert all(STAYS_OUT in error for error in report.errors)
    assert sources(small) == {"account_history"}
    assert small.audit() == {}


def test_a_real_catalogue_removes_the_demo_too(small: SmallLake, demo_history: Path) -> None:
    small.take(demo_history, demo_catalogue(small.root))
    report = small.take(catalogue=write_csv(small.root / "dataset.csv", [GOOD]))
    assert [report.catalogue_rows, report.removed_demo] == [1, True]
    assert [state(small, table) for table in (kaggle_tracks_bronze, listening_history_bronze)] == ["real", "nothing"]
    report = small.take(demo_history)
    assert [report.new_plays, report.removed_demo, len(report.errors)] == [0, False, 1]
    assert STAYS_OUT in report.errors[0]
    assert small.take(demo_catalogue(small.root)).errors == [
        f"demo_catalogue.csv: {STAYS_OUT}; name another lake in LAKE_URI to try it"
    ]
    assert state(small, kaggle_tracks_bronze) == "real"


def test_demo_and_real_listening_together_is_real(small: SmallLake, demo_history: Path) -> None:
    report = small.take(demo_history, write_json(small.root / "mine.json", [account()]))
    assert [report.new_plays, report.removed_demo, len(report.errors)] == [1, False, 1]
    assert report.errors[0].startswith("my_spotify_data.zip: demo data")
    assert sources(small) == {"account_history"}


def test_demo_data_that_a_kill_left_with_real_data_goes_with_the_next_import(
    small: SmallLake, demo_history: Path
) -> None:
    small.take(demo_history)
    small.import_catalogue(write_csv(small.root / "dataset.csv", [GOOD]))
    assert holds_demo_beside_real(small.lake)
    assert small.take().removed_demo
    assert [state(small, table) for table in (kaggle_tracks_bronze, listening_history_bronze)] == ["real", "nothing"]
    assert not holds_demo_beside_real(small.lake)


def test_the_demo_files_are_known_as_such(small: SmallLake) -> None:
    files = write_demo_data(small.root / "demo")
    small.now = datetime.now(UTC)
    report = small.take(files.catalogue, files.history)
    assert report.errors == []
    counted = sum(verdicts.get("counted", 0) for verdicts in report.verdicts.values())
    assert counted == 1504
    assert sources(small) == {"demo"}
    assert [state(small, table) for table in (kaggle_tracks_bronze, listening_history_bronze)] == ["demo", "demo"]
    assert report.catalogue_rows == len(small.rows(kaggle_tracks_bronze)) >= 5000
    assert small.rejected() == []


# Which file is a catalogue


def test_a_catalogue_among_the_files_is_taken_as_one(small: SmallLake) -> None:
    path = small.root / "archive.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(write_csv(small.root / "dataset.csv", [GOOD]), "dataset.csv")
    report = small.take(path, write_json(small.root / "mine.json", [account()]))
    assert [report.catalogue_rows, report.new_plays, report.errors, report.ignored] == [1, 1, [], []]


def test_of_two_catalogues_the_first_is_taken_and_the_other_named(
    small: SmallLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write_csv(small.root / name / "dataset.csv", [GOOD]) for name in ("1", "2")]
    taken: list[Path] = []
    monkeypatch.setattr("bronze.imports.import_catalogue", lambda lake, path, *_, **__: taken.append(path))
    [error] = small.take(*paths).errors
    assert error.endswith("2/dataset.csv is a second catalogue and stays out: `lakehouse catalogue` takes it")
    assert taken == paths[:1]


def test_a_named_catalogue_stays_until_another_is_delivered(small: SmallLake) -> None:
    def genres() -> set[str]:
        return {track["track_genre"] for track in small.rows(kaggle_tracks_bronze)}

    waits = small.settings.kaggle_csv
    write_csv(waits, [row(track_genre="waits")])
    write_csv(small.settings.import_dir / "dataset.csv", [row(track_genre="waits, too")])
    assert small.take(catalogue=write_json(small.root / "bad.csv", "x")).errors != []
    assert len(waiting_files(small.settings)) == 2
    small.take(catalogue=write_csv(small.root / "better.csv", [row(track_genre="named")]))
    assert waiting_files(small.settings) == []
    assert genres() == {"named"}
    write_csv(waits, [row(track_genre="delivered after it")])
    taken(small)
    assert genres() == {"delivered after it"}


def test_a_named_catalogue_is_not_taken_again_where_it_lies(small: SmallLake) -> None:
    small.take(catalogue=write_csv(small.settings.kaggle_csv, [GOOD]))
    assert waiting_files(small.settings) == []


def test_a_bad_catalogue_does_not_stop_the_histories(small: SmallLake) -> None:
    report = small.take(write_json(small.root / "a.csv", "x"), write_json(small.root / "mine.json", [account()]))
    assert [report.new_plays, len(report.errors)] == [1, 1]
    assert report.errors[0].startswith("a.csv lacks the columns")


def test_each_file_is_named_before_it_is_read(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[str] = []

    def histories(*_: object, **__: object) -> ImportReport:
        named.append("histories")
        return ImportReport()

    monkeypatch.setattr("bronze.imports.import_catalogue", lambda *_, **__: None)
    monkeypatch.setattr("bronze.imports.import_history", histories)
    paths = [small.root / "b.json", small.root / "a.csv"]
    take(small.lake, small.settings, paths, small.new_log(), NOW, on_file=named.append)
    assert named == ["a.csv", "histories"]


# What waits


@pytest.fixture
def waiting(tmp_path: Path) -> Settings:
    (tmp_path / "import").mkdir()
    return Settings(
        lake_uri=f"file:{tmp_path}/lake",
        kaggle_csv=tmp_path / "dataset.csv",
        import_dir=tmp_path / "import",
        _env_file=None,
    )


def names(settings: Settings) -> list[str]:
    return [path.name for path in waiting_files(settings)]


def taken(small: SmallLake) -> None:
    small.take(*waiting_files(small.settings))


def test_nothing_waits_where_there_is_nothing(tmp_path: Path) -> None:
    settings = Settings(
        lake_uri=f"file:{tmp_path}/lake", kaggle_csv=tmp_path / "none.csv", import_dir=tmp_path / "none", _env_file=None
    )
    assert waiting_files(settings) == []


def test_the_catalogue_and_the_import_folder_wait_hidden_files_do_not(waiting: Settings) -> None:
    write_json(waiting.kaggle_csv, "x")
    for name in ("b.zip", "a.json", ".hidden.json", ".DS_Store"):
        write_json(waiting.import_dir / name, "x")
    (waiting.import_dir / "gone.json").symlink_to(waiting.import_dir / "nowhere")
    assert names(waiting) == ["dataset.csv", "a.json", "b.zip"]


def test_files_wait_until_they_are_taken_and_again_when_they_change(small: SmallLake) -> None:
    folder = small.settings.import_dir
    one, other = (
        write_json(folder / name, [account(msPlayed=50_000 + i)]) for i, name in enumerate(("1.json", "deep/2.json"))
    )
    (folder / "empty").mkdir()
    write_json(folder / "broken.json", "[")
    assert names(small.settings) == ["1.json", "broken.json", "2.json", "empty"]
    taken(small)
    assert len(small.rows(listening_history_bronze)) == 2
    assert names(small.settings) == []

    os.utime(one, ns=(1, 1))
    write_json(other, [account(msPlayed=60_000)])
    write_json(folder / "deep" / "3.json", [])
    assert names(small.settings) == ["1.json", "2.json", "3.json"]
    taken(small)
    assert names(small.settings) == []
    assert len(small.rows(listening_history_bronze)) == 3

    one.unlink()
    other.rename(other.with_name("4.json"))
    assert names(small.settings) == ["4.json"]
    write_json(folder / "broken.json", "[]")
    assert names(small.settings) == ["broken.json", "4.json"]


def test_a_file_is_the_same_by_any_way_to_it(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_json(small.settings.import_dir / "notes.txt", "x")
    monkeypatch.chdir(path.parent)
    small.take(Path("notes.txt"))
    assert waiting_files(small.settings) == []


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_memory_only_means_looking_again(waiting: Settings, content: str) -> None:
    write_json(waiting.import_dir / "a.json", "x")
    write_json(waiting.lake_path / SEEN_FILES, content)
    assert names(waiting) == ["a.json"]


def test_what_fails_half_way_waits_on(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(small.settings.import_dir / "mine.json", [account()])

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(type(small.lake), "append", full_disk)
        with pytest.raises(OSError, match="No space left"):
            taken(small)
    assert names(small.settings) == ["mine.json"]
    taken(small)
    assert len(small.rows(listening_history_bronze)) == 1


def test_a_folder_in_the_import_folder_is_a_listener_s(small: SmallLake) -> None:
    folder = small.settings.import_dir
    for name in ("own.json", "anna/1.json", "anna/deep/2.json", "ben-2/1.json"):
        write_json(folder / name, [account()])
    report = small.take(*waiting_files(small.settings))
    assert report.errors == []
    found = [(row["listener"], row["source_file"]) for row in small.rows(listening_history_bronze)]
    assert sorted(found) == [("anna", "1.json"), ("ben-2", "1.json (2)"), ("me", "own.json")]
    assert {row["listener"] for row in small.recorded(IMPORT_AUDIT)} == {"anna", "ben-2", "me"}
    assert small.take(folder / "anna").new_plays == 0
    assert waiting_files(small.settings) == []


def test_a_folder_with_another_name_is_refused_in_one_line(small: SmallLake) -> None:
    folder = small.settings.import_dir
    write_json(folder / "My Export" / "1.json", [account()])
    [error] = small.take(*waiting_files(small.settings)).errors
    assert error.startswith(f"{folder}/My Export is no listener's folder: names have up to 40 of a-z 0-9 _ -;")
    assert waiting_files(small.settings) == []


def test_a_folder_that_was_imported_before_there_were_listeners_stays_as_it_is(small: SmallLake) -> None:
    folder = small.settings.import_dir / "anna"
    write_json(folder / "1.json", [account()])
    remember(small.settings, signatures_of([folder]), refused=[])
    assert waiting_files(small.settings) == []
    write_json(folder / "2.json", [account()])
    assert listeners_of_waiting(small) == ["me"]


def test_an_empty_folder_is_said_once_and_waits_for_its_listener(small: SmallLake) -> None:
    folder = small.settings.import_dir / "anna"
    folder.mkdir(parents=True)
    assert small.take(*waiting_files(small.settings)).errors == ["anna holds no listening history that is known here"]
    assert waiting_files(small.settings) == []
    write_json(folder / "1.json", [account()])
    assert listeners_of_waiting(small) == ["anna"]


def test_the_import_folder_by_name_is_what_lies_in_it(small: SmallLake) -> None:
    write_json(small.settings.import_dir / "mine.json", [account()])
    write_json(small.settings.import_dir / "anna" / "hers.json", [account()])
    small.take(small.settings.import_dir)
    found = [(row["listener"], row["source_file"]) for row in small.rows(listening_history_bronze)]
    assert sorted(found) == [("anna", "hers.json"), ("me", "mine.json")]
    assert waiting_files(small.settings) == []


def test_a_named_listener_gets_what_is_imported(small: SmallLake) -> None:
    small.take(write_json(small.root / "mine.json", [account()]), listener="anna")
    assert [row["listener"] for row in small.rows(listening_history_bronze)] == ["anna"]


@pytest.mark.parametrize(
    ("plays_of_ben", "others", "is_warned"), [(3, 0, True), (3, 2, True), (2, 2, False), (0, 3, False)]
)
def test_an_export_that_two_listeners_delivered_is_kept_twice_and_said(
    small: SmallLake, plays_of_ben: int, others: int, is_warned: bool
) -> None:
    shared = [account(f"2025-05-0{day} 10:00") for day in range(1, 4)]
    own = [account(f"2025-04-0{day} 10:00") for day in range(1, 4)]
    small.take(write_json(small.root / "ben.json", shared), listener="ben")
    records = [*shared[:plays_of_ben], *own[:others]]
    report = small.take(write_json(small.root / "anna.json", records), listener="anna")
    assert report.new_plays == plays_of_ben + others
    expected = "most plays in anna.json are ben's as well: is it anna's export?"
    assert report.warnings == ([expected] if is_warned else [])
    [recorded] = small.recorded(QUALITY_RESULTS)
    assert (recorded["check_name"], recorded["passed"]) == ("exports_of_one_listener", not is_warned)


def test_of_a_large_import_a_part_is_compared(small: SmallLake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_exports, "MOST_COMPARED", 10)
    days = [account(f"2025-05-{day:02d} 10:00") for day in range(1, 29)]
    small.take(write_json(small.root / "ben.json", days), listener="ben")
    [warning] = small.take(write_json(small.root / "anna.json", days), listener="anna").warnings
    assert warning == "most plays in anna.json are ben's as well: is it anna's export?"


def test_an_export_in_two_folders_is_said_once_for_each(small: SmallLake) -> None:
    for listener in ("anna", "ben"):
        write_json(small.settings.import_dir / listener / f"{listener}.json", [account()])
    assert [warning.split(" are ")[1] for warning in small.take(small.settings.import_dir).warnings] == [
        "ben's as well: is it anna's export?", "anna's as well: is it ben's export?",
    ]  # fmt: skip


def test_two_listeners_may_hear_the_same(small: SmallLake) -> None:
    for listener in ("anna", "ben"):
        report = small.take(write_json(small.root / f"{listener}.json", [account()]), listener=listener)
        assert report.new_plays == 1


def listeners_of_waiting(small: SmallLake) -> list[str]:
    seen = seen_files(small.settings)
    return [listener_of(path, small.settings, seen) for path in waiting_files(small.settings)]
