"""What sets the music of each part of the day apart from the rest of the day?"""

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame

from gold.shared import cluster_robust
from gold.shared.caveats import TESTED_BY_TIME
from gold.shared.wording import DIGITS
from lakehouse.contract import accepted_values, expression, in_range, table
from lakehouse.contract.columns import CONTINUOUS_FEATURES
from silver.plays_by_hour import deviation, mean, plays
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_featured, is_measured
from silver.sampled_plays import MAX_PLAYS

# Key, mode and time signature are codes, whose means are meaningless.
CANDIDATES = CONTINUOUS_FEATURES
AVERAGED = ("valence", "energy", "danceability", "acousticness", "instrumentalness", "tempo")
DRIVER = ("top_driver", "driver_effect_size", "driver_ci_low", "driver_ci_high")


@table(
    grain="One row per listener and part of day with at least one play.",
    key="listener part_of_day",
    columns=(
        "listener part_of_day total_plays avg_valence avg_energy avg_danceability avg_acousticness "
        "avg_instrumentalness avg_tempo featured_play_count sample_size valence_stddev energy_stddev top_driver "
        "driver_effect_size driver_ci_low driver_ci_high"
    ),
    checks=[
        accepted_values("part_of_day", "morning", "afternoon", "evening", "night"),
        accepted_values("top_driver", *CANDIDATES),
        in_range("avg_valence", 0, 1),
        expression("interval is not upside down", "driver_ci_low <= driver_ci_high"),
    ],
    caveats=TESTED_BY_TIME,
)
def part_of_day_drivers(plays_by_hour: DataFrame, sampled_plays: DataFrame) -> DataFrame:
    """Averages use featured plays; spread and driver measured ones, because estimates vary too little.

    The top driver is the feature with the largest absolute Cohen's d: its mean here minus that of all other parts of
    the day, in pooled standard deviations (Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences",
    section 2.2). Its interval is that of `cluster_robust.of_difference` in the same unit, widened for the choice among
    all candidates (Bonferroni): if it contains zero, no feature reliably sets this part of the day apart.
    """
    by_part = plays_by_hour.groupBy("listener", "part_of_day").agg(
        plays().alias("total_plays"),
        *(mean(name).alias(f"avg_{name}") for name in AVERAGED),
        plays(is_featured()).alias("featured_play_count"),
        plays(is_measured()).alias("sample_size"),
        *(deviation(name, is_measured()).alias(f"{name}_stddev") for name in ("valence", "energy")),
    )
    drivers = in_pandas(
        sampled_plays.select("listener", "play_id", "part_of_day", "recording_key", "date", *CANDIDATES),
        _drivers,
        "part_of_day string, top_driver string, driver_effect_size double, driver_ci_low double, driver_ci_high double",
        key="play_id",
        max_rows=MAX_PLAYS,
    )
    return by_part.join(drivers, on=["listener", "part_of_day"], how="left").select(
        "listener", "part_of_day", "total_plays", *(f"avg_{name}" for name in AVERAGED), "featured_play_count",
        "sample_size", "valence_stddev", "energy_stddev", *DRIVER,
    )  # fmt: skip


def _drivers(plays: pd.DataFrame) -> pd.DataFrame:
    """The top driver of each part of the day that has one."""
    rows = []
    for part in sorted(plays["part_of_day"].unique()):
        inside = plays["part_of_day"] == part
        effects = {name: round(_cohens_d(plays[name], inside), DIGITS) for name in CANDIDATES}
        known = [name for name in CANDIDATES if np.isfinite(effects[name])]
        if known:
            top = max(known, key=lambda name: abs(effects[name]))  # among equals the first in the fixed order
            rows.append((part, top, effects[top], *_interval(plays, top, inside)))
    return pd.DataFrame(rows, columns=["part_of_day", *DRIVER])


def _interval(plays: pd.DataFrame, feature: str, inside: pd.Series) -> tuple[float, float]:
    confidence = 1 - (1 - cluster_robust.CONFIDENCE) / len(CANDIDATES)
    found = cluster_robust.of_difference(plays, feature, inside, confidence)
    deviation = _pooled_deviation(plays.loc[inside, feature], plays.loc[~inside, feature])
    return found.ci_low / deviation, found.ci_high / deviation


def _cohens_d(values: pd.Series, inside: pd.Series) -> float:
    """Cohen's d of the values inside against the others; NaN below two values on a side or without spread."""
    here, elsewhere = values[inside], values[~inside]
    deviation = _pooled_deviation(here, elsewhere)
    return float((here.mean() - elsewhere.mean()) / deviation) if deviation > 0 else np.nan


def _pooled_deviation(here: pd.Series, elsewhere: pd.Series) -> float:
    freedom, freedom_elsewhere = here.notna().sum() - 1, elsewhere.notna().sum() - 1
    squares = freedom * here.var() + freedom_elsewhere * elsewhere.var()
    return float(np.sqrt(squares / (freedom + freedom_elsewhere)))
