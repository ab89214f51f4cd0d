"""The one writer enforces contracts, commits once, and tells where every version comes from."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakehouse.contract import Table
from lakehouse.contract.columns import COLUMNS
from lakehouse.lake import storage
from lakehouse.lake.checks import enforce
from lakehouse.lake.logs import DamagedTable, DeltaLogs
from lakehouse.lake.provenance import Provenance
from lakehouse.lake.schema import ContractViolation, conform, schema_of
from lakehouse.lake.storage import Lake
from tests.lakehouse.lake.tiny_plays import MADE, OTHER, PLAYS, TWO_KEYS, a_play, ids, plays
from tests.support.frames import frame_of, rows

# ---- columns


def test_all_differences_are_named_at_once(spark: SparkSession) -> None:
    frame = plays(spark, "a").drop("track_name").withColumn("energy", F.lit(1.0)).withColumn("valence", F.lit("0.5"))
    with pytest.raises(ContractViolation) as refusal:
        conform(PLAYS, frame.withColumn("mood_label", F.lit(1).cast("bigint")).select("*", "play_id"))
    assert str(refusal.value) == (
        "tiny_plays does not have its contract's columns. missing: track_name; unexpected: energy; repeated: play_id; "
        "wrong type: valence is string, not double, mood_label is bigint, not int"
    )


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("valence", "1"),
        ("valence", "cast(1 AS float)"),
        ("valence", "'1.0'"),
        ("valence", "NULL"),
        ("mood_label", "cast(1 AS bigint)"),
        ("mood_label", "1.0D"),
        ("played_at", "'2026-01-05'"),
        ("played_at", "DATE '2026-01-05'"),
        ("played_at", "TIMESTAMP_NTZ '2026-01-05 12:00:00'"),
        ("track_name", "1"),
    ],
)
def test_a_wrong_type_is_never_cast(spark: SparkSession, column: str, value: str) -> None:
    with pytest.raises(ContractViolation, match=f"wrong type: {column} is "):
        conform(PLAYS, plays(spark, "a").withColumn(column, F.expr(value)))


def test_columns_are_put_in_the_contract_s_order(spark: SparkSession) -> None:
    frame = plays(spark, "a").select("track_name", "played_at", "mood_label", "valence", "play_id")
    assert conform(PLAYS, frame).columns == [column.name for column in PLAYS.columns]


# ---- checks


def problems(table: Table, frame: DataFrame) -> str:
    with pytest.raises(ContractViolation) as refusal:
        enforce(table, frame)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("table", "given", "problem"),
    [
        (PLAYS, [a_play("a"), a_play("a"), a_play("a"), a_play("b")], "unique(play_id): 2 rows"),
        (PLAYS, [a_play(None)], "not_null(play_id): 1 rows"),
        (PLAYS, [a_play(None), a_play("")], "not_null(play_id): 1 rows; unique(play_id): 1 rows"),
        (TWO_KEYS, [a_play("a"), a_play("a")], "unique(play_id, track_name): 1 rows"),
        (TWO_KEYS, [a_play("a"), a_play("a", track_name=None)], "not_null(track_name): 1 rows"),
        (PLAYS, [a_play("a", valence=1.5), a_play("b", valence=-0.1)], "in_range(valence, 0, 1): 2 rows"),
        (PLAYS, [a_play("a", valence=float("nan"))], "in_range(valence, 0, 1): 1 rows"),
        (PLAYS, [a_play("a", track_name="Three")], "accepted_values(track_name): 1 rows"),
        (
            PLAYS,
            [a_play("a", track_name="Three", valence=2.0), a_play("a")],
            "in_range(valence, 0, 1): 1 rows; accepted_values(track_name): 1 rows; unique(play_id): 1 rows",
        ),
    ],
)
def test_broken_rows_are_refused(spark: SparkSession, table: Table, given: list[dict[str, Any]], problem: str) -> None:
    found = problems(table, frame_of(spark, table, given))
    assert found == f"tiny_plays breaks its contract, its last good version stays. {problem}"


@pytest.mark.parametrize(
    "given",
    [
        [],
        [a_play("a"), a_play("b")],
        [a_play("a", valence=0.0), a_play("b", valence=1.0), a_play("c", valence=None, track_name=None)],
    ],
)
def test_good_rows_pass(spark: SparkSession, given: list[dict[str, Any]]) -> None:
    assert enforce(PLAYS, frame_of(spark, PLAYS, given))[0] == len(given)


def test_keys_of_several_columns_are_compared_column_by_column(spark: SparkSession) -> None:
    given = [a_play("a", track_name="bc"), a_play("ab", track_name="c"), a_play("a", track_name="b")]
    assert enforce(TWO_KEYS, frame_of(spark, TWO_KEYS, given))[0] == 3


def test_instants_as_keys_are_compared_to_the_microsecond(spark: SparkSession) -> None:
    table = replace(PLAYS, key=("played_at",))
    moments = [datetime(2026, 1, 5, 12, 0, 0, micros) for micros in (0, 1)]
    assert enforce(table, frame_of(spark, table, [a_play(played_at=moment) for moment in moments]))[0] == 2


def test_a_warning_is_told_and_refuses_nothing(spark: SparkSession) -> None:
    table = replace(PLAYS, min_rows=5)
    given = frame_of(spark, table, [a_play("a", valence=0.95, mood_label=None), a_play("b")])
    results = enforce(table, given).checks
    assert {result.check.name: result.failing_rows for result in results if not result.passed} == {
        "not too happy": 1,
        "not_null(mood_label)": 1,
        "min_rows(5)": 3,
    }


# ---- writing


def test_a_refused_frame_leaves_the_version_before(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE)
    before = lake.state(PLAYS)
    for bad in (plays(spark, "c", "c"), plays(spark, "c").drop("valence"), plays(spark, "c", valence=2.0)):
        with pytest.raises(ContractViolation):
            lake.overwrite(PLAYS, bad, MADE)
        with pytest.raises(ContractViolation):
            lake.append(PLAYS, bad, MADE)
    assert lake.state(PLAYS) == before
    assert ids(lake) == ["a", "b"]


def test_a_frame_that_fails_while_it_is_computed_leaves_the_version_before(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    failing = plays(spark, "b").withColumn("valence", F.raise_error(F.lit("boom")).cast("double"))
    with pytest.raises(Exception, match="boom"):
        lake.overwrite(PLAYS, failing, MADE)
    assert ids(lake) == ["a"]


def test_overwriting_replaces_all_rows_and_moves_the_version(lake: Lake, spark: SparkSession) -> None:
    first = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE).state
    second = lake.overwrite(PLAYS, plays(spark, "c"), MADE).state
    assert (ids(lake), second.version, second.provenance.rows) == (["c"], first.version + 1, 1)
    before = DeltaTable(lake.location(PLAYS), version=first.version).to_pyarrow_table()
    assert sorted(before["play_id"].to_pylist()) == ["a", "b"]


def test_a_table_can_be_overwritten_from_itself(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE)
    lake.overwrite(PLAYS, lake.read(PLAYS).where("play_id = 'a'"), MADE)
    assert ids(lake) == ["a"]


def test_the_commit_tells_what_it_was_made_from(lake: Lake, spark: SparkSession) -> None:
    written = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE).state
    assert written.provenance == replace(MADE, rows=2, digest=written.provenance.digest)
    assert lake.state(PLAYS) == written
    assert datetime.now(UTC) - written.committed_at < timedelta(minutes=10)


def test_states_are_read_without_spark(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    assert DeltaLogs(lake.uri).state(PLAYS) == lake.state(PLAYS)


def test_comments_and_description_reach_delta(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    log = DeltaTable(lake.location(PLAYS))
    comments = {field["name"]: field["metadata"]["comment"] for field in json.loads(log.schema().to_json())["fields"]}
    assert list(comments) == [column.name for column in PLAYS.columns]
    assert comments["valence"] == f"{COLUMNS['valence'].meaning} [0..1]"
    assert comments["track_name"] == COLUMNS["track_name"].meaning
    assert log.metadata().description == f"{PLAYS.purpose} One row per play."


def test_a_changed_contract_reaches_delta_with_the_next_rows(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    changed = replace(PLAYS, grain="One row per counted play.", columns=PLAYS.columns[:4], checks=())
    lake.overwrite(changed, plays(spark, "b").drop("track_name"), MADE)
    log = DeltaTable(lake.location(PLAYS))
    assert str(log.metadata().description).endswith("One row per counted play.")
    assert [field.name for field in log.schema().fields] == [column.name for column in PLAYS.columns[:4]]
    assert ids(lake) == ["b"]


@pytest.mark.parametrize("small_rows", [0, storage.SMALL_ROWS])
def test_a_changed_type_reaches_delta_with_the_next_rows(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, small_rows: int
) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    wide = tuple(replace(column, type="bigint") if column.name == "mood_label" else column for column in PLAYS.columns)
    changed = replace(PLAYS, columns=wide)
    monkeypatch.setattr(storage, "SMALL_ROWS", small_rows)
    for _ in range(2):
        lake.overwrite(changed, frame_of(spark, changed, [a_play(mood_label=2**40)]), MADE)
        assert rows(lake.read(changed), "play_id", "mood_label") == [("a", 2**40)]
    assert lake.read(changed).schema["mood_label"].dataType.simpleString() == "bigint"


def test_appending_adds_a_column_that_the_contract_gained(lake: Lake, spark: SparkSession) -> None:
    fewer = replace(PLAYS, columns=PLAYS.columns[:4], checks=())
    lake.append(fewer, plays(spark, "a").drop("track_name"), MADE)
    lake.append(PLAYS, plays(spark, "b"), MADE, rows_before=1)
    assert rows(lake.read(PLAYS), "play_id", "track_name") == [("a", None), ("b", "One")]


def test_tables_are_plain_so_that_trino_reads_them(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    protocol = DeltaTable(lake.location(PLAYS)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_few_rows_make_one_file_whatever_the_partitions(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, *"abcdefgh").repartition(6), MADE)
    assert len(DeltaTable(lake.location(PLAYS)).file_uris()) == 1


# ---- appending


def test_appending_adds_rows_and_counts_them(lake: Lake, spark: SparkSession) -> None:
    lake.append(PLAYS, plays(spark, "a", "b"), MADE)
    written = lake.append(PLAYS, plays(spark, "c"), MADE, rows_before=2)
    assert (ids(lake), written.state.provenance.rows) == (["a", "b", "c"], 3)


@pytest.mark.parametrize("is_new", [True, False])
def test_an_append_of_one_name_is_applied_once(lake: Lake, spark: SparkSession, is_new: bool) -> None:
    before = [] if is_new else ["a"]
    if before:
        lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    for _ in range(3):
        state = lake.append(PLAYS, plays(spark, "b"), MADE, rows_before=len(before), once="batch").state
    assert (ids(lake), state.provenance.rows) == ([*before, "b"], len(before) + 1)
    lake.append(PLAYS, plays(spark, "c"), MADE, rows_before=len(before) + 1, once="another batch")
    assert ids(lake) == [*before, "b", "c"]


# ---- reading


def test_a_table_never_written_is_empty_and_has_its_columns(lake: Lake) -> None:
    frame = lake.read(PLAYS)
    assert lake.state(PLAYS) is None
    assert (frame.schema, frame.collect()) == (schema_of(PLAYS), [])


@pytest.mark.parametrize("small_rows", [0, storage.SMALL_ROWS])
@pytest.mark.parametrize("folder", ["Läke of mine", "lake {a} *"])
def test_a_folder_may_have_any_name(
    spark: SparkSession, tmp_path: Path, folder: str, small_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SMALL_ROWS", small_rows)
    lake = Lake(f"file:{tmp_path}/{folder}", spark)
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    assert ids(lake) == ["a"]


def test_a_lost_file_is_no_table_without_rows(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    [file] = Path(lake.location(PLAYS).removeprefix("file:")).glob("*.parquet")
    file.unlink()
    with pytest.raises(AnalysisException, match=rf"does not exist.*{file.name}"):
        lake.read(PLAYS)


def test_rows_that_somebody_deleted_by_a_deletion_vector_stay_away(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE)
    place = f"delta.`{lake.location(PLAYS)}`"
    spark.sql(f"ALTER TABLE {place} SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    spark.sql(f"DELETE FROM {place} WHERE play_id = 'a'")
    assert ids(lake) == ["b"]


def test_a_created_table_has_columns_and_no_rows(lake: Lake) -> None:
    lake.create(PLAYS)
    frame = lake.read(PLAYS)
    assert (frame.columns, frame.collect()) == ([column.name for column in PLAYS.columns], [])
    state = lake.state(PLAYS)
    assert state is not None
    assert (state.version, state.provenance.rows) == (0, 0)


@pytest.mark.parametrize("leftover", ["_delta_log/", "part-0.parquet", "_delta_log/.00000000000000000000.json.1.tmp"])
def test_what_a_killed_first_write_leaves_is_no_table(lake: Lake, spark: SparkSession, leftover: str) -> None:
    path = Path(lake.location(PLAYS).removeprefix("file:")) / leftover
    path.parent.mkdir(parents=True)
    path.mkdir() if leftover.endswith("/") else path.write_bytes(b"PAR1")
    assert lake.state(PLAYS) is None
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    assert ids(lake) == ["a"]


def test_a_damaged_table_is_no_empty_table(lake: Lake, spark: SparkSession) -> None:
    log = Path(lake.location(PLAYS).removeprefix("file:")) / "_delta_log"
    log.mkdir(parents=True)
    (log / "00000000000000000000.json").write_text('{"commitInfo"')
    for attempt in (lake.state, lake.read, lake.compact, lambda table: lake.overwrite(table, plays(spark, "a"), MADE)):
        with pytest.raises(DamagedTable, match=r"tiny_plays is damaged, .*/tiny_plays cannot be read \(.*\): restore"):
            attempt(PLAYS)


def test_a_log_that_is_damaged_in_its_history_is_told(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    log = Path(lake.location(PLAYS).removeprefix("file:")) / "_delta_log"
    (log / "00000000000000000001.json").write_text('{"commitInfo": 5}\n')
    with pytest.raises(DamagedTable, match="tiny_plays is damaged"):
        lake.state(PLAYS)


# ---- versions


@pytest.mark.parametrize("small_rows", [0, storage.SMALL_ROWS])
def test_rows_that_stay_the_same_keep_the_version_and_tell_what_they_are_made_from_now(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, small_rows: int
) -> None:
    monkeypatch.setattr(storage, "SMALL_ROWS", small_rows)
    first = lake.overwrite(PLAYS, plays(spark, "a", "b", "c"), MADE).state
    for version in (4, 5):
        again = lake.overwrite(PLAYS, plays(spark, "c", "a", "b"), replace(MADE, inputs={"other": version})).state
        assert (again.version, again.provenance.inputs, again.provenance.rows) == (first.version, {"other": version}, 3)
    assert ids(lake) == ["a", "b", "c"]
    changed = lake.overwrite(PLAYS, plays(spark, "a", "b", "d"), MADE).state
    assert changed.version > first.version
    assert ids(lake) == ["a", "b", "d"]


def test_few_and_many_rows_are_digested_alike(lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    few = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE, likely_rows=0).state
    monkeypatch.setattr(storage, "SMALL_ROWS", 1)
    many = lake.overwrite(PLAYS, plays(spark, "b", "a"), MADE).state
    assert (many.version, many.provenance.digest) == (few.version, few.provenance.digest)


def test_a_value_that_moves_to_another_column_is_a_change(lake: Lake, spark: SparkSession) -> None:
    table = replace(PLAYS, columns=tuple(COLUMNS[name] for name in ("play_id", "track_name", "artist_name")), checks=())
    versions = [
        lake.overwrite(table, frame_of(spark, table, [{"play_id": "a", column: "One"}]), MADE).state.version
        for column in ("track_name", "artist_name")
    ]
    assert versions[0] < versions[1]


def test_rows_as_before_somebody_else_changed_them_are_written_again(lake: Lake, spark: SparkSession) -> None:
    first = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE).state
    spark.sql(f"DELETE FROM delta.`{lake.location(PLAYS)}` WHERE play_id = 'a'")
    again = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE).state
    assert again.version > first.version
    assert ids(lake) == ["a", "b"]


def test_a_changed_description_reaches_delta_with_the_same_rows(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(PLAYS, plays(spark, "a"), MADE)
    lake.overwrite(replace(PLAYS, grain="One row per counted play."), plays(spark, "a"), MADE)
    assert str(DeltaTable(lake.location(PLAYS)).metadata().description).endswith("One row per counted play.")


def test_more_rows_than_were_likely_are_all_written(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SMALL_ROWS", 2)
    lake.overwrite(PLAYS, plays(spark, "a", "b", "c", "d"), MADE, likely_rows=1)
    assert ids(lake) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("likely_rows", [0, storage.SMALL_ROWS + 1])
def test_bad_rows_are_refused_however_many_were_likely(lake: Lake, spark: SparkSession, likely_rows: int) -> None:
    bad = (
        plays(spark, "a", "a")
        .union(plays(spark, "b", valence=2.0))
        .union(plays(spark, "c").withColumn("play_id", F.lit(None).cast("string")))
    )
    with pytest.raises(ContractViolation) as refusal:
        lake.overwrite(PLAYS, bad, MADE, likely_rows=likely_rows)
    assert str(refusal.value).endswith(
        "stays. not_null(play_id): 1 rows; in_range(valence, 0, 1): 1 rows; unique(play_id): 1 rows"
    )


def test_optimizing_does_not_move_the_version(lake: Lake, spark: SparkSession) -> None:
    for play_id in "abc":
        state = lake.append(PLAYS, plays(spark, play_id), MADE).state
    spark.sql(f"OPTIMIZE delta.`{lake.location(PLAYS)}`")
    assert DeltaTable(lake.location(PLAYS)).version() > state.version
    assert lake.state(PLAYS) == state
    assert ids(lake) == ["a", "b", "c"]


def test_many_commits_without_rows_do_not_hide_the_version(lake: Lake, spark: SparkSession) -> None:
    state = lake.overwrite(PLAYS, plays(spark, "a"), MADE).state
    log = DeltaTable(lake.location(PLAYS))
    for number in range(12):
        log.alter.set_table_properties({"lakehouse.test": str(number)}, raise_if_not_exists=False)
    assert log.version() > state.version + 10
    assert lake.state(PLAYS) == state


def test_rows_that_somebody_else_changed_move_the_version(lake: Lake, spark: SparkSession) -> None:
    state = lake.overwrite(PLAYS, plays(spark, "a", "b"), MADE).state
    spark.sql(f"DELETE FROM delta.`{lake.location(PLAYS)}` WHERE play_id = 'a'")
    found = lake.state(PLAYS)
    assert found is not None
    assert found.version > state.version
    assert found.provenance == replace(MADE, code="", rows=1)


def test_rows_remain_when_the_log_no_longer_tells_of_our_commits(lake: Lake, spark: SparkSession) -> None:
    lake.overwrite(OTHER, plays(spark, "a", "b"), MADE)
    data = DeltaTable(lake.location(OTHER)).to_pyarrow_table()
    write_deltalake(lake.location(PLAYS), data)
    state = lake.state(PLAYS)
    assert state is not None
    assert state.provenance == Provenance(run_id="", rows=2)
    lake.append(PLAYS, plays(spark, "c"), MADE, rows_before=2)
    assert ids(lake) == ["a", "b", "c"]


def test_local_times_and_columns_without_nulls_are_read_as_written(lake: Lake, spark: SparkSession) -> None:
    """A table with local times lists its features, and Spark refuses one that lists too few."""
    table = replace(PLAYS, columns=tuple(COLUMNS[name] for name in ("play_id", "played_at_local")), checks=())
    frame = spark.sql("SELECT 'a' AS play_id, TIMESTAMP_NTZ '2026-01-05 12:00:00.123456' AS played_at_local")
    for mode in ("created", "replaced"):
        lake.overwrite(table, frame, Provenance(run_id=mode))
        assert rows(lake.read(table), "play_id", "played_at_local") == [("a", datetime(2026, 1, 5, 12, 0, 0, 123456))]


# ---- many rows


def test_many_rows_tell_readers_what_their_columns_hold(
    lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "SMALL_ROWS", 0)
    given = frame_of(spark, PLAYS, [a_play("a", mood_label=None), a_play("b", valence=0.25)])
    lake.append(PLAYS, given.repartition(1), MADE)
    log = DeltaTable(lake.location(PLAYS))
    told = pa.table(log.get_add_actions(flatten=True)).to_pylist()[0]
    expected = {
        "num_records": 2, "min.valence": 0.25, "max.valence": 0.5, "null_count.mood_label": 1, "min.mood_label": 1,
        "max.played_at": datetime(2026, 1, 5, 12, tzinfo=UTC),
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected


def test_refused_rows_leave_no_files(lake: Lake, spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.append(PLAYS, plays(spark, "a"), MADE)
    monkeypatch.setattr(storage, "SMALL_ROWS", 0)
    before = files_below(lake)
    with pytest.raises(ContractViolation):
        lake.append(PLAYS, plays(spark, "b", "b"), MADE)
    assert files_below(lake) == before


def files_below(lake: Lake) -> list[Path]:
    return sorted(Path(lake.location(PLAYS).removeprefix("file:")).rglob("*"))
