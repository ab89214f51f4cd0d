"""A table's contract: purpose, grain, key, columns, checks and caveats, declared above its transform.

A contract is data until the writer enforces it (`lakehouse.lake`), so importing a table starts no Spark.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lakehouse.contract.checks import Check, not_null
from lakehouse.contract.columns import COLUMNS, Column

# Caveats are codes, so that every table words them alike.
CAVEATS = {
    "features_from_catalogue": "Audio features exist only for plays whose track or recording is in a feature source; "
    "averages rest on those plays alone.",
    "features_estimated": "Includes plays whose features are estimated from the artist's other tracks.",
    "measured_only": "Plays with estimated or synthetic features are left out.",
    "tests_measured_only": "Spread, intervals and tests leave out plays with estimated or synthetic features.",
    "trained_on_catalogue": "The model was trained on the catalogue, not on this listener.",
    "track_not_listener": "Valence and energy describe the track, not the listener's mood.",
    "single_listener": "Describes one listener; nothing here generalises to other people.",
    "slices_not_types": "Groups are slices of a continuum, not natural types.",
    "clock_time_weak": "Hour and weekday say little about the mood of the music; see the interval.",
    "many_listeners": "Compares the 100 listeners with the most plays; of many listeners what each played most.",
    "synthetic_features": "Made-up features, present only when ALLOW_SYNTHETIC is on.",
}


# Types of analytics; each is a folder of gold.
GOLD_GROUPS = ("descriptive", "diagnostic", "predictive", "prescriptive", "cognitive")


@dataclass(frozen=True)
class Table:
    """A table's contract with its transform. Calling it calls the transform, so tests use it like the function.

    Attributes:
        name: module (silver and gold), function, Delta folder, Trino table and Superset dataset.
        layer: 'bronze', 'silver', 'gold' or 'ops'.
        group: the analytics type of a gold table, '' elsewhere.
        module: dotted name of the module that declares it.
        purpose: first line of the module's docstring.
        inputs: names of the tables the transform reads, taken from its parameters.
        parameters: names of the settings the transform takes, its keyword-only parameters.
        compares_listeners: whether a row rests on the rows of several listeners.
    """

    name: str
    layer: str
    group: str
    module: str
    purpose: str
    grain: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    checks: tuple[Check, ...]
    caveats: tuple[str, ...]
    min_rows: int
    inputs: tuple[str, ...]
    parameters: tuple[str, ...]
    transform: Callable[..., Any] | None
    compares_listeners: bool = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the transform."""
        if self.transform is None:
            raise TypeError(f"{self.name} is filled by an import, it has no transform")
        return self.transform(*args, **kwargs)

    def taken_from(self, settings: Any) -> dict[str, Any]:
        """The transform's keyword arguments, from the settings."""
        return {name: settings.parameter(name) for name in self.parameters}

    @property
    def location(self) -> str:
        """Folder below the lake's root."""
        return "/".join(part for part in (self.layer, self.group, self.name) if part)

    @property
    def is_by_listener(self) -> bool:
        """Whether each row is about one listener, so that listeners are built and stored apart."""
        return self.key[:1] == ("listener",) and not self.compares_listeners

    @property
    def trino_schema(self) -> str:
        """Schema in Trino's catalog `delta`."""
        return "ops" if self.layer == "ops" else "default"

    @property
    def promise(self) -> tuple[Any, ...]:
        """What is declared besides the code; when it changes, the table is rebuilt."""
        return self.grain, self.key, self.columns, self.checks, self.caveats, self.min_rows

    @property
    def all_checks(self) -> tuple[Check, ...]:
        """The row checks, including the not-null checks that the key implies."""
        implied = tuple(not_null(column) for column in self.key)
        return implied + tuple(check for check in self.checks if check not in implied)


def table(
    *,
    grain: str,
    key: str,
    columns: str,
    checks: Sequence[Check] = (),
    caveats: Sequence[str] = (),
    min_rows: int = 0,
    compares_listeners: bool = False,
) -> Callable[[Callable[..., Any]], Table]:
    """Declare the table that the decorated transform computes.

    The transform's positional parameters name its input tables, its keyword-only ones the settings it takes. Layer
    and group follow from the module's path, the purpose from its docstring.

    Args:
        grain: "One row per ...".
        key: names of the key columns, separated by spaces.
        columns: names of all columns in order, separated by spaces; see `lakehouse.contract.columns`.
        checks: rules beyond the key, which is always checked.
        caveats: codes from `CAVEATS`.
        min_rows: fewer rows than this are reported as a warning.
        compares_listeners: whether a row rests on the rows of several listeners, so that news of any concern all.
    """

    def declare(transform: Callable[..., Any]) -> Table:
        positional: list[str] = []
        keyword_only: list[str] = []
        for parameter in inspect.signature(transform).parameters.values():
            (keyword_only if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter.name)
        declared = _declare(
            transform.__name__, transform.__module__, grain, key, columns, checks, caveats, min_rows,
            tuple(positional), tuple(keyword_only), transform,
        )  # fmt: skip
        return replace(declared, compares_listeners=compares_listeners)

    return declare


def source_table(
    name: str,
    module: str,
    *,
    grain: str,
    key: str,
    columns: str,
    checks: Sequence[Check] = (),
    caveats: Sequence[str] = (),
) -> Table:
    """Declare a table that is filled by an import or by runs, not by a transform. See `table` for the arguments."""
    return _declare(name, module, grain, key, columns, checks, caveats, 0, (), (), None)


def _declare(
    name: str,
    module: str,
    grain: str,
    key: str,
    columns: str,
    checks: Sequence[Check],
    caveats: Sequence[str],
    min_rows: int,
    inputs: tuple[str, ...],
    parameters: tuple[str, ...],
    transform: Callable[..., Any] | None,
) -> Table:
    names = columns.split()
    unknown = [column for column in names if column not in COLUMNS] + [c for c in caveats if c not in CAVEATS]
    if unknown:
        raise ValueError(f"{module}: not in lakehouse.contract.columns or CAVEATS: {', '.join(unknown)}")
    missing = [column for column in key.split() if column not in names]
    if missing:
        raise ValueError(f"{module}: key columns that the table does not have: {', '.join(missing)}")
    duplicates = _duplicates(names) + _duplicates([check.name for check in checks])
    if duplicates:
        raise ValueError(f"{module}: columns or checks named twice: {', '.join(duplicates)}")
    parts = module.split(".")
    layer = "ops" if parts[0] == "lakehouse" else parts[0]
    return Table(
        name=name,
        layer=layer,
        group=parts[1] if layer == "gold" else "",
        module=module,
        purpose=purpose_of(module),
        grain=grain,
        key=tuple(key.split()),
        columns=tuple(COLUMNS[column] for column in names),
        checks=tuple(checks),
        caveats=tuple(caveats),
        min_rows=min_rows,
        inputs=inputs,
        parameters=parameters,
        transform=transform,
    )


def purpose_of(module: str) -> str:
    """First line of the module's docstring."""
    return (sys.modules[module].__doc__ or "").strip().split("\n", 1)[0]


def _duplicates(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
