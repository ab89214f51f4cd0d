"""Would the listener have played what is recommended? The last 30 dates are hidden and the lists made without them."""

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.prescriptive.listed_songs import JUDGED_LENGTH, LISTS, MOST_PLAYED
from gold.shared.song_lists import RECOMMENDATIONS
from gold.shared.songs import HIDDEN_DAYS
from gold.shared.wording import DIGITS
from lakehouse.contract import in_range, table
from silver.rules.bounded import in_pandas

NEW_ONLY = f"{RECOMMENDATIONS.name}, new to you"
MAX_LISTED = sum(song_list.known + song_list.new for song_list in LISTS) + JUDGED_LENGTH
CONFIDENCE = 0.95
FIGURES = ("hit_rate", "ci_low", "ci_high", "random_hit_rate", "most_played_hit_rate", "lift")
COLUMNS = ["method", "list_size", "hit_count", *FIGURES, "note"]


@table(
    grain="One row per listener and list of recordings: recommendations, playlists, and the most played as a baseline.",
    key="listener method",
    columns=(
        "listener method hidden_from_date list_size hit_count hit_rate ci_low ci_high random_hit_rate "
        "most_played_hit_rate lift note"
    ),
    checks=[in_range(name, 0, 1) for name in ("hit_rate", "random_hit_rate", "most_played_hit_rate")],
    caveats=["features_from_catalogue", "measured_only", "single_listener"],
)
def recommendation_backtest(listening_with_features: DataFrame, listed_songs: DataFrame) -> DataFrame:
    """Lists made from the plays before the last 30 local dates; a hit is a recording played in these 30 dates.

    Each list counts with its 25 highest scores. random_hit_rate is the expected hit rate of as many recordings drawn at
    random, with as many new ones as in the list, see `listed_songs`. lift is hit_rate over random_hit_rate;
    ci_low and ci_high are the 95 % interval of hit_rate (Clopper and Pearson 1934, "The use of confidence or fiducial
    limits illustrated in the case of the binomial", Biometrika 26(4)). No rows where the visible plays are too few for
    a list.
    """
    last = listening_with_features.groupBy("listener").agg(
        F.date_sub(F.max("date"), HIDDEN_DAYS - 1).alias("hidden_from_date")
    )
    backtested = listed_songs.where(F.col("hidden_days") > 0)
    evaluated = in_pandas(
        backtested.select("listener", "playlist_name", "choice", "is_new_to_you", "is_hit", "random_hit_rate"),
        _evaluate,
        f"method string, list_size bigint, hit_count bigint, {' double, '.join(FIGURES)} double, note string",
        key=["playlist_name", "choice"],
        max_rows=MAX_LISTED,
    )
    return evaluated.join(F.broadcast(last), on="listener", how="inner").select(
        "listener", "method", "hidden_from_date", "list_size", "hit_count", "hit_rate", "ci_low", "ci_high",
        "random_hit_rate", "most_played_hit_rate", "lift", "note",
    )  # fmt: skip


def _evaluate(songs: pd.DataFrame) -> pd.DataFrame:
    """One row per list; the songs are sorted by score."""
    lists = {str(name): of_list.head(JUDGED_LENGTH) for name, of_list in songs.groupby("playlist_name")}
    of_recommended = songs[songs["playlist_name"] == RECOMMENDATIONS.name]
    lists[NEW_ONLY] = of_recommended[of_recommended["is_new_to_you"]].head(JUDGED_LENGTH)
    of_most_played = float(lists[MOST_PLAYED]["is_hit"].mean())
    figures = {name: _figures(of_list, of_most_played) for name, of_list in lists.items() if len(of_list)}
    rows = [{"method": name, **of_list, "note": _note(name, of_list)} for name, of_list in figures.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(of_list: pd.DataFrame, most_played_hit_rate: float) -> dict[str, float]:
    size, count = len(of_list), int(of_list["is_hit"].sum())
    low, high = _interval(count, size)
    at_random = round(float(of_list["random_hit_rate"].mean()), DIGITS)
    return {
        "list_size": size,
        "hit_count": count,
        "hit_rate": count / size,
        "ci_low": low,
        "ci_high": high,
        "random_hit_rate": at_random,
        "most_played_hit_rate": most_played_hit_rate,
        "lift": count / size / at_random if at_random > 0 else np.nan,
    }


def _interval(count: int, size: int) -> tuple[float, float]:
    from scipy import stats  # takes seconds to load, and only this task needs it

    low, high = stats.binomtest(count, size).proportion_ci(CONFIDENCE, method="exact")
    return float(low), float(high)


def _note(name: str, figures: dict[str, float]) -> str:
    over_random = _compare(figures, "random_hit_rate", "random")
    said = f"Played in the hidden {HIDDEN_DAYS} dates: {figures['hit_count']:.0f} of {figures['list_size']:.0f}"
    if name == MOST_PLAYED:
        return f"{said}; {over_random}."
    return f"{said}; {over_random}, {_compare(figures, 'most_played_hit_rate', 'the most played')}."


def _compare(figures: dict[str, float], baseline: str, name: str) -> str:
    """There is a lift when the whole interval lies above the baseline."""
    verdict = "more than" if figures["ci_low"] > figures[baseline] else "no lift over"
    return f"{verdict} {name} ({100 * figures[baseline]:.1f} %)"
