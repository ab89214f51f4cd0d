"""Means of few tracks are pulled to the genre's, those of many are their own."""

import numpy as np
import pytest

from silver.artists.shrunken_means import ShrunkenMeans, link_tracks


def test_artist_mean_is_shrunk_to_the_prior() -> None:
    links = link_tracks(["Ann", "Ann", "Bob"], ["pop", "pop", "rock"])
    means = ShrunkenMeans.fit(links, np.array([[0.2], [0.4], [0.9]]), genre_k=1.0, artist_k=np.array([2.0]))
    by_artist, weight = means.by_artist(links, prior=np.full((3, 1), 0.5))
    assert by_artist.ravel() == pytest.approx([(0.6 + 1.0) / 4, (0.6 + 1.0) / 4, (0.9 + 1.0) / 3])
    assert weight.tolist() == [2, 2, 1]


def test_a_guest_counts_half() -> None:
    links = link_tracks(["Ann;Bob", "Bob"], ["pop", "pop"])
    means = ShrunkenMeans.fit(links, np.array([[0.2], [0.8]]), genre_k=1.0, artist_k=np.array([1.0]))
    by_artist, weight = means.by_artist(links, prior=np.zeros((2, 1)))
    assert weight.tolist() == [1.0, 1.5]
    assert by_artist.ravel() == pytest.approx([0.2 / 2.0, (0.5 * 0.2 + 0.8) / 2.5])


def test_genre_mean_is_shrunk_to_the_overall_mean() -> None:
    links = link_tracks(["Ann", "Bob", "Cat"], ["pop; rock", "rock", None])
    means = ShrunkenMeans.fit(links, np.array([[0.0], [0.6], [0.9]]), genre_k=1.0, artist_k=np.array([1.0]))
    pop, rock, overall = 0.5 / 2, (0.6 + 0.5) / 3, 0.5
    assert means.by_genre(links).ravel() == pytest.approx([(pop + rock) / 2, rock, overall])


def test_unknown_names_get_the_prior() -> None:
    links = link_tracks(["Ann"], ["pop"])
    means = ShrunkenMeans.fit(links, np.array([[0.2]]), genre_k=1.0, artist_k=np.array([1.0]))
    strangers = link_tracks(["Zoe", None], ["polka", None], links.artist_ids, links.genre_ids)
    by_artist, weight = means.by_artist(strangers, prior=np.full((2, 1), 0.7))
    assert means.by_genre(strangers).ravel() == pytest.approx([0.2, 0.2])
    assert (by_artist.ravel().tolist(), weight.tolist()) == ([0.7, 0.7], [0, 0])


def test_spelling_of_an_artist_does_not_matter() -> None:
    links = link_tracks(["Beyoncé", "BEYONCE"], ["pop", "pop"])
    assert len(links.artist_ids) == 1


def test_no_rows_have_no_names() -> None:
    links = link_tracks([], [])
    assert (links.artists.shape, links.genres.shape) == ((0, 0), (0, 0))
