"""Rows of a table by listener are written, read and replaced listener by listener."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.descriptive.feature_source_coverage import feature_source_coverage
from lakehouse.lake import storage
from lakehouse.lake.provenance import Part, Provenance, TableState
from lakehouse.lake.storage import Lake
from tests.support.frames import frame_of, rows

TABLE = feature_source_coverage
# Names that Spark could take for numbers, and the one that stands for everybody, which paths escape.
NAMES = ("007", "1e5", "2026-01-01", "a_b-c", "*")


@pytest.fixture(params=[storage.SMALL_ROWS, 1], ids=["by the driver", "by Spark"])
def lake(
    request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Lake]:
    monkeypatch.setattr(storage, "SMALL_ROWS", request.param)
    yield Lake(f"file://{tmp_path}/lake", spark)


def coverage(spark: SparkSession, **counts: int) -> DataFrame:
    """Two rows of each listener."""
    found = [
        {
            "listener": name,
            "feature_source": source,
            "record_count": count,
            "percentage": 50.0,
            "track_count": count,
        }
        for name, count in counts.items()
        for source in ("kaggle", "none")
    ]
    return frame_of(spark, TABLE, found)


def write(lake: Lake, listeners: set[str] | None = None, /, **counts: int) -> TableState:
    made = Provenance("run", parts={name: Part(-1, {"plays": count}) for name, count in counts.items()})
    frame = coverage(lake.spark, **counts)
    return lake.overwrite(TABLE, frame, made, likely_rows=2 * len(counts), listeners=listeners).state


def counts_in(lake: Lake) -> dict[str, int]:
    return dict(rows(lake.read(TABLE).where("feature_source = 'none'"), "listener", "record_count"))


def test_every_name_is_read_as_it_was_written(lake: Lake) -> None:
    write(lake, **dict.fromkeys(NAMES, 3))
    assert counts_in(lake) == dict.fromkeys(NAMES, 3)
    for name in NAMES:
        assert rows(lake.read(TABLE, [name]), "listener") == [(name,), (name,)]
    assert lake.read(TABLE, ["nobody"]).count() == 0


def test_some_listeners_are_replaced_and_others_keep_rows_and_version(lake: Lake) -> None:
    first = write(lake, ann=1, ben=2, cleo=3)
    files = {name for name, listener in lake.open(TABLE).files.items() if listener != "ben"}  # type: ignore[union-attr]
    second = write(lake, {"ben"}, ben=5)
    assert counts_in(lake) == {"ann": 1, "ben": 5, "cleo": 3}
    assert files < set(lake.open(TABLE).files)  # type: ignore[union-attr]
    assert [second.version_for(name) for name in ("ann", "ben", "cleo")] == [
        first.version,
        second.version,
        first.version,
    ]
    assert second.provenance.rows == 6
    assert second.provenance.parts is not None
    assert second.provenance.parts["ben"].inputs == {"plays": 5}


def test_equal_rows_keep_the_version_and_take_over_what_they_are_made_from(lake: Lake) -> None:
    first = write(lake, ann=1, ben=2)
    second = lake.overwrite(
        TABLE, coverage(lake.spark, ben=2), Provenance("run", parts={"ben": Part(-1, {"plays": 9})}), listeners={"ben"}
    ).state
    assert second.version == first.version
    assert second.version_for("ben") == first.version_for("ben")
    assert second.provenance.parts is not None
    assert second.provenance.parts["ben"].inputs == {"plays": 9}
    assert second.provenance.digest == first.provenance.digest


def test_a_listener_without_rows_any_more_has_no_files(lake: Lake) -> None:
    write(lake, ann=1, ben=2)
    gone = Provenance("run", parts={"ben": Part(-1)})
    state = lake.overwrite(TABLE, coverage(lake.spark), gone, listeners={"ben"}).state
    assert counts_in(lake) == {"ann": 1}
    assert state.provenance.parts is not None
    assert "ben" not in state.provenance.parts


def test_added_rows_change_the_version_of_their_listeners(lake: Lake) -> None:
    first = write(lake, ann=1)
    more = lake.append(TABLE, coverage(lake.spark, ben=2), Provenance("run"), rows_before=2).state
    assert (more.version_for("ann"), more.version_for("ben")) == (first.version, more.version)
    assert more.version_for("nobody") == -1
    assert counts_in(lake) == {"ann": 1, "ben": 2}
