"""What a table promises: purpose, grain, key, columns, checks and caveats, declared above its transform.

A contract is data until the writer enforces it (`lakehouse.storage`), so importing a table starts no Spark. Models are
nodes of the same graph.
"""

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from lakehouse.columns import COLUMNS, Column

Severity = Literal["fail", "warn"]

# Caveats are codes, so that every table says the same thing the same way.
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
    "synthetic_features": "Made-up features, present only when ALLOW_SYNTHETIC is on.",
}


@dataclass(frozen=True)
class Check:
    """One rule for the rows of a table.

    Attributes:
        name: what must hold, as shown in `ops.quality_results`.
        failing: Spark SQL condition that is true for a row that breaks the rule.
        severity: 'fail' refuses the whole frame, 'warn' only reports.
    """

    name: str
    failing: str
    severity: Severity = "fail"


def not_null(column: str, severity: Severity = "fail") -> Check:
    """The column is never null."""
    return Check(f"not_null({column})", f"`{column}` IS NULL", severity)


def in_range(column: str, low: float, high: float, severity: Severity = "fail") -> Check:
    """The column lies within [low, high] where it is not null; NaN is outside."""
    return Check(
        f"in_range({column}, {low}, {high})",
        f"`{column}` IS NOT NULL AND NOT (`{column}` >= {low} AND `{column}` <= {high})",
        severity,
    )


def accepted_values(column: str, *values: str, severity: Severity = "fail") -> Check:
    """The column holds only these values, or null."""
    listed = ", ".join(f"'{_escaped(value)}'" for value in values)
    return Check(f"accepted_values({column})", f"`{column}` IS NOT NULL AND `{column}` NOT IN ({listed})", severity)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def expression(name: str, condition: str, severity: Severity = "fail") -> Check:
    """The Spark SQL condition is true, or null, for every row."""
    return Check(name, f"NOT ({condition})", severity)


@dataclass(frozen=True)
class Growth:
    """How a large table takes in new rows of one input: by what lies behind an instant, instead of being made anew.

    Attributes:
        input: the input that grows.
        by: the column of instants, of the table and of that input.
        settled_before: gets the table's rows and the instant of the earliest row of the input that is new or concerned,
            and returns a frame of one instant. The table's rows before it do not change, and the others are made of the
            input's from it on; null where nobody can tell. Instants are microseconds since 1970, in UTC. None where
            each row is made of one of the input's alone: the instant is that earliest row's.
        joined: other inputs, whose rows concern those of the input with the same key, and no others. So where the
            input's rows are few, the transform gets only those rows of the joined inputs that have one of their keys.
        key_of: tells that key of the input's rows.
        of_few: makes what the transform makes of the arguments that it would get, sooner where the input's rows are
            few; None where the transform is as good.
    """

    input: str
    by: str
    settled_before: Callable[[Any, int], Any] | None = None
    joined: tuple[str, ...] = ()
    key_of: Callable[[], Any] | None = None
    of_few: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Summary:
    """When new rows of one input change nothing in a large table that sums them up, so that it need not be made anew.

    Attributes:
        input: the input that grows.
        adds: gets new rows of that input and the table's, and returns those of the new ones that may change the table.
    """

    input: str
    adds: Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Update:
    """How a small table that sums up a large input takes in new rows of it, without looking through it all.

    Attributes:
        input: the input that grows.
        updated: gets the table's rows, all of the input's and the new ones, and returns what the table holds now.
        by: a column of that input; where more than few rows are as new by it as the first new one, the table is made
            anew. None where that does not matter.
    """

    input: str
    updated: Callable[[Any, Any, Any], Any]
    by: str | None = None


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
        growth: how it takes in new rows once it is large; None where it is always made anew.
        summary: when new rows change nothing in it once it is large; None where nobody can tell.
        update: how it takes in new rows of an input that is large; None where it is always made anew.
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
    growth: Growth | None = None
    summary: Summary | None = None
    update: Update | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the transform."""
        if self.transform is None:
            raise TypeError(f"{self.name} is filled by an import, it has no transform")
        return self.transform(*args, **kwargs)

    def taken_from(self, settings: Any) -> dict[str, Any]:
        """The transform's keyword arguments, out of the settings."""
        return {name: getattr(settings, name) for name in self.parameters}

    @property
    def location(self) -> str:
        """Folder below the lake's root."""
        return "/".join(part for part in (self.layer, self.group, self.name) if part)

    @property
    def trino_schema(self) -> str:
        """Schema in Trino's catalog `delta`."""
        return "ops" if self.layer == "ops" else "default"

    @property
    def promise(self) -> tuple[Any, ...]:
        """What is declared beside the code; a change of it makes the table anew."""
        return self.grain, self.key, self.columns, self.checks, self.caveats, self.min_rows

    @property
    def all_checks(self) -> tuple[Check, ...]:
        """The row checks, with the not-null ones that the key implies."""
        implied = tuple(not_null(column) for column in self.key)
        return implied + tuple(check for check in self.checks if check not in implied)


