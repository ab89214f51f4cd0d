"""Files of listening history: how they are told apart, and what becomes of every record."""

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bronze.delivered import delivered_files, history_files, rejects
from bronze.delivered.delivered_files import BadFile, DeliveredFile, files_at, kind_of_content, parts_of
from bronze.delivered.history_files import FIRST_RECORDS, ParsedFile, parse, parse_all
from bronze.delivered.rejects import LONGEST_RAW_RECORD, NO_ROOM
from tests.bronze.records import NOW, PERSONAL, SOME_ID, account, api_item, delivered, extended, write_json

MADE_UP = extended(spotify_track_uri=f"spotify:track:demo{1:018}")
AUDIO = "Streaming_History_Audio_2024_1.json"
PODCAST = {"endTime": "2024-03-14 18:30", "podcastName": "Show", "episodeName": "Part 1", "msPlayed": 5}


def parsed(path: Path) -> ParsedFile | None:
    """The result of a file that the user names."""
    return parse(delivered(path), path.with_suffix(".parquet"), NOW)


def history(path: Path, content: object = "[]", encoding: str = "utf-8") -> ParsedFile:
    outcome = parsed(write_json(path, content, encoding))
    assert outcome is not None
    return outcome


def refusal(path: Path, content: object) -> str:
    with pytest.raises(BadFile) as error:
        parsed(write_json(path, content))
    assert not path.with_suffix(".parquet").exists()
    assert str(error.value).isprintable()
    return str(error.value)


def plays(outcome: ParsedFile) -> list[dict[str, Any]]:
    return list(pq.read_table(outcome.plays).to_pylist())


# Which file is what


@pytest.mark.parametrize(
    ("name", "record", "source"),
    [
        (AUDIO, extended(), "extended_history"),
        ("Streaming_History_Video_2018-2024.json", extended(), "extended_history"),
        ("endsong_12.json", extended(), "extended_history"),
        ("StreamingHistory0.json", account(), "account_history"),
        ("StreamingHistory_music_0.json", account(), "account_history"),
        ("recently_played_20210306.json", {"items": [api_item()]}, "spotify_api"),
        ("Streaming_History_Audio_2024 (1).JSON", extended(), "extended_history"),
        ("mine.json", extended(), "extended_history"),
        ("mine.json", account(), "account_history"),
        ("mine.json", {"items": [api_item()]}, "spotify_api"),
        ("mine.json", api_item(), "spotify_api"),
        ("endsong_0.json", account(), "account_history"),
        ("StreamingHistory0.json", extended(), "extended_history"),
        ("demo_Streaming_History_Audio_1.json", extended(), "demo"),
    ],
)
def test_a_file_is_known_by_its_records_under_any_name(tmp_path: Path, name: str, record: Any, source: str) -> None:
    outcome = history(tmp_path / name, record if "items" in record else [record])
    assert outcome.source == source
    [play] = plays(outcome)
    assert (play["source"], play["source_file"], play["row_number"]) == (source, name, 0)


def test_a_file_in_the_demo_folder_is_demo(tmp_path: Path) -> None:
    assert history(tmp_path / "Demo Streaming History" / AUDIO, [extended()]).source == "demo"


def test_made_up_tracks_are_demo_under_any_name(tmp_path: Path) -> None:
    assert history(tmp_path / "mine.json", [extended(episode_name="x"), 5, MADE_UP]).source == "demo"
    assert history(tmp_path / "mine.json", [extended(episode_name="x")]).source == "extended_history"


@pytest.mark.parametrize(
    "others", [[extended()], [extended(episode_name="x")] * FIRST_RECORDS], ids=["real plays", "podcasts"]
)
def test_a_made_up_track_never_passes_for_a_real_one(tmp_path: Path, others: list[dict[str, Any]]) -> None:
    outcome = history(tmp_path / "mine.json", [*others, MADE_UP])
    assert outcome.source == "extended_history"
    assert [(rejected.row_number, rejected.reason) for rejected in outcome.rejected] == [
        (len(others), "the track is one of the demo data, which stays apart from real listening")
    ]
    assert MADE_UP["spotify_track_uri"] in outcome.rejected[0].raw
    assert MADE_UP["spotify_track_uri"][-22:] not in [play["track_id"] for play in plays(outcome)]


