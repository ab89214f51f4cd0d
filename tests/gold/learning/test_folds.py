"""No fold's model may see a recording it is tested on, in any release or copy."""

import numpy as np
import pandas as pd

from gold.learning.folds import catalogue_folds, with_folds
from gold.learning.model_parameters import ModelParameters
from gold.learning.training_set import split
from lakehouse.contract.columns import AUDIO_FEATURES
from silver.artists.recording_groups import RecordingFolds
from tests.gold.learning.small_catalogue import listened, small_catalogue

PARAMETERS = ModelParameters()


def with_copies() -> pd.DataFrame:
    """The small catalogue, where every tenth recording has a release and every seventh a copy under a false name."""
    catalogue = small_catalogue()
    sound = catalogue[list(AUDIO_FEATURES)]
    releases = catalogue["track_id"].str.startswith("r")
    # A release is measured again: same name, other numbers.
    catalogue["valence"] = np.where(releases, 1 - sound["valence"], sound["valence"])
    twins = catalogue.iloc[:400:7].assign(
        track_id=lambda rows: "c" + rows["track_id"],
        artists="Cover Band",
        name_key=lambda rows: "cover band | " + rows["track_id"],
    )
    return pd.concat([catalogue, twins], ignore_index=True)


def test_releases_and_copies_share_the_fold() -> None:
    catalogue = with_copies()
    fold = pd.Series(catalogue_folds(catalogue, PARAMETERS).recording_fold, index=catalogue["track_id"])
    for track_id in fold.index[fold.index.str.match("[rc]t")]:
        assert fold[track_id] == fold[track_id[1:]]
    assert sorted(fold.unique()) == [0, 1, 2, 3, 4]


def shared_with_training(catalogue: pd.DataFrame, fold: np.ndarray, held_out: np.ndarray) -> int:
    """How many tracks have their name or their sound in the training rows of the model they are tested by."""
    count = 0
    for k in range(PARAMETERS.n_folds):
        trained = catalogue[~held_out[:, k]]
        tested = catalogue[fold == k]
        sound = list(AUDIO_FEATURES)
        names = tested["name_key"].isin(trained["name_key"])
        twins = tested[sound].apply(tuple, axis=1).isin(trained[sound].apply(tuple, axis=1))
        count += int((names | twins).sum())
    return count


def test_no_training_set_holds_a_release_or_copy_of_a_tested_track() -> None:
    catalogue = with_copies()
    folds = catalogue_folds(catalogue, PARAMETERS)
    for by in ("recording", "artist"):
        assert shared_with_training(catalogue, folds.fold(by), folds.held_out(by, PARAMETERS.n_folds)) == 0


def test_the_leak_check_sees_folds_by_track_id() -> None:
    """The guard of the test above: dealt by id, releases and copies do leak."""
    catalogue = with_copies()
    fold = np.arange(len(catalogue)) % PARAMETERS.n_folds
    assert shared_with_training(catalogue, fold, np.equal.outer(fold, np.arange(PARAMETERS.n_folds))) > 50


def test_artist_folds_hide_every_credit_of_the_artist() -> None:
    catalogue = small_catalogue().assign(artists=lambda rows: rows["artists"] + ";Guest 1")
    catalogue.loc[0, "artists"] = "Guest 1"
    folds = catalogue_folds(catalogue, PARAMETERS)
    held_out = folds.held_out("artist", PARAMETERS.n_folds)
    assert held_out[:, folds.artist_fold[0]].all()
    assert held_out[np.arange(len(catalogue)), folds.artist_fold].all()


def test_listened_tracks_are_scored_by_a_model_without_their_recording() -> None:
    catalogue = with_copies()
    folds = catalogue_folds(catalogue, PARAMETERS)
    tracks = listened(catalogue, slice(0, 60))
    # The listener has another release, which the catalogue does not know by id.
    tracks = tracks.assign(track_key="elsewhere", matched_track_id=None)
    recordings = RecordingFolds.of_catalogue(catalogue, folds.recording_fold)
    fold = with_folds(tracks.assign(artists=None), recordings, PARAMETERS)["fold"]
    assert fold.tolist() == folds.recording_fold[:60].tolist()


def test_order_of_the_catalogue_does_not_matter() -> None:
    catalogue = with_copies()
    shuffled = catalogue.sample(frac=1, random_state=3)
    rows, again = (split(frame, catalogue_folds(frame, PARAMETERS), PARAMETERS) for frame in (catalogue, shuffled))
    pd.testing.assert_frame_equal(rows.rows, again.rows)
    assert rows.folds.recording_fold.tolist() == again.folds.recording_fold.tolist()


def test_training_set_keeps_the_most_popular_release() -> None:
    catalogue = small_catalogue()
    rows = split(catalogue, catalogue_folds(catalogue, PARAMETERS), PARAMETERS).rows
    assert len(rows) == 400
    assert not rows["track_id"].str.startswith("r").any()


def test_an_empty_catalogue_has_no_folds() -> None:
    catalogue = small_catalogue().iloc[:0]
    folds = catalogue_folds(catalogue, PARAMETERS)
    tracks = listened(small_catalogue(), slice(0, 3))
    assert len(folds.recording_fold) == 0
    recordings = RecordingFolds.of_catalogue(catalogue, folds.recording_fold)
    assert set(with_folds(tracks.assign(artists=None), recordings, PARAMETERS)["fold"]) <= set(range(5))
