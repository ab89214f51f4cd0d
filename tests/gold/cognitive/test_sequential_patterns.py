"""Which mood of music follows which within a session, and more often than by chance?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.cognitive.sequential_patterns import sequential_patterns
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from silver.rules.feature_source import MOODS as ALL_MOODS
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.sandwich import p_value
from tests.gold.wording import number, percent
from tests.support.frames import Tables, frame_of, only, play, rows

MOODS = {"happy": (0.8, 0.8), "calm": (0.8, 0.2), "sad": (0.2, 0.2), "neutral": (0.5, 0.5)}
OFTEN = ("happy " * 10 + "sad " * 10).strip()
SOMEWHAT_OFTEN = (
    "sad happy sad sad sad happy happy sad happy happy",
    "sad sad sad sad sad sad sad happy sad sad",
    "happy happy happy happy happy happy happy happy sad sad",
    "sad sad sad sad sad sad happy happy happy happy",
    "sad sad sad happy happy sad sad happy happy happy",
    "sad sad happy happy happy happy happy happy happy sad",
)
HAPPY, CALM, SAD = "Happy & Energetic", "Happy & Calm", "Sad & Calm"


def plays_of(*sessions: str, track: str = "") -> list[dict[str, Any]]:
    """The plays of sessions such as "happy sad sad", one a day, each play of another recording."""
    return [
        play(
            f"2026-01-{1 + number:02d} 10:{minute:02d}:00",
            session_id=number,
            track_id=track or f"{number} {minute}",
            valence=MOODS[mood][0],
            energy=MOODS[mood][1],
        )
        for number, moods in enumerate(sessions)
        for minute, mood in enumerate(moods.split())
    ]


def patterns(spark: SparkSession, *sessions: str, track: str = "") -> DataFrame:
    """The patterns of such sessions."""
    plays = plays_of(*sessions, track=track)
    frame: DataFrame = sequential_patterns(frame_of(spark, listening_with_features, plays))
    return frame


def test_the_order_of_a_pair_matters(spark: SparkSession) -> None:
    frame = patterns(spark, "happy sad")
    assert rows(frame, "mood_category", "next_mood_category", "occurrence_count") == [(HAPPY, SAD, 1)]


def test_sessions_do_not_touch(spark: SparkSession) -> None:
    assert patterns(spark, "happy", "sad", "calm").count() == 0


def test_probability_and_lift_are_over_what_could_follow(spark: SparkSession) -> None:
    frame = patterns(spark, "happy happy sad", "happy happy", "sad happy")
    columns = ("mood_category", "next_mood_category", "occurrence_count", "transition_probability", "lift")
    # Of 4 next plays 3 are happy; after happy 2 of 3 are.
    assert rows(frame, *columns) == [
        (HAPPY, HAPPY, 2, pytest.approx(2 / 3), pytest.approx(2 / 3 / 0.75)),
        (HAPPY, SAD, 1, pytest.approx(1 / 3), pytest.approx(1 / 3 / 0.25)),
        (SAD, HAPPY, 1, 1.0, pytest.approx(1 / 0.75)),
    ]


def test_a_mood_that_never_changes_is_no_news(spark: SparkSession) -> None:
    row = only(patterns(spark, "happy " * 12))
    assert (row["lift"], row["pattern_type"]) == (1.0, "Expected repeat")


def test_pattern_types_need_numbers(spark: SparkSession) -> None:
    frame = patterns(spark, *[OFTEN] * 4, "happy calm")
    assert rows(frame, "mood_category", "next_mood_category", "pattern_type") == sorted(
        [
            (HAPPY, HAPPY, "Favoured repeat"),
            (HAPPY, SAD, "Avoided change"),
            (SAD, SAD, "Favoured repeat"),
            (HAPPY, CALM, "Too few change"),
        ],
        key=repr,
    )


def test_the_insight_says_the_numbers(spark: SparkSession) -> None:
    repeats = patterns(spark, *[OFTEN] * 4).where(f"mood_category = next_mood_category AND mood_category = '{HAPPY}'")
    assert only(repeats)["behavioral_insight"] == (
        "After Happy & Energetic the next known play was Happy & Energetic in 36 of 40 cases (90 %), against 47 % of "
        "all next plays: 1.90 times as often (corrected p = 0.001), a repeat made more often than by chance."
    )


def test_one_recording_on_repeat_is_no_evidence(spark: SparkSession) -> None:
    found = patterns(spark, *[OFTEN] * 4, track="on repeat").where(f"mood_category = '{HAPPY}'")
    assert rows(found, "pattern_type", "p_value") == [("Expected change", None), ("Expected repeat", None)]


def test_a_pattern_must_stand_the_correction_for_looking_at_every_pair(spark: SparkSession) -> None:
    """By itself this repeat would be called favoured; one such among so many pairs is to be expected by chance."""
    repeats = patterns(spark, *SOMEWHAT_OFTEN).where("mood_category = next_mood_category")
    row = only(repeats.where(f"mood_category = '{HAPPY}'"))
    assert row["lift"] == pytest.approx(1.45, abs=0.01)
    assert row["p_value"] == pytest.approx(0.016, abs=0.001)
    assert row["pattern_type"] == "Expected repeat"
    assert "(corrected p = 0.065), no clear difference" in row["behavioral_insight"]


def test_a_small_difference_that_is_no_chance_is_not_called_chance(spark: SparkSession) -> None:
    mostly_happy = ("happy " * 32 + "sad " * 8).strip()
    repeats = patterns(spark, *[mostly_happy] * 6).where("mood_category = next_mood_category")
    row = only(repeats.where(f"mood_category = '{HAPPY}'"))
    assert (row["lift"], row["pattern_type"]) == (pytest.approx(1.22, abs=0.01), "Expected repeat")
    assert row["behavioral_insight"].endswith("no chance, but too small a difference to be called a pattern.")


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    measured = real_silver[real_silver["feature_source"].isin(MEASURED_SOURCES)].dropna(subset=["valence", "energy"])
    plays = measured.sort_values(["played_at", "play_id"])
    following = plays.groupby("session_id")["mood_category"].shift(-1)
    counts = pd.crosstab(plays["mood_category"], following.rename("next_mood_category"))
    probability = counts.div(counts.sum(axis=1), axis=0)
    tables: dict[str, Any] = {
        "occurrence_count": counts,
        "transition_probability": probability,
        "lift": probability / (counts.sum() / counts.to_numpy().sum()),
    }
    expected = pd.concat({name: table.stack() for name, table in tables.items()}, axis=1).reset_index()
    expected = expected[expected["occurrence_count"] > 0]
    key = ["mood_category", "next_mood_category"]
    pairs = plays.assign(next=following, **next_play(plays, "recording_key", "date")).dropna(subset="next")
    all_pairs = pd.MultiIndex.from_product([ALL_MOODS, ALL_MOODS], names=key)
    chances = pd.Series(
        [
            p_value(pairs.assign(y=(pairs["next"] == second).astype(float)), "y", pairs["mood_category"] == first)
            for first, second in all_pairs
        ],
        index=all_pairs,
    )
    expected = expected.join(pd.DataFrame({"p_value": chances, "corrected": holm(chances)}), on=key, how="left")
    expected["pattern_type"] = [_kind(row) for _, row in expected.iterrows()]
    totals, of_next = counts.sum(axis=1), counts.sum() / counts.to_numpy().sum()
    beginnings = [_beginning(row, totals, of_next) for _, row in expected.iterrows()]
    found = real_table("sequential_patterns")
    texts = {(row[key[0]], row[key[1]]): row["behavioral_insight"] for row in found.collect()}
    for first, second, beginning in zip(expected[key[0]], expected[key[1]], beginnings, strict=True):
        assert texts[first, second].startswith(beginning)
    assert_same_rows(found.drop("behavioral_insight"), expected.drop(columns="corrected"), key)


def holm(p_values: pd.Series) -> pd.Series:
    """Each p-value times the number of those not smaller, and never below that of a smaller one."""
    ordered = p_values.dropna().sort_values()
    return (ordered * np.arange(len(ordered), 0, -1)).cummax().clip(upper=1)


def _kind(row: Any) -> str:
    leaning = "Expected"
    if max(row["occurrence_count"], row["occurrence_count"] / row["lift"]) < 5:
        leaning = "Too few"
    elif row["corrected"] < 0.05 and not 0.8 < row["lift"] < 1.25:
        leaning = "Favoured" if row["lift"] > 1 else "Avoided"
    return f"{leaning} {'repeat' if row['mood_category'] == row['next_mood_category'] else 'change'}"


def _beginning(row: Any, totals: "pd.Series[int]", of_next: "pd.Series[float]") -> str:
    """The insight as far as it says numbers."""
    first, second = row["mood_category"], row["next_mood_category"]
    p_value = row["corrected"]
    chance = "corrected p < 0.001" if p_value < 0.001 else f"corrected p = {number(p_value, 3)}"
    return (
        f"After {first} the next known play was {second} in {row['occurrence_count']} of {totals[first]} cases "
        f"({percent(row['transition_probability'])}), against {percent(of_next[second])} of all next plays: "
        f"{number(row['lift'])} times as often ({chance}), "
    )


def next_play(plays: pd.DataFrame, *columns: str) -> dict[str, pd.Series]:
    """Columns of the play that follows in the session."""
    return {name: plays.groupby("session_id")[name].shift(-1) for name in columns}
