"""How does the listener listen, overall and in each part of weekdays and weekends?"""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession

from gold.cognitive.behavioral_segments import behavioral_segments
from silver.listening_with_features import listening_with_features
from silver.rules.feature_source import MEASURED_SOURCES
from tests.gold.descriptive.comparison import assert_same_rows
from tests.gold.wording import compared, number, percent
from tests.support.frames import Tables, frame_of, made_of_plays, only, play, rows

SATURDAY, MONDAY = "2026-01-31", "2026-02-02"


def segments(spark: SparkSession, plays: list[dict[str, Any]]) -> DataFrame:
    return made_of_plays(behavioral_segments, frame_of(spark, listening_with_features, plays))


def several(count: int, date: str = MONDAY, hour: int = 10, **values: Any) -> list[dict[str, Any]]:
    return [play(f"{date} {hour:02d}:{i:02d}:00", track_id=f"{i} {values}", **values) for i in range(count)]


def test_a_segment_needs_twenty_measured_plays(spark: SparkSession) -> None:
    plays = [*several(20), *several(19, SATURDAY), *several(9, SATURDAY, feature_source="none")]
    assert rows(segments(spark, plays), "segment", "total_listens", "sample_size") == [
        ("overall", 48, 39),
        ("weekday morning", 20, 20),
    ]


def test_too_few_plays_make_no_segment_at_all(spark: SparkSession) -> None:
    assert segments(spark, several(19)).count() == 0


def test_the_night_after_friday_begins_on_a_weekday_and_goes_on_at_the_weekend(spark: SparkSession) -> None:
    friday = several(20, "2026-01-30", 23)
    saturday = several(20, "2026-01-31", 0)
    names = rows(segments(spark, friday + saturday), "segment")
    assert names == [("overall",), ("weekday night",), ("weekend night",)]


def test_averages_rest_on_featured_plays_spread_on_measured_ones(spark: SparkSession) -> None:
    plays = [
        *several(10, valence=0.2),
        *several(10, valence=0.4),
        *several(20, valence=0.9, feature_source="synthetic"),
    ]
    row = only(segments(spark, plays).where("segment = 'overall'"))
    assert (row["overall_valence"], row["featured_play_count"]) == (pytest.approx(0.6), 40)
    assert row["mood_variability"] == pytest.approx(np.std([0.2] * 10 + [0.4] * 10, ddof=1))


@pytest.mark.parametrize(
    ("values", "archetype"),
    [
        ({"valence": 0.6, "energy": 0.6, "danceability": 0.6}, "Bright, energetic, danceable, even"),
        ({"valence": 0.39, "energy": 0.39, "acousticness": 0.9}, "Dark, calm, acoustic, even"),
        ({"valence": 0.4, "energy": 0.59}, "Mixed, moderate, even"),
    ],
)
def test_the_archetype_is_read_off_the_averages(spark: SparkSession, values: dict[str, Any], archetype: str) -> None:
    row = only(segments(spark, several(20, **values)).where("segment = 'overall'"))
    assert row["listening_archetype"] == archetype


def test_wide_swings_are_named(spark: SparkSession) -> None:
    plays = [*several(10, valence=0.1), *several(10, valence=0.9)]
    assert only(segments(spark, plays).where("segment = 'overall'"))["listening_archetype"] == "Mixed, moderate, varied"


def test_the_description_compares_with_the_listeners_overall(spark: SparkSession) -> None:
    plays = [*several(20, valence=0.3), *several(20, SATURDAY, valence=0.5)]
    found = dict(rows(segments(spark, plays), "segment", "archetype_description"))
    assert found["overall"] == (
        "40 plays, 40 of them measured: valence 0.40 (spread 0.10), energy 0.50 (spread 0.00), danceability 0.50, "
        "acousticness 0.20; 0 % of the measured plays are bright, 50 % dark."
    )
    assert found["weekend morning"].endswith("; valence is 0.10 above and energy level with the listener's overall.")


