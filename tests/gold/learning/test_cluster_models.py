"""Slices a cloud of tracks into clusters: how many, where their centres lie, and what they are called."""

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from gold.learning.cluster_models import FloatArray, cluster_names, distinguishing_features, fit_clusters

WORDS = [("bright", "dark"), ("energetic", "calm"), ("danceable", "unhurried")]


def blobs(*centres: tuple[float, ...], spread: float = 0.3, each: int = 60) -> FloatArray:
    rng = np.random.default_rng(3)
    points = np.vstack([rng.normal(centre, spread, (each, len(centre))) for centre in centres])
    return np.asarray((points - points.mean(axis=0)) / points.std(axis=0))


@pytest.mark.parametrize(
    "centres",
    [
        [(2.0, 2.0, 2.0), (-2.0, -2.0, -2.0)],
        [(2.0, 2.0), (-2.0, 2.0), (0.0, -2.0)],
        [(2.0, 2.0, 2.0), (2.0, -2.0, -2.0), (-2.0, 2.0, -2.0), (-2.0, -2.0, 2.0)],
    ],
)
def test_separate_groups_are_found(centres: list[tuple[float, ...]]) -> None:
    found = fit_clusters(blobs(*centres))
    assert len(found.centres) == len(centres)
    assert found.silhouettes.min() > 0.6


def test_clusters_are_ordered_by_the_first_coordinate_highest_first() -> None:
    centres = fit_clusters(blobs((2.0, 2.0), (-2.0, 2.0), (0.0, -2.0))).centres
    assert list(centres[:, 0]) == sorted(centres[:, 0], reverse=True)


def test_the_number_is_the_one_that_resamples_reproduce() -> None:
    """In a long cloud all silhouettes are alike; what fits on resamples agree on is the cut through its middle."""
    points = np.random.default_rng(4).normal(0, (2.5, 1, 1, 1), (300, 4))
    points = (points - points.mean(axis=0)) / points.std(axis=0) * (2.5, 1, 1, 1)
    rng, agreement = np.random.default_rng(5), {}
    for k in range(2, 9):
        whole = KMeans(k, n_init=5, random_state=1).fit_predict(points)
        resampled = [points[rng.integers(300, size=300)] for _ in range(10)]
        fits = [KMeans(k, n_init=5, random_state=1).fit(sample).predict(points) for sample in resampled]
        agreement[k] = np.mean([adjusted_rand_score(whole, labels) for labels in fits])
    assert len(fit_clusters(points).centres) == max(agreement, key=lambda k: agreement[k])


def test_the_same_points_give_the_same_clusters() -> None:
    """Also where there are none, and another start would end elsewhere."""
    points = blobs((0.0, 0.0, 0.0), each=200)
    first, second = fit_clusters(points), fit_clusters(points)
    assert np.array_equal(first.centres, second.centres)


def test_one_cloud_is_cut_all_the_same_and_the_silhouette_tells() -> None:
    found = fit_clusters(blobs((0.0, 0.0, 0.0), each=200))
    assert 2 <= len(found.centres) <= 8
    assert found.silhouettes.max() < 0.5


def test_two_different_points_make_two_clusters() -> None:
    found = fit_clusters(np.array([[1.0, 1.0]] * 10 + [[-1.0, -1.0]] * 10))
    assert found.centres.tolist() == [[1.0, 1.0], [-1.0, -1.0]]


def test_names_say_what_is_furthest_from_the_mean() -> None:
    centres = np.array([[0.1, 1.0, -0.5], [-0.8, 0.2, 0.3]])
    assert cluster_names(centres, WORDS) == ["Energetic & unhurried", "Dark & danceable"]


def test_what_sets_a_cluster_apart_is_said_in_deviations() -> None:
    assert distinguishing_features(np.array([[0.1, 1.04, -0.5]]), ["valence", "energy", "danceability"]) == [
        "energy (1.0 standard deviations above the mean) and danceability (0.5 standard deviations below the mean)"
    ]


def test_names_grow_until_they_differ() -> None:
    centres = np.array([[0.9, 0.8, 0.1], [0.9, 0.8, -0.1]])
    assert cluster_names(centres, WORDS) == ["Bright, energetic & danceable", "Bright, energetic & unhurried"]


def test_names_differ_even_when_words_do_not_suffice() -> None:
    centres = np.array([[0.9, 0.8, 0.1], [0.7, 0.6, 0.1]])
    assert len(set(cluster_names(centres, WORDS))) == 2