def test_an_id_of_spotifys_that_begins_like_a_made_up_one_is_real(tmp_path: Path) -> None:
    real = extended(spotify_track_uri=f"spotify:track:demo{SOME_ID[4:]}")
    assert len(plays(history(tmp_path / "mine.json", [real]))) == 1


@pytest.mark.parametrize("first", [[], 5, None, {}, {"ts": None}, "text"])
def test_broken_first_records_do_not_hide_what_a_file_is(tmp_path: Path, first: object) -> None:
    outcome = history(tmp_path / "mine.json", [first] * 9 + [extended()])
    assert outcome.source == "extended_history"
    assert [len(outcome.rejected), len(plays(outcome))] == [9, 1]


def test_a_name_of_spotifys_tells_what_a_file_is_when_its_first_records_do_not(tmp_path: Path) -> None:
    outcome = history(tmp_path / AUDIO, [{"a": 1}, *[7] * FIRST_RECORDS, extended()])
    assert [rejected.reason for rejected in outcome.rejected[:2]] == [
        "ts is missing, not a time",
        "the record is a number, not an object",
    ]
    assert len(plays(outcome)) == 1


@pytest.mark.parametrize("content", [[{"searchTime": "2024", "platform": "ios"}], [], [5, 6]])
def test_a_json_file_that_is_not_a_history_is_none(tmp_path: Path, content: object) -> None:
    assert parsed(write_json(tmp_path / "SearchQueries.json", content)) is None
    assert list(tmp_path.iterdir()) == [tmp_path / "SearchQueries.json"]


@pytest.mark.parametrize("name", ["ReadMe.pdf", "dataset.csv", "StreamingHistory0.txt", "json"])
def test_a_file_that_is_not_a_json_is_none(tmp_path: Path, name: str) -> None:
    assert parsed(write_json(tmp_path / name, "[")) is None


OTHER_FILES = {
    "Playlist1.json": '{"playlists": [{"name": "a", "items": []}]}',
    "Userdata.json": json.dumps(PERSONAL),
    "Identity.json": "{}",
    "YourLibrary.json": '{"tracks": [{"artist": "a"}], "other": []}',
    "Inferences.json": '{"inferences": ["a"]}',
    "SearchQueries.json": '[{"platform": "ios", "searchTime": "2024-03-14T18:30:00.000Z[UTC]"}]',
    "Marquee.json": '[{"artistName": "a", "segment": "b"}]',
    "Broken.json": '{"a": ',
    "Payments.json": "",
    "Utf16.json": "\ufeff[]".encode("utf-16-le"),
    "ReadMeFirst.pdf": b"%PDF",
}


@pytest.mark.parametrize("as_zip", [True, False])
def test_the_other_files_of_spotifys_account_data_are_ignored(tmp_path: Path, as_zip: bool) -> None:
    root = tmp_path / "Spotify Account Data"
    for name, content in OTHER_FILES.items():
        write_json(root / name, content)
    write_json(root / "StreamingHistory_music_0.json", [account()])
    if as_zip:
        with zipfile.ZipFile(tmp_path / "my_spotify_data.zip", "w") as archive:
            for path in root.iterdir():
                archive.write(path, f"Spotify Account Data/{path.name}")
        root = tmp_path / "my_spotify_data.zip"
    parts = [part for file in files_at(root) for part in parts_of(file)]
    outcomes = {part.base_name: parse(part, tmp_path / "t.parquet", NOW) for part in parts}
    assert {name for name, outcome in outcomes.items() if outcome} == {"StreamingHistory_music_0.json"}
    assert len(outcomes) == len(OTHER_FILES) + 1


def test_a_broken_file_that_began_as_a_history_is_reported_under_any_name(tmp_path: Path) -> None:
    content = json.dumps([extended()] * 20)[:-50]
    path = write_json(tmp_path / "mine.json", content)
    with pytest.raises(BadFile, match="is broken or cut off"):
        parse(delivered(path, is_named=False), tmp_path / "t.parquet", NOW)


# What becomes of the records


def test_every_record_is_accounted_for(tmp_path: Path) -> None:
    records = [
        extended(),
        extended(ms_played=5),
        extended(episode_name="Part 1"),
        extended("2024-03-15T18:30:00Z", episode_name="2"),
        extended(audiobook_uri="x"),
        extended(spotify_track_uri=None, master_metadata_track_name=None),
        extended(ts=None),
        5,
    ]
    outcome = history(tmp_path / AUDIO, records)
    assert [play["verdict"] for play in plays(outcome)] == ["counted", "too_short"]
    assert {verdict: excludes.count for verdict, excludes in outcome.excluded.items()} == {
        "podcast": 2,
        "audiobook": 1,
        "no_track": 1,
    }
    podcasts = outcome.excluded["podcast"]
    assert [podcasts.first.day, podcasts.last.day] == [14, 15]
    assert [rejected.row_number for rejected in outcome.rejected] == [6, 7]