@pytest.mark.parametrize(
    ("values", "beginning"),
    [
        ({"valence": 0.2, "energy": 0.9}, "The music here is dark (valence 0.20, 0 % of plays bright)"),
        ({"valence": 0.8, "energy": 0.9}, "The music here is driving (energy 0.90, 0 % of plays calm)"),
        ({"valence": 0.8, "energy": 0.1}, "The music here is calm (energy 0.10, 100 % of plays calm)"),
        ({"valence": 0.5, "energy": 0.5}, "The music here is in the middle (valence 0.50, energy 0.50)"),
    ],
)
def test_the_tip_is_about_the_music_and_its_numbers(
    spark: SparkSession, values: dict[str, Any], beginning: str
) -> None:
    row = only(segments(spark, several(20, **values)).where("segment = 'overall'"))
    assert row["wellbeing_recommendation"].startswith(beginning)


@pytest.mark.real_data
def test_real_plays_give_what_pandas_gives(real_table: Tables, real_silver: pd.DataFrame) -> None:
    day = np.where(real_silver["is_weekend"], "weekend ", "weekday ")
    parts = real_silver.assign(segment=day + real_silver["part_of_day"].astype(str))
    plays = pd.concat([parts, parts.assign(segment="overall")], ignore_index=True)
    measured = plays[plays["feature_source"].isin(MEASURED_SOURCES)].groupby("segment")
    of_all = plays.groupby("segment")
    expected = of_all[["valence", "energy", "danceability", "acousticness"]].mean().add_prefix("overall_")
    expected["total_listens"] = of_all.size()
    expected["featured_play_count"] = of_all["feature_source"].agg(lambda source: (source != "none").sum())
    expected["sample_size"] = measured.size()
    expected[["mood_variability", "energy_variability"]] = measured[["valence", "energy"]].std()
    expected["bright"] = measured["valence"].agg(lambda valence: (valence >= 0.6).mean())
    expected["dark"] = measured["valence"].agg(lambda valence: (valence < 0.4).mean())
    expected["calm"] = measured["energy"].agg(lambda energy: (energy < 0.4).mean())
    usual = expected.loc["overall"]
    expected = expected[expected["sample_size"] >= 20].reset_index()
    expected["archetype_description"] = [_description(row, usual) for _, row in expected.iterrows()]
    found = real_table("behavioral_segments")
    tips = dict(rows(found, "segment", "wellbeing_recommendation"))
    for _, row in expected.iterrows():
        assert tips[row["segment"]].startswith(_tip(row))
    expected = expected.drop(columns=["bright", "dark", "calm"])
    assert_same_rows(found.drop("listening_archetype", "wellbeing_recommendation"), expected, ["segment"])


def _tip(row: Any) -> str:
    """The recommendation as far as it says numbers."""
    valence, energy = row["overall_valence"], row["overall_energy"]
    bright, calm = percent(row["bright"]), percent(row["calm"])
    if valence < 0.4:
        return f"The music here is dark (valence {number(valence)}, {bright} of plays bright); "
    if 0.4 <= energy < 0.6:
        numbers = f"(valence {number(valence)}, energy {number(energy)}): {bright} of plays bright, {calm} calm; "
        return f"The music here is in the middle {numbers}"
    kind = "calm" if energy < 0.4 else "driving"
    return f"The music here is {kind} (energy {number(energy)}, {calm} of plays calm); "


def _description(row: Any, usual: Any) -> str:
    text = (
        f"{row['total_listens']} plays, {row['sample_size']} of them measured: valence "
        f"{number(row['overall_valence'])} (spread {number(row['mood_variability'])}), energy "
        f"{number(row['overall_energy'])} (spread {number(row['energy_variability'])}), danceability "
        f"{number(row['overall_danceability'])}, acousticness {number(row['overall_acousticness'])}; "
        f"{percent(row['bright'])} of the measured plays are bright, {percent(row['dark'])} dark"
    )
    if row["segment"] == "overall":
        return f"{text}."
    valence, energy = (row[f"overall_{name}"] - usual[f"overall_{name}"] for name in ("valence", "energy"))
    return f"{text}; valence is {compared(valence)} and energy {compared(energy)} the listener's overall."
