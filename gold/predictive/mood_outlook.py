"""What music can be expected on the next seven days, and is that expectation any better than a simpler one?"""

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.learning.outlook import ALPHA, DAYS_AHEAD, ENOUGH_DAYS, outlooks
from gold.shared.caveats import MEASURED
from gold.shared.wording import rounded
from lakehouse.contract import expression, in_range, table
from silver.rules.bounded import in_pandas
from silver.rules.feature_source import is_measured

# The mean of fewer plays says little about a day.
ENOUGH_PLAYS = 3
# Dates of 54 years.
MAX_DATES = 20_000
FORECAST = {"valence": 1.0, "energy": 1.0, "plays": np.inf}


@table(
    grain="One row per listener and coming local date, the 7 after that of the last play.",
    key="listener date",
    columns=(
        "listener date horizon_days expected_valence valence_lower_90 valence_upper_90 expected_energy energy_lower_90 "
        "energy_upper_90 expected_plays plays_lower_90 plays_upper_90 method skill_vs_seasonal_naive skill_vs_mean "
        "energy_skill_vs_seasonal_naive energy_skill_vs_mean plays_skill_vs_seasonal_naive plays_skill_vs_mean"
    ),
    checks=[
        in_range("horizon_days", 1, DAYS_AHEAD),
        in_range("expected_valence", 0, 1),
        in_range("expected_energy", 0, 1),
        *(
            expression(f"{name} interval is not upside down", f"{name}_lower_90 <= {name}_upper_90")
            for name in FORECAST
        ),
    ],
    caveats=(*MEASURED, "single_listener"),
)
def mood_outlook(listening_with_features: DataFrame) -> DataFrame:
    """An exponentially weighted mean of the daily means of the measured plays, and of the daily number of plays.

    A day's valence and energy count from 3 measured plays on. A date without plays counts as 0 plays; the date of the
    last play, which may be unfinished, does not count for the number of plays. Intervals and skills come from the
    rolling-origin backtest of `outlook.outlooks`, each for its own horizon, and are null below 20 backtested days; the
    expectation is null below 14 days. A skill of 0 or less means that the simpler forecast is as good.
    skill_vs_seasonal_naive and skill_vs_mean are those of valence. The interval is that of a single day with at least 3
    measured plays.
    """
    measured = F.when(is_measured(), F.col("valence"))
    by_date = listening_with_features.groupBy("listener", "date").agg(
        F.count(F.lit(1)).alias("plays"),
        F.count(measured).alias("measured_plays"),
        *(rounded(F.avg(F.when(is_measured(), F.col(name)))).alias(name) for name in ("valence", "energy")),
    )
    bounds = ", ".join(
        f"expected_{name} double, {name}_lower_90 double, {name}_upper_90 double, "
        f"{name}_skill_vs_seasonal_naive double, {name}_skill_vs_mean double"
        for name in FORECAST
    )
    coming = in_pandas(
        by_date, _coming_days, f"date date, horizon_days int, method string, {bounds}", key="date", max_rows=MAX_DATES
    )
    return coming.select(
        "listener", "date", "horizon_days", "expected_valence", "valence_lower_90", "valence_upper_90",
        "expected_energy", "energy_lower_90", "energy_upper_90", "expected_plays", "plays_lower_90", "plays_upper_90",
        "method", F.col("valence_skill_vs_seasonal_naive").alias("skill_vs_seasonal_naive"),
        F.col("valence_skill_vs_mean").alias("skill_vs_mean"), "energy_skill_vs_seasonal_naive",
        "energy_skill_vs_mean", "plays_skill_vs_seasonal_naive", "plays_skill_vs_mean",
    )  # fmt: skip


def _coming_days(by_date: pd.DataFrame) -> pd.DataFrame:
    days = by_date.set_index(pd.DatetimeIndex(by_date["date"]))
    days = days.reindex(pd.date_range(days.index.min(), days.index.max(), freq="D"))
    known = days["measured_plays"] >= ENOUGH_PLAYS
    finished = days["plays"].fillna(0.0).where(days.index < days.index.max())
    series = {name: days[name].where(known) for name in ("valence", "energy")} | {"plays": finished}
    coming = pd.date_range(days.index.max(), periods=DAYS_AHEAD + 1, freq="D")[1:]
    columns: dict[str, object] = {
        "date": coming.date, "horizon_days": range(1, DAYS_AHEAD + 1), "method": _method(int(known.sum())),
    }  # fmt: skip
    for name, highest in FORECAST.items():
        found = outlooks(series[name].astype(float), highest)
        columns |= {
            f"expected_{name}": [outlook.expected for outlook in found],
            f"{name}_lower_90": [outlook.lower for outlook in found],
            f"{name}_upper_90": [outlook.upper for outlook in found],
            f"{name}_skill_vs_seasonal_naive": [outlook.skill_vs_seasonal_naive for outlook in found],
            f"{name}_skill_vs_mean": [outlook.skill_vs_mean for outlook in found],
        }
    return pd.DataFrame(columns)


def _method(known_days: int) -> str:
    said = f"{known_days} days with at least {ENOUGH_PLAYS} measured plays"
    if known_days < ENOUGH_DAYS:
        return f"none for valence and energy: {said}, fewer than {ENOUGH_DAYS}"
    return f"exponentially weighted mean, alpha {ALPHA}, of {said}"
