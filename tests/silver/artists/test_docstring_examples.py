"""The examples in docstrings hold."""

import doctest
from importlib import import_module

import pytest

from lakehouse import PACKAGES, PROJECT

EXAMPLE = ">>> "
MODULES = {
    ".".join(file.relative_to(PROJECT).with_suffix("").parts): file.read_text(encoding="utf-8").count(EXAMPLE)
    for package in PACKAGES
    for file in sorted((PROJECT / package).rglob("*.py"))
    if EXAMPLE in file.read_text(encoding="utf-8")
}


def test_examples_are_found() -> None:
    assert {"silver.artists.artist_names", "lakehouse.models.artifacts"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_of_a_module_holds(name: str) -> None:
    failed, attempted = doctest.testmod(import_module(name))
    assert (failed, attempted) == (0, MODULES[name])