@dataclass(frozen=True)
class Model:
    """A trained model: a node of the graph, kept as an artifact instead of a table. Calling it trains.

    Attributes:
        name: module, function, parameter of the transforms that use it, and folder below models/.
        layer: of the module; models are read like tables of that layer.
        module: dotted name of the module that declares it.
        purpose: first line of the module's docstring.
        inputs: names of the tables it is trained on, taken from its parameters.
        max_rows: most rows of each input that it is trained on.
        transform: trains: pandas frames in, `lakehouse.artifacts.Trained` out.
        parameters: settings it takes; none, parameters of models are code.
    """

    name: str
    layer: str
    module: str
    purpose: str
    inputs: tuple[str, ...]
    max_rows: int
    transform: Callable[..., Any]
    parameters: tuple[str, ...] = ()

    def __call__(self, *args: Any) -> Any:
        """Train."""
        return self.transform(*args)

    @property
    def location(self) -> str:
        """Folder below the lake's root; each version has one of its own below that."""
        return f"models/{self.name}"

    @property
    def promise(self) -> tuple[Any, ...]:
        """What is declared beside the code; a change of it trains anew."""
        return (self.max_rows,)


Node = Table | Model


def model(*, max_rows: int) -> Callable[[Callable[..., Any]], Model]:
    """Declare the model that the decorated function trains; its parameters name the tables it is trained on.

    Args:
        max_rows: most rows of each input; above that the function gets those with the smallest hash of their key.
    """

    def declare(train: Callable[..., Any]) -> Model:
        return Model(
            name=train.__name__,
            layer=train.__module__.split(".")[0],
            module=train.__module__,
            purpose=_purpose(train.__module__),
            inputs=tuple(inspect.signature(train).parameters),
            max_rows=max_rows,
            transform=train,
        )

    return declare


def table(
    *,
    grain: str,
    key: str,
    columns: str,
    checks: Sequence[Check] = (),
    caveats: Sequence[str] = (),
    min_rows: int = 0,
    growth: Growth | None = None,
    summary: Summary | None = None,
    update: Update | None = None,
) -> Callable[[Callable[..., Any]], Table]:
    """Declare the table that the decorated transform makes.

    The transform's positional parameters name its input tables, its keyword-only ones the settings it takes. Layer
    and group come from the module's place, the purpose from the module's docstring.

    Args:
        grain: "One row per ...".
        key: names of the key columns, separated by blanks.
        columns: names of all columns in order, separated by blanks; see `lakehouse.columns`.
        checks: rules beyond the key, which is always checked.
        caveats: codes from `CAVEATS`.
        min_rows: fewer rows than this are reported as a warning.
        growth: how the table takes in new rows once it is large.
        summary: when new rows change nothing in the table once it is large.
        update: how the table takes in new rows of an input that is large.
    """

    def declare(transform: Callable[..., Any]) -> Table:
        positional: list[str] = []
        keyword_only: list[str] = []
        for parameter in inspect.signature(transform).parameters.values():
            (keyword_only if parameter.kind is parameter.KEYWORD_ONLY else positional).append(parameter.name)
        declared = _declared(
            transform.__name__, transform.__module__, grain, key, columns, checks, caveats, min_rows,
            tuple(positional), tuple(keyword_only), transform,
        )  # fmt: skip
        return replace(declared, growth=growth, summary=summary, update=update)

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
    """Declare a table that an import or the runner fills, not a transform. See `table` for the arguments."""
    return _declared(name, module, grain, key, columns, checks, caveats, 0, (), (), None)


def _declared(
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
        raise ValueError(f"{module}: not in lakehouse.columns or CAVEATS: {', '.join(unknown)}")
    missing = [column for column in key.split() if column not in names]
    if missing:
        raise ValueError(f"{module}: key columns that the table does not have: {', '.join(missing)}")
    repeated = _repeated(names) + _repeated([check.name for check in checks])
    if repeated:
        raise ValueError(f"{module}: columns or checks named twice: {', '.join(repeated)}")
    parts = module.split(".")
    layer = "ops" if parts[0] == "lakehouse" else parts[0]
    return Table(
        name=name,
        layer=layer,
        group=parts[1] if layer == "gold" else "",
        module=module,
        purpose=_purpose(module),
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


def _purpose(module: str) -> str:
    """First line of the module's docstring."""
    return (sys.modules[module].__doc__ or "").strip().split("\n", 1)[0]


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})
