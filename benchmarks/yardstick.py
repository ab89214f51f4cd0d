"""The yardstick: the descriptive and diagnostic tables by DuckDB, in one process, from the Parquet files of a lake.

The lake is one listener's. Left out are the column `listener` and the columns that test or rest on a fixed sample:
intervals, p-values and drivers. What is left is what Spark computes from all plays too, except that its correlations
take at most 50,000 of them.
"""

import sys
from itertools import combinations
from pathlib import Path
from urllib.parse import unquote

import duckdb
from deltalake import DeltaTable

from gold.diagnostic.mood_shift_patterns import MINOR_UP_TO, STABLE_UP_TO
from lakehouse.contract.columns import AUDIO_FEATURES
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import load_settings
from pipeline.registry import pipeline_tables
from silver.rules.feature_source import MEASURED_SOURCES, NO_SOURCE

LEFT_OUT = {
    "feature_correlations": ("strength", "p_value"),
    "mood_time_correlations": ("valence_ci_low", "valence_ci_high"),
    "part_of_day_drivers": ("top_driver", "driver_effect_size", "driver_ci_low", "driver_ci_high"),
    "weekend_vs_weekday": ("valence_p_value", "valence_difference_ci_low", "valence_difference_ci_high"),
}
READ = ("listening_with_features", "catalogue_tracks")
SET_UP = f"""
CREATE MACRO is_measured(source) AS source IN {MEASURED_SOURCES!r};
CREATE MACRO is_featured(source) AS source <> '{NO_SOURCE}';
"""
MOOD = ("valence", "energy", "danceability", "acousticness")


def _averages(*names: str) -> str:
    return ", ".join(f"avg({name}) AS avg_{name}" for name in names)


def _spreads() -> str:
    return ", ".join(
        f"stddev_samp({name}) FILTER (is_measured(feature_source)) AS {name}_stddev" for name in ("valence", "energy")
    )


COUNTS = """count(*) FILTER (is_featured(feature_source)) AS featured_play_count,
    count(*) FILTER (is_measured(feature_source)) AS sample_size"""
MEASURED_VALENCE = "avg(valence) FILTER (is_measured(feature_source)) AS measured_valence"


def _by_feature(table: str) -> str:
    values = ", ".join(f"{name}::DOUBLE AS {name}" for name in AUDIO_FEATURES)
    names = ", ".join(AUDIO_FEATURES)
    return f"(UNPIVOT (SELECT {values} FROM {table}) ON {names} INTO NAME feature_name VALUE value)"


def _correlations(table: str, where: str, columns: str) -> str:
    pairs = list(combinations(AUDIO_FEATURES, 2))
    found = ", ".join(f"corr({a}, {b}), regr_count({a}, {b})" for a, b in pairs)
    names = ", ".join(f"{{'feature1': '{a}', 'feature2': '{b}'}}" for a, b in pairs)
    return f"""SELECT unnest([{names}], recursive := true), {columns} FROM (
        SELECT [{found}] AS found FROM {table} WHERE {where})"""


