"""The benchmark says which limits are kept, on made-up figures."""

from dataclasses import replace

import pytest

from benchmarks.dashboards import DashboardTimes, SupersetFigures
from benchmarks.limits import LIMITS, judge, medians
from benchmarks.listeners import BUILT, FEW, FEW_ALONE
from benchmarks.pipeline import BY_DUCKDB, EIGHT_STARTS, IMPORT, STEPS
from benchmarks.processes import Measure
from benchmarks.queries import QueryTimes, TrinoFigures


def run(scenario: str, wall_s: float, peak_mb: float = 1.0) -> Measure:
    return Measure(scenario, wall_s=wall_s, cpu_s=1.0, peak_mb=peak_mb, written_mb=0.0)


@pytest.mark.parametrize(
    ("seconds", "word", "is_missed"), [(2.0, "kept", False), (2.1, "missed", True), (None, "not measured", False)]
)
def test_a_limit_is_kept_up_to_its_value(seconds: float | None, word: str, is_missed: bool) -> None:
    [verdict] = judge({"run, s": seconds} if seconds else {}, {"run, s": 2})
    assert (verdict.word, verdict.is_missed) == (word, is_missed)


def test_the_median_of_several_runs_counts() -> None:
    runs = [run("real data: run without news", wall_s) for wall_s in (1.0, 1.5, 60.0)]
    assert medians(runs, [], [])["real data: run without news, s"] == 1.5


def test_ratios_are_of_medians_within_one_dataset() -> None:
    runs = [run(f"{name}: full run, models up to date", wall_s) for name, wall_s in (("a", 3), ("a", 5), ("b", 50))]
    runs += [run(f"a: {EIGHT_STARTS}", 8.0)]
    found = medians(runs, [], [])
    assert {figure: ratio for figure, ratio in found.items() if " over " in figure} == {
        "a: full run over eight starts": 0.5
    }


def test_the_limits_are_on_figures_as_the_benchmark_names_them() -> None:
    scenarios = (
        "full run with training", "full run, models up to date", "run with few new plays", "run without news",
        "nine diagnostic and cognitive tables", "training of all models", IMPORT,
    )  # fmt: skip
    datasets = ("1,504 plays", "real data", "1,000,000 plays", "10,000,000 plays")
    runs = [run(f"{dataset}: {scenario}", 1e6, 1e6) for dataset in datasets for scenario in scenarios]
    runs += [run(f"{dataset}: {EIGHT_STARTS}", 1e6) for dataset in datasets]
    largest = datasets[-1]
    runs += [run(f"{largest}: {STEPS['descriptive_and_diagnostic']}", 7.0), run(f"{largest}: {BY_DUCKDB}", 1.0)]
    many = "100 listeners of 100,000 plays"
    runs += [
        replace(run(f"{many}: {BUILT}", 1.0, 5_001.0), written_mb=49.0),
        replace(run(f"{many}: {FEW}", 1.0), cpu_s=2.1, written_mb=1.0),
        run(f"{many}: {FEW_ALONE}", 1.0),
    ]
    lakes = ("demo data", "real data")
    queries = [QueryTimes("slow", median_s=0.9, p95_s=1.1), QueryTimes("fast", median_s=0.1, p95_s=0.1)]
    trino = [TrinoFigures(lake, healthy_s=31.0, resident_mb=1_001.0, queries=queries) for lake in lakes]
    dashboards = [
        DashboardTimes(slug, charts=1, cold_s=cold_s, warm_s=warm_s, drawn_s=1.0)
        for slug, cold_s, warm_s in (("slow when cold", 5.1, 0.1), ("slow when warm", 1.0, 1.1))
    ]
    superset = [SupersetFigures(lake, 1.0, 91.0, 1.0, dashboards, {}) for lake in lakes]
    verdicts = {verdict.figure: verdict.word for verdict in judge(medians(runs, trino, superset))}
    assert verdicts == dict.fromkeys(LIMITS, "missed") | {"real data: run without news, CPU s": "kept"}
