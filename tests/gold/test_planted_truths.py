"""The truths that the demo data holds, see pipeline/demo/parameters.toml, are found again in the tables."""

import tomllib
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from tests.support.frames import Tables

PARAMETERS = tomllib.loads(files("pipeline.demo").joinpath("parameters.toml").read_text(encoding="utf-8"))
RHYTHM, TILTS = PARAMETERS["rhythm"], PARAMETERS["rhythm"]["tilts"]


def table(tables: Tables, name: str, key: str) -> pd.DataFrame:
    return tables(name).toPandas().set_index(key).sort_index()


def test_weekends_have_more_and_happier_music(demo_table: Tables) -> None:
    periods = table(demo_table, "weekend_vs_weekday", "period")
    weekend, weekday = periods.loc["Weekend"], periods.loc["Weekday"]
    assert weekend["plays_per_day"] / weekday["plays_per_day"] == pytest.approx(RHYTHM["weekend_factor"], abs=0.2)
    assert weekend["valence_difference"] >= 0.04
    assert weekend["valence_p_value"] < 0.01
    assert weekend["valence_difference_ci_low"] > 0


def test_night_hours_sound_more_acoustic_than_those_of_the_day(demo_table: Tables) -> None:
    hours = table(demo_table, "mood_time_correlations", "hour_of_day")
    at_night = hours.index.isin(TILTS["driven_hours"])
    night, day = (
        np.average(part["avg_acousticness"], weights=part["featured_play_count"])
        for part in (hours[at_night], hours[~at_night])
    )
    assert night - day >= 0.1


def test_moods_jump_more_often_than_they_stay_within_one_level(demo_table: Tables) -> None:
    """The chain leaves a mood more often than it stays, so most neighbours differ by more than 0.2."""
    shifts = demo_table("mood_shift_patterns").toPandas().groupby("shift_magnitude")["shift_count"].sum()
    assert shifts["Stable"] / shifts.sum() < 0.5


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("energy", "loudness", 0.78),
        ("energy", "acousticness", -0.73),
        ("danceability", "valence", 0.47),
        ("instrumentalness", "valence", -0.31),
    ],
)
def test_features_go_together_as_planted(demo_table: Tables, one: str, other: str, expected: float) -> None:
    pairs = demo_table("feature_correlations").toPandas().set_index(["feature1", "feature2"])
    assert pairs.loc[(one, other), "catalogue_correlation"] == pytest.approx(expected, abs=0.05)


def test_each_part_of_the_weekend_sounds_happier(demo_table: Tables) -> None:
    segments = table(demo_table, "behavioral_segments", "segment")["overall_valence"]
    parts = [name.removeprefix("weekend ") for name in segments.index if name.startswith("weekend ")]
    assert len(parts) >= 3
    for part in parts:
        assert segments[f"weekend {part}"] > segments[f"weekday {part}"]


def test_the_slices_hold_every_measured_play_brightest_first(demo_table: Tables) -> None:
    clusters = table(demo_table, "mood_state_clusters", "cluster")
    tiers = PARAMETERS["listener"]["tiers"]
    measured = (tiers["track"] + tiers["recording"]) * PARAMETERS["listener"]["counted_plays"]
    assert clusters["member_count"].sum() == pytest.approx(measured, abs=1)
    assert clusters["avg_valence"].is_monotonic_decreasing
