"""Each listener of the demo data listens as planted in the parameters, measured in the files themselves."""

import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lakehouse.errors import UsageError
from lakehouse.listeners import LISTENER_NAME
from pipeline.demo.data import DemoFiles, write_demo_data
from pipeline.demo.parameters import Parameters, load_parameters, of_others
from tests.pipeline.demo.exports import measured_plays, read_catalogue, read_plays, read_records

FIRST = "the first"
PARAMETERS = load_parameters()
FEATURES: list[str] = PARAMETERS["features"]["names"]
MOODS: list[str] = PARAMETERS["moods"]["names"]
PLANTED = {FIRST: PARAMETERS, **of_others(PARAMETERS)}


@dataclass(frozen=True)
class Listening:
    """What one listener plays, and the truths planted in it."""

    planted: Parameters
    plays: pd.DataFrame
    measured: pd.DataFrame


@pytest.fixture(scope="module")
def household(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return write_demo_data(tmp_path_factory.mktemp("demo"), listeners=len(PLANTED))


@pytest.fixture(scope="module")
def everyone(household: DemoFiles) -> dict[str, Listening]:
    catalogue, found = read_catalogue(household.catalogue), {}
    for name, history in {FIRST: household.history, **household.others}.items():
        plays = read_plays(read_records(history), catalogue, PLANTED[name])
        found[name] = Listening(PLANTED[name], plays, measured_plays(plays, MOODS))
    return found


@pytest.fixture(params=PLANTED)
def listening(everyone: dict[str, Listening], request: pytest.FixtureRequest) -> Listening:
    return everyone[request.param]


# ---- each listener's truths


def test_plays_are_as_many_as_planted_and_in_the_window(listening: Listening) -> None:
    planted = listening.planted["listener"]
    assert len(listening.plays) == planted["counted_plays"]
    assert planted["first_date"] <= listening.plays["at"].min().date()
    assert listening.plays["at"].max().date() <= planted["last_date"]


def test_shares_of_match_tiers_are_exact(listening: Listening) -> None:
    shares = listening.plays.tier.value_counts(normalize=True)
    for tier, share in listening.planted["listener"]["tiers"].items():
        assert shares[tier] == pytest.approx(share, abs=0.001)


def test_sessions_are_as_many_as_planted(listening: Listening) -> None:
    planted = listening.planted
    assert listening.plays.session.nunique() == planted["rhythm"]["sessions"] + planted["wake_up"]["mornings"]


@pytest.mark.parametrize(("is_weekend", "hours"), [(False, "weekday_hours"), (True, "weekend_hours")])
def test_hours_of_session_starts_follow_the_planted_rhythm(listening: Listening, is_weekend: bool, hours: str) -> None:
    starts = listening.plays.groupby("session").first()
    starts = starts[(starts.is_weekend == is_weekend) & (starts.hour != listening.planted["wake_up"]["hour"])]
    found = starts.hour.value_counts().reindex(range(24), fill_value=0)
    assert np.corrcoef(found, listening.planted["rhythm"][hours])[0, 1] >= 0.7


def test_weekends_have_more_or_fewer_plays_a_day_as_planted(listening: Listening) -> None:
    planted, is_weekend = listening.planted, listening.plays.is_weekend
    window = pd.date_range(planted["listener"]["first_date"], planted["listener"]["last_date"])
    weekend_days = (window.dayofweek >= 5).sum()
    per_day = is_weekend.sum() / weekend_days, (~is_weekend).sum() / (len(window) - weekend_days)
    assert per_day[0] / per_day[1] == pytest.approx(planted["rhythm"]["weekend_factor"], abs=0.2)


def test_favourites_are_played_most(listening: Listening) -> None:
    planted = list(listening.planted["listener"]["favourites"])
    most_played = listening.plays.master_metadata_album_artist_name.value_counts().index
    assert most_played[0] == planted[0]
    assert len(set(most_played[: len(planted) + 2]) & set(planted)) >= 0.8 * len(planted)


@pytest.mark.parametrize("mood", MOODS)
def test_every_mood_occurs_often(listening: Listening, mood: str) -> None:
    assert (listening.measured.mood == mood).sum() >= 40


def test_mood_transitions_are_the_planted_chain(listening: Listening) -> None:
    measured = listening.measured
    found = pd.crosstab(measured.mood, measured.next_mood, normalize="index").loc[MOODS, MOODS].to_numpy()
    errors = np.abs(found - np.array(listening.planted["moods"]["transitions"]))
    assert errors.max() <= 0.12  # about 3 standard errors of the rarest mood
    assert errors.mean() <= 0.04


def test_a_part_of_the_day_has_the_planted_driver(listening: Listening) -> None:
    tilts = listening.planted["rhythm"]["tilts"]
    driven = listening.measured.hour.isin(tilts["driven_hours"])
    part, other = listening.measured[driven][FEATURES], listening.measured[~driven][FEATURES]
    assert len(part) >= 80
    effects = (part.mean() - other.mean()) / np.sqrt((part.var() + other.var()) / 2)
    assert effects.abs().idxmax() == tilts["driver"]
    assert effects[tilts["driver"]] >= 0.5


def test_weekends_sound_happier_sadder_or_alike_as_planted(listening: Listening) -> None:
    tilts, measured = listening.planted["rhythm"]["tilts"], listening.measured
    weekend, weekday = (measured[measured.is_weekend == is_weekend].valence for is_weekend in (True, False))
    standard_error = np.sqrt(weekend.var() / len(weekend) + weekday.var() / len(weekday))
    difference, planted = weekend.mean() - weekday.mean(), np.sign(tilts["weekend_tilt"] - tilts["weekday_tilt"])
    if planted:
        assert planted * difference >= max(0.04, 3 * standard_error)
    else:
        assert abs(difference) <= 2 * standard_error


def test_energy_rises_or_falls_slowly_as_planted(listening: Listening) -> None:
    tilts, measured = listening.planted["rhythm"]["tilts"], listening.measured
    day = (measured["at"] - measured["at"].min()).dt.total_seconds()
    planted = np.sign(tilts["drift_tilt_last"] - tilts["drift_tilt_first"])
    assert planted * measured[tilts["drift_feature"]].corr(day) >= 0.08


@pytest.mark.parametrize("feature", ["valence", "energy"])
def test_exactly_the_unusual_mornings_stand_out_at_their_hour(listening: Listening, feature: str) -> None:
    planted, measured = listening.planted["wake_up"], listening.measured
    values = measured[measured.hour == planted["hour"]][feature]
    deviation = (values - values.median()).abs()
    unusual = 0.6745 * deviation / deviation.median() > 3.5
    assert len(values) == planted["mornings"]
    assert unusual.sum() == planted["unusual_mornings"]


# ---- the household


def test_the_first_listener_and_the_catalogue_are_those_of_a_demo_of_one(household: DemoFiles, tmp_path: Path) -> None:
    alone = write_demo_data(tmp_path)
    assert alone.others == {}
    assert alone.history.read_bytes() == household.history.read_bytes()
    assert alone.catalogue.read_bytes() == household.catalogue.read_bytes()


def test_each_further_listener_has_a_folder_of_their_name(household: DemoFiles) -> None:
    assert list(household.others) == list(of_others(PARAMETERS))
    for name, history in household.others.items():
        assert re.fullmatch(LISTENER_NAME, name)
        assert history.parent == household.history.parent / name


def test_listeners_share_the_planted_favourites_and_no_other_artist(everyone: dict[str, Listening]) -> None:
    artists = {name: set(each.plays.master_metadata_album_artist_name) for name, each in everyone.items()}
    for one, other in combinations(PLANTED, 2):
        favourites = set(PLANTED[one]["listener"]["favourites"]) & set(PLANTED[other]["listener"]["favourites"])
        assert artists[one] & artists[other] == favourites
        assert favourites


@pytest.mark.parametrize("listeners", [0, -1, len(PLANTED) + 1])
def test_more_or_fewer_than_were_planted_are_refused(tmp_path: Path, listeners: int) -> None:
    with pytest.raises(UsageError, match=rf"^the demo data has 1 to 3 listeners, not {listeners}$"):
        write_demo_data(tmp_path / "demo", listeners=listeners)
    assert not (tmp_path / "demo").exists()
