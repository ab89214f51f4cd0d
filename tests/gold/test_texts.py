"""What the tables say in words is about the music, and differs between opposite listeners."""

from collections.abc import Callable

import pytest
from pyspark.sql import Row, SparkSession

from gold.cognitive.behavioral_segments import behavioral_segments
from gold.cognitive.listening_anomalies import listening_anomalies
from gold.cognitive.mood_state_clusters import mood_state_clusters
from gold.cognitive.sequential_patterns import sequential_patterns
from gold.predictive.mood_predictions import mood_predictions
from gold.prescriptive.listed_songs import listed_songs
from gold.prescriptive.mood_improvement_recommendations import mood_improvement_recommendations
from gold.prescriptive.mood_intervention_triggers import mood_intervention_triggers
from gold.prescriptive.optimal_listening_times import optimal_listening_times
from gold.prescriptive.personalized_playlist_suggestions import personalized_playlist_suggestions
from lakehouse.contract import Table
from lakehouse.lake.schema import conform
from pipeline.registry import pipeline_tables
from tests.gold.listeners import listener
from tests.gold.prescriptive.music import inputs, lifting
from tests.support.frames import frame_of, made_of_plays

Rows = Callable[[Table, bool], list[Row]]

# A slice's name says how it differs from the listener's own mean: opposite listeners may share it.
DIAGNOSES = {
    mood_state_clusters: ["cluster_description"],
    listening_anomalies: ["interpretation"],
    sequential_patterns: ["behavioral_insight"],
    behavioral_segments: ["listening_archetype", "archetype_description", "wellbeing_recommendation"],
}
ADVICE = {
    mood_intervention_triggers: ["suggested_intervention"],
    optimal_listening_times: ["wellbeing_tip"],
    mood_improvement_recommendations: ["recommendation_reason"],
    personalized_playlist_suggestions: ["playlist_purpose"],
}
FROM_SONGS = (mood_improvement_recommendations, personalized_playlist_suggestions)
PREDICTED = [{"play_id": "one", "hour_of_day": 7, "predicted_valence": 0.4}]


@pytest.fixture(scope="module")
def rows_of(spark: SparkSession) -> Rows:
    """The rows of a table for a listener of bright or of dark music; each is made once."""
    made: dict[tuple[str, bool], list[Row]] = {}

    def rows(table: Table, bright: bool) -> list[Row]:
        if (table.name, bright) not in made:
            plays, offers = lifting(bright) if table in FROM_SONGS else (listener(bright=bright), [])
            frames = inputs(spark, plays, offers)
            others = {"mood_predictions": frame_of(spark, mood_predictions, PREDICTED)}
            if "listed_songs" in table.inputs:
                others["listed_songs"] = listed_songs(*frames)
            made[table.name, bright] = conform(table, made_of_plays(table, frames[0], **others)).collect()
        return made[table.name, bright]

    return rows


@pytest.mark.parametrize("table", DIAGNOSES | ADVICE, ids=lambda table: table.name)
def test_opposite_listeners_read_different_texts(rows_of: Rows, table: Table) -> None:
    bright, dark = rows_of(table, True), rows_of(table, False)
    assert bright and dark
    for text in (DIAGNOSES | ADVICE)[table]:
        assert not {row[text] for row in bright} & {row[text] for row in dark}, text


@pytest.mark.parametrize("table", ADVICE, ids=lambda table: table.name)
def test_advice_is_about_the_music_and_diagnoses_nothing(rows_of: Rows, table: Table) -> None:
    for text in {row[column] for row in rows_of(table, False) for column in ADVICE[table]}:
        assert "music" in text
        assert not any(
            word in text.lower() for word in ("depress", "anxi", "therap", "disorder", "you are", "you feel")
        )


def test_opposite_listeners_have_different_moods_in_sequence(rows_of: Rows) -> None:
    bright, dark = (
        max(rows_of(sequential_patterns, is_bright), key=lambda row: row["occurrence_count"])
        for is_bright in (True, False)
    )
    assert bright["mood_category"] != dark["mood_category"]


def test_opposite_listeners_are_recommended_different_songs(rows_of: Rows) -> None:
    bright, dark = (
        sorted(rows_of(mood_improvement_recommendations, is_bright), key=lambda row: row["score"])[-5:]
        for is_bright in (True, False)
    )
    assert [(row["artist_name"], row["track_name"]) for row in bright] != [
        (row["artist_name"], row["track_name"]) for row in dark
    ]


@pytest.mark.parametrize(
    "table",
    [table for table in pipeline_tables().values() if table.group in ("diagnostic", "cognitive")],
    ids=lambda table: table.name,
)
def test_caveats_say_that_tests_rest_on_measured_plays(table: Table) -> None:
    assert {"measured_only", "tests_measured_only"} & set(table.caveats)
