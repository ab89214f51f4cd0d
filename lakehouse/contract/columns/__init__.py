"""The vocabulary: every column name of every table, defined once.

Naming rules, enforced by tests: snake_case; one name for one quantity in all tables. Suffixes: _ms milliseconds, _count
and plays/tracks counts, _id, _key (ours), _at UTC timestamp, _local wall-clock time, _90 bound of a 90 % interval, _7d
over 7 dates. Prefixes: is_/has_ booleans, avg_, total_, predicted_, expected_. A line is: name, Spark SQL type, unit
("-" for none), meaning. Users see the meanings as column comments. There is one module of lines per subject.
"""

from dataclasses import dataclass

from lakehouse.contract.columns import advice, listening, models, music, operations, statistics


@dataclass(frozen=True)
class Column:
    """A column: Spark SQL type, unit ('' for none) and meaning."""

    name: str
    type: str
    unit: str
    meaning: str


_TEXTS = (music.TEXT, listening.TEXT, statistics.TEXT, models.TEXT, advice.TEXT, operations.TEXT)
_ROWS = [line.split(maxsplit=3) for text in _TEXTS for line in text.splitlines() if line and line[0] != "#"]
COLUMNS = {n: Column(n, kind, "" if unit == "-" else unit, meaning) for n, kind, unit, meaning in _ROWS}

# Written out, so that a new column changes no table that is computed from these. Their order is fixed.
AUDIO_FEATURES = (
    "danceability", "energy", "key", "loudness", "mode", "speechiness", "acousticness", "instrumentalness", "liveness",
    "valence", "tempo", "time_signature",
)  # fmt: skip
# Those with values from 0 to 1.
UNIT_FEATURES = (
    "danceability", "energy", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
)  # fmt: skip
# Those that are not codes.
CONTINUOUS_FEATURES = (
    "danceability", "energy", "loudness", "speechiness", "acousticness", "instrumentalness", "liveness", "valence",
    "tempo",
)  # fmt: skip
