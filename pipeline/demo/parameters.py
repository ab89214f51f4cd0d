"""The parameters of the demo data, which are also the truths planted in it."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

Parameters = Mapping[str, Any]


def load_parameters() -> Parameters:
    """The sections of `parameters.toml`."""
    text = files("pipeline.demo").joinpath("parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
