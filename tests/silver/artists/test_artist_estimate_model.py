"""A track is estimated from its artist's other tracks, never from itself."""

import numpy as np
import pandas as pd
import pytest

from silver.artist_model import artist_model
from silver.artists.artist_estimate_model import estimate_measured, estimate_tracks, evaluate, fit_listener
from silver.artists.artist_means import ArtistEstimateParameters, ArtistModel, split, train
from silver.rules.feature_source import IMPUTED_FEATURES
from tests.gold.learning.small_catalogue import listened, small_catalogue

PARAMETERS = ArtistEstimateParameters(min_calibration_tracks=20)


def trained(catalogue: pd.DataFrame) -> ArtistModel:
    return train(split(catalogue, PARAMETERS), PARAMETERS)


def test_estimate_is_the_shrunken_mean_of_the_artists_tracks() -> None:
    rows = [("a", "Ann", 0.2), ("b", "Ann;Bob", 0.4), ("c", "Cat", 0.9)]
    catalogue = pd.DataFrame(rows, columns=["track_id", "artists", "valence"]).assign(
        name_key=lambda frame: frame["track_id"], popularity=1, track_genres="pop"
    )
    estimates = estimate_tracks(trained(catalogue), pd.Series(["Ann", "BOB", "Zoe"]))["valence"]
    genre = 0.5  # one genre: shrunk to the mean it already has
    assert estimates.tolist()[:2] == pytest.approx([(0.6 + 0.9 * genre) / 2.9, (0.2 + 0.9 * genre) / 1.4])
    assert np.isnan(estimates[2])


def test_releases_of_a_recording_count_once() -> None:
    catalogue = small_catalogue()
    once = catalogue[~catalogue["track_id"].str.startswith("r")]
    names = pd.Series(["Artist 0", "Artist 10"])
    pd.testing.assert_frame_equal(estimate_tracks(trained(catalogue), names), estimate_tracks(trained(once), names))


def test_a_track_is_judged_without_its_recording() -> None:
    """Changing a track's valence, in all its releases, must not change the estimate it is judged by."""
    catalogue = small_catalogue()
    tracks = listened(catalogue, slice(0, 1))
    changed = catalogue.assign(valence=catalogue["valence"].where(catalogue["name_key"] != tracks["name_key"][0], 0.99))
    judged = []
    for frame in (catalogue, changed):
        judged.append(estimate_measured(trained(frame), tracks)["valence"][0])
    # The fold is named after the recording, so it is the same in both; only the visible rows count.
    assert judged[0] == judged[1]


def test_a_leaky_judgement_would_be_seen() -> None:
    """The guard of the test above: with its own recording in the statistics the estimate does move."""
    catalogue = small_catalogue()
    changed = catalogue.assign(valence=catalogue["valence"].where(catalogue.index != 1, 0.99))
    names = pd.Series(["Artist 1"])
    before, after = (estimate_tracks(trained(frame), names)["valence"][0] for frame in (catalogue, changed))
    assert before != after


def test_an_artist_known_by_the_hidden_track_alone_has_no_estimate() -> None:
    catalogue = small_catalogue(recordings=40, artists=40)
    tracks = listened(catalogue, slice(1, 5))
    assert estimate_measured(trained(catalogue), tracks)[list(IMPUTED_FEATURES)].isna().all(axis=None)
    assert estimate_tracks(trained(catalogue), tracks["artist_name"]).notna().all(axis=None)


def test_estimates_beat_the_listeners_mean_where_artists_differ() -> None:
    catalogue = small_catalogue().assign(valence=lambda rows: 0.1 + 0.02 * rows.index.to_numpy() % 40 / 2)
    catalogue["valence"] = catalogue["first_artist"].str[7:].astype(int) / 45 + 0.05
    tracks = listened(catalogue, slice(0, 200))
    judged = evaluate(trained(catalogue), tracks, PARAMETERS).query("feature_name == 'valence'")
    error = (judged["predicted"] - judged["truth"]).abs().mean()
    assert error < 0.5 * (judged["listener_mean"] - judged["truth"]).abs().mean()


def test_bounds_lie_around_the_estimate_within_0_and_1() -> None:
    catalogue = small_catalogue()
    judged = evaluate(trained(catalogue), listened(catalogue, slice(0, 200)), PARAMETERS)
    assert len(judged) == 200 * len(IMPUTED_FEATURES)
    assert (judged["lower_90"] <= judged["predicted"]).all() and (judged["predicted"] <= judged["upper_90"]).all()
    assert judged["lower_90"].ge(0).all() and judged["upper_90"].le(1).all()


def test_a_listener_without_measured_tracks_gets_the_catalogues_bounds() -> None:
    catalogue = small_catalogue()
    model, nobody = trained(catalogue), listened(catalogue, slice(0, 0))
    calibrations = fit_listener(model, nobody, PARAMETERS)
    assert {calibration.basis for calibration in calibrations.values()} == {"catalogue"}
    assert all(np.isfinite(calibration.half_width).all() for calibration in calibrations.values())
    assert evaluate(model, nobody, PARAMETERS).empty


@pytest.mark.parametrize("missing", [["valence"], list(IMPUTED_FEATURES)])
def test_a_feature_the_catalogue_lacks_is_null(missing: list[str]) -> None:
    catalogue = small_catalogue().drop(columns=missing)
    model = trained(catalogue)
    assert bool(model.reason) == (len(missing) == len(IMPUTED_FEATURES))
    estimates = estimate_tracks(model, pd.Series(["Artist 1"]))
    assert estimates.columns[estimates.isna().all()].tolist() == missing


def test_an_empty_catalogue_estimates_nothing() -> None:
    catalogue = small_catalogue().iloc[:0]
    model = trained(catalogue)
    assert model.reason
    assert estimate_tracks(model, pd.Series(["Artist 1"]))[list(IMPUTED_FEATURES)].isna().all(axis=None)


def test_order_of_the_catalogue_does_not_matter() -> None:
    catalogue, names = small_catalogue(), pd.Series(["Artist 1", "Artist 2"])
    shuffled = catalogue.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        estimate_tracks(trained(catalogue), names), estimate_tracks(trained(shuffled), names), rtol=1e-12
    )


def test_saved_state_estimates_the_same() -> None:
    model, names = trained(small_catalogue()), pd.Series(["Artist 1", "Nobody"])
    again = ArtistModel.from_state(model.state())
    pd.testing.assert_frame_equal(estimate_tracks(model, names), estimate_tracks(again, names))


def test_the_card_tells_data_parameters_figures_caveats_and_licence() -> None:
    catalogue = small_catalogue()
    card = artist_model(catalogue).card
    assert "Kaggle" in card["data"] and "ODbL" in card["licence"] and card["caveats"]
    assert card["parameters"]["genre_k"] == 50.0
    of_feature = {row["feature_name"]: row for row in card["figures"]}
    assert set(of_feature) == set(IMPUTED_FEATURES)
    # Of every recording, hidden in turn; releases count once.
    model = train(split(catalogue, ArtistEstimateParameters()), ArtistEstimateParameters())
    once = catalogue[~catalogue["track_id"].str.startswith("r")]
    tracks = listened(catalogue, slice(0, 400))
    error = np.abs(estimate_measured(model, tracks)["valence"].to_numpy() - once["valence"].to_numpy()).mean()
    assert of_feature["valence"]["mae"] == pytest.approx(error)
    assert of_feature["valence"]["half_width_90"] > error
