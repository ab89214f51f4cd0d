"""A contract has what is declared, and an impossible declaration is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lakehouse.contract import (
    CAVEATS,
    Check,
    Table,
    accepted_values,
    expression,
    in_range,
    not_null,
    source_table,
    table,
)
from silver import catalogue_tracks as silver_module
from tests.support.frames import small_frame

MODULE = "lakehouse.contract.ops"


def declared(**changes: Any) -> Table:
    values = {"grain": "One row per track.", "key": "track_id", "columns": "track_id valence", **changes}
    return source_table("tracks", MODULE, **values)


# ---- declaring


def test_inputs_and_settings_come_from_the_parameters() -> None:
    def tracks(catalogue_tracks: Any, feature_matches: Any, *, listener_time_zone: str) -> None: ...

    tracks.__module__ = silver_module.__name__
    made = table(grain="One row per track.", key="track_id", columns="track_id")(tracks)
    assert (made.name, made.layer, made.group) == ("tracks", "silver", "")
    assert (made.inputs, made.parameters) == (("catalogue_tracks", "feature_matches"), ("listener_time_zone",))
    assert made.location == "silver/tracks"


def test_purpose_is_the_first_line_of_the_module() -> None:
    assert declared().purpose == "What the pipeline records about itself: runs, builds, imports, rejects and checks."


def test_calling_a_table_calls_its_transform() -> None:
    def tracks(plays: list[int], *, listener_time_zone: str) -> list[Any]:
        return [*plays, listener_time_zone]

    tracks.__module__ = silver_module.__name__
    made = table(grain="", key="track_id", columns="track_id")(tracks)
    assert made([1], listener_time_zone="UTC") == [1, "UTC"]


def test_a_table_filled_by_an_import_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="tracks is filled by an import"):
        declared()()


def test_gold_tables_lie_in_their_group() -> None:
    def trends() -> None: ...

    trends.__module__ = "gold.descriptive.temporal_trends"
    import gold.descriptive.temporal_trends  # noqa: F401

    made = table(grain="", key="date", columns="date")(trends)
    assert (made.location, made.trino_schema) == ("gold/descriptive/trends", "default")
    assert declared().trino_schema == "ops"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": "track_id valance"}, "not in lakehouse.contract.columns or CAVEATS: valance"),
        ({"caveats": ["made_up"]}, "not in lakehouse.contract.columns or CAVEATS: made_up"),
        ({"key": "track_id date"}, "key columns that the table does not have: date"),
        ({"columns": "track_id valence track_id"}, "named twice: track_id"),
        ({"checks": [in_range("valence", 0, 1), in_range("valence", 0, 1)]}, r"named twice: in_range\(valence, 0, 1\)"),
    ],
)
def test_an_impossible_contract_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        declared(**changes)


def test_key_columns_are_never_null_and_no_check_is_repeated() -> None:
    made = declared(key="track_id", checks=[not_null("track_id"), not_null("valence")])
    assert [check.name for check in made.all_checks] == ["not_null(track_id)", "not_null(valence)"]


def test_every_caveat_is_a_sentence() -> None:
    assert [code for code, text in CAVEATS.items() if not text.endswith(".")] == []


# ---- checking: which of the values fail

NOT_A_NUMBER = float("nan")
CHECKS: dict[str, tuple[Check, list[Any], list[Any]]] = {
    "not null": (not_null("x"), ["a", "", None], [None]),
    "in range": (in_range("x", 0, 1), [0.0, 1.0, 0.5, None, -1e-9, 1.0001], [-1e-9, 1.0001]),
    "in range, infinite": (in_range("x", 0, 1), [0.5, float("inf"), float("-inf")], [float("inf"), float("-inf")]),
    "in range, below 0": (in_range("x", -60, -1), [-60.0, -1.0, -0.5], [-0.5]),
    "accepted": (accepted_values("x", "a", "b"), ["a", "b", None, "A", "", "a "], ["A", "", "a "]),
    "accepted with quote": (accepted_values("x", "it's"), ["it's", "its", "it''s"], ["its", "it''s"]),
    "accepted with backslash": (accepted_values("x", "a\\b", "\\"), ["a\\b", "\\", "ab"], ["ab"]),
    "expression": (expression("short", "length(x) < 3"), ["ab", None, "abc"], ["abc"]),
}


@pytest.mark.parametrize("case", CHECKS)
def test_check_finds(spark: SparkSession, case: str) -> None:
    check, values, failing = CHECKS[case]
    kind = "double" if any(isinstance(value, float) for value in values) else "string"
    found = small_frame(spark, [(value,) for value in values], f"x {kind}").where(check.failing).collect()
    assert [row["x"] for row in found] == failing


def test_not_a_number_is_outside_every_range(spark: SparkSession) -> None:
    frame = small_frame(spark, [(NOT_A_NUMBER,)], "x double")
    assert frame.where(in_range("x", 0, 1).failing).count() == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda severity: not_null("x", severity),
        lambda severity: in_range("x", 0, 1, severity),
        lambda severity: accepted_values("x", "a", severity=severity),
        lambda severity: expression("x", "true", severity),
    ],
)
def test_checks_refuse_or_warn(make: Callable[[str], Check]) -> None:
    assert [make(severity).severity for severity in ("fail", "warn")] == ["fail", "warn"]