TABLES = {
    "listening_patterns_by_time": f"""
        SELECT hour_of_day, day_of_week, day_name, part_of_day, is_weekend, count(*) AS play_count,
            count(*) FILTER (is_featured(feature_source)) AS featured_play_count, {_averages(*MOOD, "tempo")}
        FROM listening_with_features GROUP BY ALL""",
    "temporal_trends": f"""
        WITH days AS (SELECT unnest(generate_series(min(date), max(date), INTERVAL 1 DAY))::DATE AS date
                      FROM listening_with_features),
        by_date AS (SELECT date, count(*) AS total_plays, sum(ms_played) / 60000 AS minutes_played,
                        count(DISTINCT recording_key) AS distinct_tracks, count(DISTINCT artist_name)
                        AS distinct_artists, {_averages("valence", "energy", "tempo")},
                        count(*) FILTER (is_weekend) AS weekend_plays, sum(valence) AS valence_sum,
                        count(valence) AS valence_plays, sum(energy) AS energy_sum, count(energy) AS energy_plays
                    FROM listening_with_features GROUP BY date),
        news AS (SELECT date, count(*) AS new_tracks FROM (
                    SELECT min(date) AS date FROM listening_with_features GROUP BY recording_key) GROUP BY date)
        SELECT date, coalesce(total_plays, 0) AS total_plays, coalesce(minutes_played, 0) AS minutes_played,
            coalesce(distinct_tracks, 0) AS distinct_tracks, coalesce(distinct_artists, 0) AS distinct_artists,
            coalesce(new_tracks, 0) AS new_tracks, avg_valence, avg_energy, avg_tempo,
            coalesce(weekend_plays, 0) AS weekend_plays,
            sum(valence_sum) OVER week / nullif(sum(valence_plays) OVER week, 0) AS avg_valence_7d,
            sum(energy_sum) OVER week / nullif(sum(energy_plays) OVER week, 0) AS avg_energy_7d,
            (sum(coalesce(total_plays, 0)) OVER week)::DOUBLE AS total_plays_7d
        FROM days LEFT JOIN by_date USING (date) LEFT JOIN news USING (date)
        WINDOW week AS (ORDER BY date ROWS BETWEEN 6 PRECEDING AND CURRENT ROW)""",
    "feature_source_coverage": """
        SELECT feature_source, count(*) AS record_count, 100 * count(*) / sum(count(*)) OVER () AS percentage,
            count(DISTINCT coalesce(track_id, recording_key)) AS track_count
        FROM listening_with_features GROUP BY feature_source""",
    "audio_feature_distributions": f"""
        SELECT feature_name, play_count, mean, std_dev, min, percentiles[1] AS p25, percentiles[2] AS median,
            percentiles[3] AS p75, max, catalogue_mean, catalogue_std_dev
        FROM (SELECT feature_name, count(*) AS play_count, avg(value) AS mean, stddev_samp(value) AS std_dev,
                  min(value) AS min, quantile_cont(value, [0.25, 0.5, 0.75]) AS percentiles, max(value) AS max
              FROM {_by_feature("listening_with_features")} GROUP BY feature_name)
        JOIN (SELECT feature_name, avg(value) AS catalogue_mean, stddev_samp(value) AS catalogue_std_dev
              FROM {_by_feature("catalogue_tracks")} GROUP BY feature_name) USING (feature_name)""",
    "top_tracks_by_mood": """
        WITH releases AS (
            SELECT mood_category, recording_key, track_id, track_name, artist_name, valence, energy, danceability,
                tempo, count(*) AS release_plays
            FROM listening_with_features WHERE mood_category IS NOT NULL GROUP BY ALL),
        recordings AS (
            SELECT *, sum(release_plays) OVER (PARTITION BY mood_category, recording_key)::BIGINT AS play_count
            FROM releases
            QUALIFY row_number() OVER (
                PARTITION BY mood_category, recording_key
                ORDER BY track_id IS NULL, release_plays DESC, track_id, track_name, artist_name) = 1)
        SELECT track_id, track_name, artist_name, mood_category, valence, energy, danceability, tempo, play_count,
            row_number() OVER (PARTITION BY mood_category ORDER BY play_count DESC, recording_key) AS rank_in_category
        FROM recordings QUALIFY rank_in_category <= 50""",
    "feature_correlations": f"""
        SELECT feature1, feature2, correlation, sample_size, catalogue_correlation
        FROM ({_correlations(
            "listening_with_features", "is_measured(feature_source)",
            "unnest(found[1:-:2]) AS correlation, unnest(found[2:-:2])::BIGINT AS sample_size",
        )})
        JOIN ({_correlations("catalogue_tracks", "true", "unnest(found[1:-:2]) AS catalogue_correlation")})
        USING (feature1, feature2)""",
    "mood_shift_patterns": f"""
        WITH shifts AS (
            SELECT lead(hour_of_day) OVER following AS hour_of_day,
                round(lead(valence) OVER following - valence, 9) AS valence_change,
                round(lead(energy) OVER following - energy, 9) AS energy_change
            FROM listening_with_features
            WHERE is_measured(feature_source) AND valence IS NOT NULL AND energy IS NOT NULL
            WINDOW following AS (PARTITION BY session_id ORDER BY played_at, play_id)),
        counted AS (
            SELECT hour_of_day, CASE WHEN greatest(abs(valence_change), abs(energy_change)) <= {STABLE_UP_TO} THEN
                'Stable' WHEN greatest(abs(valence_change), abs(energy_change)) <= {MINOR_UP_TO} THEN 'Minor_Shift'
                ELSE 'Major_Shift' END AS shift_magnitude, count(*) AS shift_count,
                avg(valence_change) AS avg_valence_change, avg(energy_change) AS avg_energy_change
            FROM shifts WHERE hour_of_day IS NOT NULL GROUP BY ALL)
        SELECT hour_of_day, shift_magnitude, shift_count,
            shift_count / sum(shift_count) OVER (PARTITION BY hour_of_day) AS shift_probability,
            (shift_count / sum(shift_count) OVER (PARTITION BY hour_of_day))
            / (sum(shift_count) OVER (PARTITION BY shift_magnitude) / sum(shift_count) OVER ()) AS lift,
            avg_valence_change, avg_energy_change
        FROM counted""",
    "mood_time_correlations": f"""
        SELECT hour_of_day, {_averages(*MOOD)}, {COUNTS}, {MEASURED_VALENCE}, {_spreads()}
        FROM listening_with_features GROUP BY hour_of_day""",
    "part_of_day_drivers": f"""
        SELECT part_of_day, count(*) AS total_plays, {_averages(*MOOD, "instrumentalness", "tempo")}, {COUNTS},
            {_spreads()}
        FROM listening_with_features GROUP BY part_of_day""",
    "weekend_vs_weekday": f"""
        WITH dates AS (
            SELECT CASE WHEN isodow(date) > 5 THEN 'Weekend' ELSE 'Weekday' END AS period, count(*) AS dates
            FROM (SELECT unnest(generate_series(min(date), max(date), INTERVAL 1 DAY)) AS date
                  FROM listening_with_features) GROUP BY period),
        periods AS (
            SELECT CASE WHEN is_weekend THEN 'Weekend' ELSE 'Weekday' END AS period, count(*) AS total_plays,
                {_averages("valence", "energy", "danceability", "tempo", "acousticness")}, {COUNTS},
                {MEASURED_VALENCE}, {_spreads()}
            FROM listening_with_features GROUP BY period)
        SELECT periods.*, total_plays / dates AS plays_per_day,
            max(avg_valence) FILTER (period = 'Weekend') OVER () - max(avg_valence) FILTER (period = 'Weekday') OVER ()
            AS valence_difference
        FROM periods JOIN dates USING (period)""",
}  # fmt: skip


def build(lake: DeltaLogs, folder: Path) -> dict[str, Path]:
    """Make every table of `TABLES` from a lake's silver.

    Args:
        lake: holds silver.
        folder: gets a Parquet file per table.

    Returns:
        The files by table.
    """
    files = {}
    with duckdb.connect() as connection:
        connection.execute(SET_UP)
        for name in READ:
            parts = DeltaTable(lake.location(pipeline_tables()[name])).file_uris()
            listed = ", ".join(f"'{unquote(part.removeprefix('file://'))}'" for part in parts)
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet([{listed}])")
        for name, query in TABLES.items():
            files[name] = folder / f"{name}.parquet"
            connection.execute(f"COPY ({query}) TO '{files[name]}' (FORMAT parquet)")
    return files


if __name__ == "__main__":
    build(DeltaLogs(load_settings().lake_uri), Path(sys.argv[1]))
