"""What pipeline/demo/parameters.toml plants in each listener of a household is found again in that listener's rows."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from lakehouse.lake.storage import Lake
from lakehouse.settings import Settings
from pipeline.demo.data import write_demo_data
from pipeline.demo.parameters import Parameters, load_parameters, of_others
from pipeline.registry import pipeline_tables
from pipeline.runs.run import run
from pipeline.runs.upkeep import import_files
from tests.support.frames import Tables

SELECTED = (
    "weekend_vs_weekday", "part_of_day_drivers", "listening_anomalies", "sequential_patterns", "listener_affinity",
)  # fmt: skip
# Gives one listener's rows of a table, by its name.
Rows = Callable[[str], pd.DataFrame]
PARAMETERS = load_parameters()
MOODS: list[str] = PARAMETERS["moods"]["names"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A lake with the tables of a made-up household."""
    folder = tmp_path_factory.mktemp("household")
    files = write_demo_data(folder / "data", listeners=1 + len(of_others(PARAMETERS)))
    settings = Settings(
        lake_uri=f"file:{folder}/lake", kaggle_csv=files.catalogue, import_dir=files.catalogue.parent, _env_file=None
    )
    assert not import_files(settings, [settings.import_dir], catalogue=settings.kaggle_csv).errors
    assert not run(settings, select=SELECTED).errors
    return settings


@pytest.fixture
def household_table(settings: Settings, spark: SparkSession) -> Tables:
    lake = Lake(settings.lake_uri, spark)
    return lambda name: lake.read(pipeline_tables()[name])


@pytest.fixture(params=["me", *of_others(PARAMETERS)])
def listener(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def planted(listener: str) -> Parameters:
    return of_others(PARAMETERS).get(listener, PARAMETERS)


@pytest.fixture
def rows(household_table: Tables, listener: str) -> Rows:
    return lambda name: household_table(name).where(f"listener = '{listener}'").toPandas()


def test_weekends_have_as_much_more_or_less_and_happier_or_sadder_music(rows: Rows, planted: Parameters) -> None:
    tilts = planted["rhythm"]["tilts"]
    periods = rows("weekend_vs_weekday").set_index("period")
    weekend, weekday = periods.loc["Weekend"], periods.loc["Weekday"]
    share = weekend["plays_per_day"] / weekday["plays_per_day"]
    assert share == pytest.approx(planted["rhythm"]["weekend_factor"], abs=0.2)
    happier = np.sign(tilts["weekend_tilt"] - tilts["weekday_tilt"])
    if happier:
        assert happier * weekend["valence_difference"] >= 0.04
        assert weekend["valence_p_value"] < 0.05
        assert min(happier * weekend[["valence_difference_ci_low", "valence_difference_ci_high"]]) > 0
    else:
        assert weekend["valence_p_value"] > 0.05
        assert weekend["valence_difference_ci_low"] < 0 < weekend["valence_difference_ci_high"]


def test_a_part_of_the_day_has_the_planted_driver(rows: Rows, planted: Parameters) -> None:
    tilts = planted["rhythm"]["tilts"]
    part = rows("part_of_day_drivers").set_index("part_of_day").loc[tilts["driven_part_of_day"]]
    assert part["top_driver"] == tilts["driver"]
    assert part["driver_effect_size"] >= 0.5
    assert part["driver_ci_low"] > 0


def test_only_the_unusual_mornings_are_unusual_at_their_hour(rows: Rows, planted: Parameters) -> None:
    row = rows("listening_anomalies").set_index("hour_of_day").loc[planted["wake_up"]["hour"]]
    assert row["sample_size"] == planted["wake_up"]["mornings"]
    assert row["anomaly_count"] == planted["wake_up"]["unusual_mornings"]
    assert row["avg_valence_deviation"] < -0.2  # the usual morning song is bright
    assert row["anomaly_severity"] == "High"


def test_moods_follow_one_another_by_the_planted_chain(rows: Rows, planted: Parameters) -> None:
    patterns = rows("sequential_patterns")
    found = patterns.pivot_table("transition_probability", "mood_category", "next_mood_category", fill_value=0.0)
    errors = np.abs(found.loc[MOODS, MOODS].to_numpy() - np.array(planted["moods"]["transitions"]))
    assert errors.max() <= 0.12  # about 3 standard errors of the rarest mood
    assert errors.mean() <= 0.04
    repeats = patterns[patterns["mood_category"] == patterns["next_mood_category"]]
    assert set(repeats.loc[repeats["mood_category"] != "Neutral", "pattern_type"]) == {"Favoured repeat"}


def test_listeners_share_the_planted_artists(rows: Rows, listener: str, planted: Parameters) -> None:
    found = rows("listener_affinity").set_index("other_listener")
    everyone = {"me": PARAMETERS, **of_others(PARAMETERS)}
    assert set(found.index) == everyone.keys() - {listener}
    for other, row in found.iterrows():
        shared = set(planted["listener"]["favourites"]) & set(everyone[str(other)]["listener"]["favourites"])
        assert row["shared_artists"] == len(shared)
        assert row["closest_artist"] in shared
