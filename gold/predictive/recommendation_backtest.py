"""Would the listener have played what is recommended? The last 30 dates are hidden and the lists made without them."""

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from gold.prescriptive.song_lists import PLAYLISTS, RECOMMENDATIONS, listed
from gold.prescriptive.songs import KEY, MAX_SONGS, candidates, songs_of
from gold.wording import DIGITS
from lakehouse.bounded import in_pandas
from lakehouse.contract import in_range, table

HIDDEN_DAYS = 30
LENGTH = 25
MOST_PLAYED, NEW_ONLY = "Most played", f"{RECOMMENDATIONS.name}, new to you"
CONFIDENCE = 0.95
FIGURES = ("hit_rate", "ci_low", "ci_high", "random_hit_rate", "most_played_hit_rate", "lift")
COLUMNS = ["method", "list_size", "hit_count", *FIGURES, "note"]


@table(
    grain="One row per list of recordings: recommendations, playlists, and the most played as a baseline.",
    key="method",
    columns=(
        "method hidden_from_date list_size hit_count hit_rate ci_low ci_high random_hit_rate most_played_hit_rate lift "
        "note"
    ),
    checks=[in_range(name, 0, 1) for name in ("hit_rate", "random_hit_rate", "most_played_hit_rate")],
    caveats=["features_from_catalogue", "measured_only", "single_listener"],
)
def recommendation_backtest(listening_with_features: DataFrame, catalogue_tracks: DataFrame) -> DataFrame:
    """Lists made from the plays before the last 30 local dates; a hit is a recording played in these 30 dates.

    Each list counts with its 25 highest scores. random_hit_rate is what as many recordings drawn at random would be
    expected to reach, as many of them new as in the list: played ones among all that could be listed (for the most
    played: all that were played), new ones among all new candidates. lift is hit_rate over random_hit_rate; ci_low and
    ci_high are the 95 % interval of hit_rate (Clopper and Pearson 1934, "The use of confidence or fiducial limits
    illustrated in the case of the binomial", Biometrika 26(4)). No rows where the visible plays are too few for a list.
    """
    last = listening_with_features.agg(F.date_sub(F.max("date"), HIDDEN_DAYS - 1).alias("hidden_from_date"))
    evaluated = in_pandas(
        songs_of(listening_with_features, catalogue_tracks, HIDDEN_DAYS),
        _evaluated,
        f"method string, list_size bigint, hit_count bigint, {' double, '.join(FIGURES)} double, note string",
        key=KEY,
        max_rows=MAX_SONGS,
    )
    return evaluated.crossJoin(F.broadcast(last)).select(
        "method", "hidden_from_date", "list_size", "hit_count", "hit_rate", "ci_low", "ci_high", "random_hit_rate",
        "most_played_hit_rate", "lift", "note",
    )  # fmt: skip


def _evaluated(songs: pd.DataFrame) -> pd.DataFrame:
    hits = set(songs.loc[songs["hidden_plays"] > 0, "recording_key"])
    pool = candidates(songs)
    chosen = listed(songs, pool, (RECOMMENDATIONS, *PLAYLISTS))
    at_random = pool["recording_key"].isin(hits).groupby(pool["is_new_to_you"]).mean()
    plays = songs[songs["plays"] > 0].groupby("recording_key")["plays"].sum().rename("count").reset_index()
    most_played = plays.sort_values(["count", "recording_key"], ascending=[False, True]).head(LENGTH)
    best_first = chosen.sort_values(["list_name", "choice"]).assign(random=chosen["is_new_to_you"].map(at_random))
    lists = {str(name): of_list.head(LENGTH) for name, of_list in best_first.groupby("list_name", sort=False)}
    if not lists:
        return pd.DataFrame(columns=COLUMNS)
    of_recommended = best_first[best_first["list_name"] == RECOMMENDATIONS.name]
    lists[NEW_ONLY] = of_recommended[of_recommended["is_new_to_you"].astype(bool)].head(LENGTH)
    lists[MOST_PLAYED] = most_played.assign(random=plays["recording_key"].isin(hits).mean())
    of_most_played = float(most_played["recording_key"].isin(hits).mean())
    figures = {name: _figures(of_list, hits, of_most_played) for name, of_list in lists.items() if len(of_list)}
    rows = [{"method": name, **of_list, "note": _note(name, of_list)} for name, of_list in figures.items()]
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(of_list: pd.DataFrame, hits: set[str], most_played_hit_rate: float) -> dict[str, float]:
    size, count = len(of_list), int(of_list["recording_key"].isin(hits).sum())
    low, high = _interval(count, size)
    at_random = round(float(of_list["random"].astype(float).mean()), DIGITS)
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
    from scipy import stats  # takes seconds to import, which only the task that needs it should pay

    low, high = stats.binomtest(count, size).proportion_ci(CONFIDENCE, method="exact")
    return float(low), float(high)


def _note(name: str, figures: dict[str, float]) -> str:
    over_random = _compared(figures, "random_hit_rate", "random")
    said = f"Played in the hidden {HIDDEN_DAYS} dates: {figures['hit_count']:.0f} of {figures['list_size']:.0f}"
    if name == MOST_PLAYED:
        return f"{said}; {over_random}."
    return f"{said}; {over_random}, {_compared(figures, 'most_played_hit_rate', 'the most played')}."


def _compared(figures: dict[str, float], baseline: str, name: str) -> str:
    """A lift counts when the whole interval lies above the baseline."""
    verdict = "more than" if figures["ci_low"] > figures[baseline] else "no lift over"
    return f"{verdict} {name} ({100 * figures[baseline]:.1f} %)"
