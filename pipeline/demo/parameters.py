"""The parameters of the demo data, which are also the truths planted in it."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

Parameters = Mapping[str, Any]


OTHERS = "others"


def load_parameters() -> Parameters:
    """The sections of `parameters.toml`."""
    text = files("pipeline.demo").joinpath("parameters.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def of_others(parameters: Parameters) -> Mapping[str, Parameters]:
    """The parameters of each further listener, by name: the sections of the first one, with what differs."""
    sections = {name: section for name, section in parameters.items() if name != OTHERS}
    return {
        name: sections | {section: sections[section] | changed for section, changed in differing.items()}
        for name, differing in parameters[OTHERS].items()
    }
