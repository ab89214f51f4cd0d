"""What the figures may be at most, and whether they are."""

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from benchmarks.dashboards import SupersetFigures
from benchmarks.listeners import BUILT, FEW, FEW_ALONE
from benchmarks.pipeline import BY_DUCKDB, EIGHT_STARTS, IMPORT, STEPS
from benchmarks.processes import Measure
from benchmarks.queries import TrinoFigures

SECONDS, CPU_SECONDS, PEAK_MB, WRITTEN_MB = "s", "CPU s", "peak MB", "written MB"
FULL = "full run, models up to date"
# Of two times measured one after the other: machine and load cancel out.
RATIOS = {
    "full run over eight starts": (FULL, EIGHT_STARTS, SECONDS),
    "ours over DuckDB's": (STEPS["descriptive_and_diagnostic"], BY_DUCKDB, SECONDS),
    "few new plays over full run": (FEW, FULL, SECONDS),
    "few new plays among many listeners over alone": (FEW, FEW_ALONE, CPU_SECONDS),
    "written by few new plays over the lake": (FEW, BUILT, WRITTEN_MB),
}
LIMITS = {
    f"real data: full run with training, {SECONDS}": 90,
    f"real data: full run with training, {PEAK_MB}": 3_000,
    f"real data: full run, models up to date, {SECONDS}": 60,
    f"real data: run with few new plays, {SECONDS}": 30,
    f"real data: run without news, {SECONDS}": 2,
    f"real data: run without news, {CPU_SECONDS}": 1,
    f"real data: {STEPS['diagnostic_and_cognitive']}, {SECONDS}": 30,
    f"real data: training of all models, {SECONDS}": 180,
    f"real data: training of all models, {PEAK_MB}": 3_000,
    "real data: full run over eight starts": 1 / 3,
    "1,504 plays: full run over eight starts": 1 / 3,
    "10,000,000 plays: ours over DuckDB's": 6,
    "10,000,000 plays: few new plays over full run": 1 / 5,
    f"10,000,000 plays: full run, models up to date, {PEAK_MB}": 6_000,
    "100 listeners of 100,000 plays: few new plays among many listeners over alone": 2,
    "100 listeners of 100,000 plays: written by few new plays over the lake": 0.02,
    f"100 listeners of 100,000 plays: {BUILT}, {PEAK_MB}": 5_000,
    f"1,000,000 plays: {IMPORT}, {SECONDS}": 60,
    f"1,000,000 plays: {IMPORT}, {PEAK_MB}": 1_000,
    f"1,504 plays: full run with training, {SECONDS}": 90,
    f"1,504 plays: full run, models up to date, {SECONDS}": 45,
    f"1,504 plays: full run, models up to date, {PEAK_MB}": 1_500,
    **{
        f"{lake}: {what}": most
        for lake in ("demo data", "real data")
        for what, most in {
            "Trino healthy, s": 30,
            "Trino at rest, MB": 1_000,
            "slowest query, p95 s": 1,
            "Superset from empty metadata to drawn, s": 90,
            "slowest dashboard cold, s": 5,
            "slowest dashboard warm, s": 1,
        }.items()
    },
}


@dataclass(frozen=True)
class Verdict:
    """One limit and what was measured, None where it was not."""

    figure: str
    most: float
    measured: float | None

    @property
    def is_missed(self) -> bool:
        """Whether it was measured and is too much."""
        return self.measured is not None and self.measured > self.most

    @property
    def word(self) -> str:
        """The verdict."""
        return "not measured" if self.measured is None else "missed" if self.is_missed else "kept"


def judge(medians: Mapping[str, float], limits: Mapping[str, float] = LIMITS) -> list[Verdict]:
    """A verdict on each limit, in their order."""
    return [Verdict(figure, most, medians.get(figure)) for figure, most in limits.items()]


def medians(
    runs: Iterable[Measure], trino: Iterable[TrinoFigures], superset: Iterable[SupersetFigures]
) -> dict[str, float]:
    """The medians of all figures, by the names that the limits have."""
    values: dict[str, list[float]] = {}
    for run in runs:
        units = {SECONDS: run.wall_s, CPU_SECONDS: run.cpu_s, PEAK_MB: run.peak_mb, WRITTEN_MB: run.written_mb}
        for unit, value in units.items():
            values.setdefault(f"{run.scenario}, {unit}", []).append(value)
    for server in trino:
        values[f"{server.lake}: Trino healthy, s"] = [server.healthy_s]
        values[f"{server.lake}: Trino at rest, MB"] = [server.resident_mb]
        values[f"{server.lake}: slowest query, p95 s"] = [max(query.p95_s for query in server.queries)]
    for shown in superset:
        values[f"{shown.lake}: Superset from empty metadata to drawn, s"] = [shown.rendered_s]
        values[f"{shown.lake}: slowest dashboard cold, s"] = [max(times.cold_s for times in shown.dashboards)]
        values[f"{shown.lake}: slowest dashboard warm, s"] = [max(times.warm_s for times in shown.dashboards)]
    found = {figure: statistics.median(measured) for figure, measured in values.items()}
    return found | _ratios(found)


def _ratios(found: Mapping[str, float]) -> dict[str, float]:
    datasets = dict.fromkeys(figure.split(": ")[0] for figure in found)
    times = {
        f"{dataset}: {name}": [found.get(f"{dataset}: {scenario}, {unit}") for scenario in scenarios]
        for dataset in datasets
        for name, (*scenarios, unit) in RATIOS.items()
    }
    return {name: one / other for name, (one, other) in times.items() if one is not None and other}
