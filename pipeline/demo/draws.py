"""Random draws that several parts of the demo data share."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.demo.parameters import Parameters

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def random_between(bounds: Sequence[int], rng: np.random.Generator) -> int:
    """A whole number from the first bound to the second, both included."""
    return int(rng.integers(bounds[0], bounds[1], endpoint=True))


def pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    """One of the choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def random_duration_ms(shape: Parameters, rng: np.random.Generator) -> int:
    """The length of a track in milliseconds: lognormal, cut to a range."""
    duration = shape["median_duration_ms"] * np.exp(rng.normal(0, shape["duration_spread"]))
    return round(float(np.clip(duration, *shape["duration_range_ms"])))