def test_rows_keep_their_position_in_the_file(tmp_path: Path) -> None:
    records = [extended(), {}, extended(episode_name="x"), extended(ms_played=1), None, extended()]
    assert [play["row_number"] for play in plays(history(tmp_path / AUDIO, records))] == [0, 3, 5]


def test_batches_make_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = [extended(ms_played=number) for number in range(7)]
    whole = plays(history(tmp_path / AUDIO, records))
    monkeypatch.setattr(history_files, "RECORDS_PER_BATCH", 3)
    assert plays(history(tmp_path / AUDIO, records)) == whole
    assert len(whole) == 7


def test_a_play_has_one_identity_under_any_name(tmp_path: Path) -> None:
    one, other = (plays(history(tmp_path / name, [extended()]))[0] for name in (AUDIO, "mine.json"))
    assert one["play_id"] == other["play_id"]


@pytest.mark.parametrize("name", ["StreamingHistory_podcast_0.json", "StreamingHistory_audiobook_0.json"])
def test_podcasts_and_audiobooks_of_the_account_export_are_counted_as_such(tmp_path: Path, name: str) -> None:
    verdict = name.split("_")[1]
    record = PODCAST if verdict == "podcast" else {"endTime": PODCAST["endTime"], "audiobookName": "B", "msPlayed": 5}
    outcome = history(tmp_path / name, [record] * 3)
    assert outcome.excluded[verdict].count == 3
    assert plays(outcome) == []


@pytest.mark.parametrize("name", [AUDIO, "StreamingHistory0.json", "recently_played.json"])
@pytest.mark.parametrize("content", ["[]", '{"items": []}'])
def test_a_history_without_records_is_none_the_worse(tmp_path: Path, name: str, content: str) -> None:
    outcome = history(tmp_path / name, content)
    assert (plays(outcome), outcome.excluded, outcome.rejected) == ([], {}, [])


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    assert len(plays(history(tmp_path / AUDIO, json.dumps([extended()]), "utf-8-sig"))) == 1


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = write_json(tmp_path / f"{AUDIO}.gz", gzip.compress(json.dumps([extended()]).encode()))
    outcome = parsed(path)
    assert outcome is not None
    assert len(plays(outcome)) == 1


@pytest.mark.parametrize(
    "extra", [{"offline_timestamp": 10**40}, {"unknown": [[[{}]]]}, {"offline_timestamp": float("nan")}]
)
def test_what_is_not_read_does_no_harm(tmp_path: Path, extra: dict[str, object]) -> None:
    assert len(plays(history(tmp_path / AUDIO, [extended(**extra)]))) == 1


@pytest.mark.parametrize("value", [10**40, float("inf"), float("nan"), 1.5, -1, "5", True, None])
def test_one_absurd_value_costs_one_record(tmp_path: Path, value: object) -> None:
    outcome = history(tmp_path / AUDIO, [extended(), extended(ms_played=value), extended(ms_played=1)])
    assert [len(plays(outcome)), len(outcome.rejected)] == [2, 1]
    assert outcome.rejected[0].reason.startswith("ms_played ")


# What is refused as a whole


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "is empty"),
        (" \n ", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        ("null", "is not a JSON list"),
        ("{}", "neither a JSON list"),
        ('{"error": 401}', "neither a JSON list"),
        ("ts,ms_played\n", "is not a JSON list"),
        ("\ufeff[]".encode("utf-16-le"), "not text in UTF-8"),
        (b'[{"ts": "\xff"}]', "not text in UTF-8"),
        (json.dumps([extended()] * 30)[:-1], "is broken or cut off"),
        (json.dumps([extended()] * 30) + "x", "broken"),
        (json.dumps([extended()] * 30)[:5000], "is broken or cut off"),
        ("[" * 5000, "nested too deeply"),
        (b"PK\x03\x04", "is not a JSON list"),
    ],
)
def test_a_history_that_cannot_be_read_is_refused_and_nothing_written(
    tmp_path: Path, content: object, reason: str
) -> None:
    assert reason in refusal(tmp_path / AUDIO, content)


