"""Cut a cloud of tracks into clusters: how many there are, where their centres lie, and what they are called."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_samples, silhouette_score
from threadpoolctl import threadpool_limits

from gold.shared.wording import DIGITS

FloatArray = npt.NDArray[np.float64]

SEED = 20240611
MAX_CLUSTERS = 8
RESAMPLES = 10
SHUFFLES = 5
STARTS = 5


@dataclass(frozen=True)
class Clusters:
    """Clusters of standardised points, ordered by the first coordinate of their centres, highest first.

    Attributes:
        centres: (k, features) in standard deviations from the mean.
        silhouettes: (k,) mean silhouette of each cluster's points.
    """

    centres: FloatArray
    silhouettes: FloatArray


def fit_clusters(points: FloatArray) -> Clusters:
    """Fit k-means with the number of clusters that the points themselves support.

    Of 2 to 8 clusters, candidates are the numbers that bootstrap resamples reproduce best (Fang and Wang 2012,
    "Selection of the number of clusters via the bootstrap method", CSDA 56(3); with the mean adjusted Rand index of
    Hubert and Arabie 1985 as the measure of agreement), up to one standard error below the best. Among them, the number
    is chosen whose silhouette (Rousseeuw 1987) most exceeds that of the same columns shuffled, which hold no clusters.

    Args:
        points: (n, features), standardised, n >= 3, at least 2 of them different.
    """
    with threadpool_limits(1):  # OpenMP threads that compete for cores are slower than one, and sum in any order
        generator = np.random.default_rng(SEED)
        shuffles = [generator.permuted(points, axis=0) for _ in range(SHUFFLES)]
        resamples = [generator.integers(len(points), size=len(points)) for _ in range(RESAMPLES)]
        most = min(MAX_CLUSTERS, len(np.unique(points, axis=0)), len(points) - 1)
        fits = {k: _fit(points, k) for k in range(2, most + 1)}
        agreements = {k: _agreements(fit, points, resamples) for k, fit in fits.items()}
        stability = {k: float(agreement.mean()) for k, agreement in agreements.items()}
        most_stable = max(fits, key=lambda k: stability[k])
        error = float(agreements[most_stable].std(ddof=1) / np.sqrt(RESAMPLES))
        stable = [k for k in fits if stability[k] >= round(stability[most_stable] - error, DIGITS)]
        best = max(stable, key=lambda k: _silhouette(fits[k], points) - _noise_silhouette(k, shuffles))
        return _sort(fits[best], points)


def _fit(points: FloatArray, k: int) -> KMeans:
    return KMeans(k, n_init=STARTS, random_state=SEED).fit(points)


def _agreements(fit: KMeans, points: FloatArray, resamples: Sequence[npt.NDArray[np.int64]]) -> FloatArray:
    """Agreement of the fit's labels with those of a fit on each resample."""
    refits = [_fit(points[resample], fit.n_clusters) for resample in resamples]
    return np.array([adjusted_rand_score(fit.labels_, refit.predict(points)) for refit in refits])


def _silhouette(fit: KMeans, points: FloatArray) -> float:
    occupied = len(np.unique(fit.labels_))
    return float(silhouette_score(points, fit.labels_)) if 2 <= occupied < len(points) else -1.0


def _noise_silhouette(k: int, shuffles: Sequence[FloatArray]) -> float:
    """Mean silhouette of points that hold no clusters."""
    return float(np.mean([_silhouette(_fit(shuffled, k), shuffled) for shuffled in shuffles]))


def _sort(fit: KMeans, points: FloatArray) -> Clusters:
    order = np.lexsort(-np.round(fit.cluster_centers_, DIGITS).T[::-1])
    silhouettes = silhouette_samples(points, fit.labels_)
    return Clusters(fit.cluster_centers_[order], np.array([silhouettes[fit.labels_ == k].mean() for k in order]))


def cluster_names(centres: FloatArray, words: Sequence[tuple[str, str]]) -> list[str]:
    """A distinct name for each centre, from the features furthest from the mean: 'Acoustic & calm'.

    Args:
        centres: (k, features), in standard deviations from the mean.
        words: per feature one word for high and one for low.
    """
    features = len(words)
    for used in range(2, features + 1):
        names = []
        for centre in np.round(centres, DIGITS):
            furthest = np.argsort(-np.abs(centre), kind="stable")[:used]
            terms = [words[feature][0 if centre[feature] > 0 else 1] for feature in furthest]
            names.append(" & ".join([", ".join(terms[:-1]), terms[-1]]).capitalize())
        if len(set(names)) == len(names):
            return names
    return [f"{name} ({number})" for number, name in enumerate(names, start=1)]


def distinguishing_features(centres: FloatArray, features: Sequence[str]) -> list[str]:
    """For each centre the two features furthest from the mean: 'energy (1.4 standard deviations above the mean) and'.

    Args:
        centres: (k, features), in standard deviations from the mean.
        features: their names.
    """
    return [
        " and ".join(
            f"{features[i]} ({abs(centre[i]):.1f} standard deviations {'above' if centre[i] > 0 else 'below'} the mean)"
            for i in np.argsort(-np.abs(centre), kind="stable")[:2]
        )
        for centre in np.round(centres, DIGITS)
    ]
