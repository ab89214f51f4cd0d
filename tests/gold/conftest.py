"""One small world for the tests of all predictive tables."""

import pytest

from tests.gold.learning.small_models import World, usual_world


@pytest.fixture(scope="session")
def small_world() -> World:
    """A small catalogue with its models and a listener."""
    return usual_world()