def test_a_file_cut_off_after_many_batches_gives_no_plays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_files, "RECORDS_PER_BATCH", 2)
    refusal(tmp_path / AUDIO, json.dumps([extended()] * 15)[:-3])


def test_a_truncated_packed_file_gives_no_plays(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps([extended(ms_played=number) for number in range(5000)]).encode())
    assert "cannot be read" in refusal(tmp_path / f"{AUDIO}.gz", packed[:-100])


@pytest.fixture
def four_broken(tmp_path: Path) -> list[DeliveredFile]:
    """Of one folder, each with two records that cannot be read and one that can."""
    for number in range(4):
        write_json(tmp_path / f"export/{number}.json", [extended(), *[extended(ms_played=-1)] * 2])
    return [part for file in files_at(tmp_path / "export") for part in parts_of(file)]


def test_a_delivery_with_too_many_broken_records_is_refused_from_there_on(
    four_broken: list[DeliveredFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rejects, "MOST_REJECTED_TOGETHER", 5)
    alone = delivered(write_json(tmp_path / "alone.json", [extended(ms_played=-1)]))
    first, second, *others, of_another = parse_all([*four_broken, alone], tmp_path, NOW, lambda name: None)
    for good in (first, second, of_another):
        assert isinstance(good, ParsedFile)
        assert good.plays.exists()
    for refused in others:
        assert str(refused).endswith(
            "with the files before it more than 5 records cannot be read, the first one here: ms_played is negative"
        )
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == ["0.parquet", "1.parquet", "4.parquet"]


def test_what_is_kept_of_broken_records_has_a_bound_by_file_and_by_delivery(
    four_broken: list[DeliveredFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = len(json.dumps(extended(ms_played=-1)))
    monkeypatch.setattr(history_files, "MOST_RAW_OF_FILE", length)
    monkeypatch.setattr(rejects, "MOST_RAW_OF_DELIVERY", 2 * length + 2 * len(NO_ROOM))
    parsed = parse_all(four_broken, tmp_path, NOW, lambda name: None)
    kept = [[record.raw == NO_ROOM for record in file.rejected] for file in parsed if isinstance(file, ParsedFile)]
    assert kept == [[False, True], [False, True], [True, True], [True, True]]


def test_a_file_with_too_many_broken_records_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rejects, "MOST_REJECTED", 2)
    assert len(history(tmp_path / AUDIO, [5, 5, extended()]).rejected) == 2
    assert refusal(tmp_path / AUDIO, [{"ts": 1}, 5, 5, extended()]) == (
        f"{AUDIO}: more than 2 records cannot be read, the first one: ts is a number, not a time"
    )


def test_the_files_of_a_zip_share_one_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = json.dumps([extended()] * 2_000).encode()
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3):
            archive.writestr(f"Streaming_History_Audio_{number}.json.gz", gzip.compress(content))
    monkeypatch.setattr(delivered_files, "MAX_UNPACKED_BYTES", 2 * len(content))
    *fitting, beyond = parts_of(delivered(path))
    for file in fitting:
        assert parse(file, tmp_path / "t.parquet", NOW) is not None
    with pytest.raises(BadFile, match=r"_2\.json\.gz unpacks to more than .* GiB, with the files before it in the zip"):
        parse(beyond, tmp_path / "t.parquet", NOW)
    assert kind_of_content(beyond).endswith("begins as a JSON list)")


# Several files


@pytest.mark.parametrize("large_delivery", [0, 2**40])
def test_files_are_parsed_in_their_order_by_one_process_or_by_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large_delivery: int
) -> None:
    monkeypatch.setattr(history_files, "LARGE_DELIVERY", large_delivery)
    write_json(tmp_path / "a" / "endsong_0.json", [extended(ms_played=40_000)])
    write_json(tmp_path / "a" / "endsong_1.json", "no JSON")
    write_json(tmp_path / "a" / "endsong_2.json", [extended(ms_played=50_000), 5])
    write_json(tmp_path / "a" / "endsong_3.txt", "none")
    parts = [part for file in files_at(tmp_path / "a") for part in parts_of(file)]
    named: list[str] = []
    first, broken, last, other = parse_all(parts, tmp_path, NOW, named.append)
    assert isinstance(first, ParsedFile)
    assert isinstance(last, ParsedFile)
    assert [[play["ms_played"] for play in plays(outcome)] for outcome in (first, last)] == [[40_000], [50_000]]
    assert [rejected.row_number for rejected in last.rejected] == [1]
    assert str(broken).startswith("a/endsong_1.json is not a JSON list")
    assert other is None
    assert named == [f"a/endsong_{name}" for name in ("0.json", "1.json", "2.json", "3.txt")]


def test_packed_files_of_a_large_zip_share_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_files, "LARGE_DELIVERY", 0)
    content = json.dumps([extended()] * 2_000).encode()
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("endsong_0.json.gz", gzip.compress(content))
        archive.writestr("endsong_1.json.gz", gzip.compress(content))
    monkeypatch.setattr(delivered_files, "MAX_UNPACKED_BYTES", len(content))
    fitting, beyond = parse_all(parts_of(delivered(path)), tmp_path, NOW, lambda name: None)
    assert isinstance(fitting, ParsedFile)
    assert "with the files before it in the zip" in str(beyond)


# What is kept of what cannot be read


def raws(path: Path, *records: object) -> list[str]:
    return [rejected.raw for rejected in history(path, list(records)).rejected]


def test_the_raw_text_is_the_record_without_personal_values(tmp_path: Path) -> None:
    [raw] = raws(tmp_path / AUDIO, extended(ts="never", master_metadata_track_name="Sigur Rós", **PERSONAL))
    assert "***" in raw
    assert "Sigur Rós" in raw
    assert not any(secret in raw for secret in PERSONAL.values())
    assert json.loads(raw)["ts"] == "never"


@pytest.mark.parametrize(
    "record",
    [
        [PERSONAL],
        {"a": {"b": [PERSONAL]}},
        json.dumps(PERSONAL),
        {"note": json.dumps(PERSONAL)},
        {"ts": json.dumps(PERSONAL)},
    ],
)
def test_personal_values_are_masked_wherever_they_hide(tmp_path: Path, record: object) -> None:
    [rejected] = history(tmp_path / AUDIO, [record, extended()]).rejected
    assert not any(secret in rejected.raw + rejected.reason for secret in PERSONAL.values())


def test_a_reason_never_quotes_an_address(tmp_path: Path) -> None:
    [rejected] = history(tmp_path / AUDIO, [extended(ts=PERSONAL["ip_addr"])]).rejected
    assert rejected.reason == "ts '***' is not a time like 2024-03-14T18:30:00Z"


def test_raw_text_can_be_stored(tmp_path: Path) -> None:
    long, odd, deep = raws(
        tmp_path / AUDIO, {"a": "x" * 50_000}, {"a": "\ud800\x00\n"}, json.loads("[" * 400 + "]" * 400), extended()
    )
    assert len(long) == LONGEST_RAW_RECORD
    assert json.loads(odd)["a"] == "?\x00\n"
    assert "\x00" not in odd
    assert deep == "(nested too deeply to be kept)" or deep.startswith("[[[")


def test_of_a_file_with_no_record_of_a_history_nothing_is_kept(tmp_path: Path) -> None:
    path = write_json(tmp_path / AUDIO, [{"password": "hunter2"}, "hunter2", {"ts": "hunter2"}])
    parsed = parse(delivered(path), tmp_path / "plays.parquet", NOW)
    assert parsed is not None
    assert [record.row_number for record in parsed.rejected] == [0, 1, 2]
    assert {record.reason for record in parsed.rejected} == {"no record of this file is one of a listening history"}
    assert {record.raw for record in parsed.rejected} == {f"({path.stat().st_size} bytes, begins as a JSON list)"}


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "(0 bytes, unknown)"),
        (b"hunter2", "(7 bytes, unknown)"),
        (b' \n{"a": 1}', "(10 bytes, begins as a JSON object)"),
        (b"PK\x03\x04...", "(7 bytes, a zip)"),
    ],
)
def test_the_kind_of_a_file_says_nothing_of_its_content(tmp_path: Path, content: bytes, kind: str) -> None:
    assert kind_of_content(delivered(write_json(tmp_path / "a.json", content))) == kind


def test_a_file_that_cannot_be_opened_has_no_kind(tmp_path: Path) -> None:
    assert kind_of_content(delivered(tmp_path / "missing.json")) == ""
    packed = write_json(tmp_path / "a.json.gz", "no gzip")
    assert kind_of_content(delivered(packed)) == "(7 bytes, cannot be read)"
