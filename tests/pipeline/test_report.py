"""What `lakehouse status` says about an installation that needs attention, and what imports say. Needs no Spark."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from lakehouse.contract import Table
from lakehouse.runlog.import_report import ImportReport
from lakehouse.settings import Settings
from lakehouse.spotify.login import SpotifyLogin
from lakehouse.spotify.poll_state import PollState, save_poll_state
from pipeline.health import note_ended_job
from pipeline.registry import pipeline_tables
from pipeline.report import MOST_NAMED, _ago, print_import, print_run, print_status
from pipeline.runs.summary import Build, RunSummary
from tests.lakehouse.spotify.console import cells, printed
from tests.support.spotify_server import SpotifyServer, log_in

TABLES = pipeline_tables()


def status(settings: Settings) -> str:
    return printed(print_status, settings)


def attention(settings: Settings) -> list[str]:
    return [line for line in status(settings).splitlines() if line.startswith("attention:")]


def store(settings: Settings, node: Table, rows: int) -> Path:
    """A table whose newest commit says that it has so many rows; returns its log."""
    folder = settings.lake_path / node.location
    made = json.dumps({"run_id": "run", "rows": rows})
    write_deltalake(
        str(folder), pa.table({"track_id": ["a"]}), mode="append",
        commit_properties=CommitProperties(custom_metadata={"userMetadata": made}),
    )  # fmt: skip
    return folder / "_delta_log"


def line_of(told: str, name: str) -> list[str]:
    """The cells of a table's line."""
    [line] = [line for line in told.splitlines() if line.startswith("│") and f" {name} " in line]
    return cells(line)


def test_rows_versions_and_freshness_are_told(web_settings: Settings) -> None:
    for rows in (10, 1234):
        store(web_settings, TABLES["catalogue_tracks"], rows)
    told = status(web_settings)
    assert line_of(told, "catalogue_tracks") == ["silver", "catalogue_tracks", "1,234", "1", "just now"]
    assert line_of(told, "feature_matches")[2:] == ["-", "-", "not built"]
    assert line_of(told, "kaggle_tracks_bronze")[2:] == ["-", "-", "empty"]


@pytest.mark.parametrize(
    ("ago", "told"),
    [
        (timedelta(seconds=119), "just now"),
        (timedelta(minutes=2), "2 minutes ago"),
        (timedelta(minutes=119), "119 minutes ago"),
        (timedelta(hours=2), "2 hours ago"),
        (timedelta(hours=47), "47 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)
def test_a_moment_is_told_in_its_largest_unit(now: datetime, ago: timedelta, told: str) -> None:
    assert _ago(now - ago) == told


def test_damaged_tables_and_models_are_told_with_what_to_do_beside_the_others(web_settings: Settings) -> None:
    for name in ("listening_history_bronze", "feature_source_coverage"):
        log = store(web_settings, TABLES[name], 1)
        (log / "00000000000000000000.json").write_text("{")
    store(web_settings, TABLES["catalogue_tracks"], 7)
    card = web_settings.lake_path / "models" / "artist_model" / "v1" / "card.json"
    card.parent.mkdir(parents=True)
    card.write_text("{")
    told = status(web_settings)
    for name in ("listening_history_bronze", "feature_source_coverage", "artist_model"):
        assert line_of(told, name)[2:] == ["-", "-", "damaged"]
    assert line_of(told, "catalogue_tracks")[2] == "7"
    model, history, coverage = sorted(attention(web_settings), key=lambda line: ("coverage" in line, "history" in line))
    assert model.endswith(": the next `lakehouse run` trains it again")
    assert history.endswith(": restore a backup, or move this folder away and import again")
    assert coverage.endswith(": the next `lakehouse run` rebuilds it")


@pytest.mark.parametrize("name", ["a [live].json", "[/path].json", "odd\\[b].json"])
def test_names_and_reasons_are_told_as_they_are(web_settings: Settings, name: str) -> None:
    imported = ImportReport(verdicts={name: {"counted": 1}})
    node = TABLES["catalogue_tracks"]
    summary = RunSummary("run", [Build(node, "failed", name)], imported=imported)
    told = printed(print_run, summary, web_settings)
    assert name in told
    assert told.count(name.rsplit("/", 1)[-1]) == 2


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def test_where_all_is_well_nothing_needs_attention(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    log_in(web_settings, spotify, now)
    save_poll_state(web_settings, "me", PollState(answered_at=now.isoformat()))
    note_ended_job(web_settings, "run", ended_at=now.isoformat(), exit_code=0, told="")
    assert attention(web_settings) == []


def test_an_app_that_nobody_is_logged_in_to_is_a_hint(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    hint = "next: lakehouse auth  (SPOTIFY_CLIENT_ID is set, but nobody is logged in: no play is fetched)"
    assert hint in status(web_settings)
    log_in(web_settings, spotify, now)
    assert hint not in status(web_settings)


def test_runs_that_fail_are_told_until_one_succeeds(web_settings: Settings, now: datetime) -> None:
    note_ended_job(
        web_settings, "nightly", ended_at=now.isoformat(), exit_code=1, told="`lakehouse check`: [gold] broke"
    )
    when = f"on {now:%Y-%m-%d} at {now:%H:%M} UTC"
    assert attention(web_settings) == [
        f"attention: the scheduled nightly failed {when}: `lakehouse check`: [gold] broke"
    ]
    note_ended_job(web_settings, "nightly", ended_at=now.isoformat(), exit_code=0, told="")
    assert attention(web_settings) == []


def test_a_login_that_ends_is_told(web_settings: Settings, spotify: SpotifyServer, now: datetime) -> None:
    log_in(web_settings, spotify, now - timedelta(days=165))
    [told] = attention(web_settings)
    assert "the login at Spotify ends in" in told
    SpotifyLogin(web_settings, now).end("invalid_grant")
    [told] = attention(web_settings)
    assert "Spotify ended the login of" in told
    assert "log in with `lakehouse auth`, no play is fetched until then" in told


def test_a_login_file_that_is_gone_is_told_where_polls_had_begun(web_settings: Settings, now: datetime) -> None:
    save_poll_state(web_settings, "me", PollState(answered_at=now.isoformat()))
    assert attention(web_settings) == [
        "attention: nobody is logged in at Spotify any more: log in with `lakehouse auth`"
    ]


def test_plays_that_are_likely_being_missed_are_told(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    log_in(web_settings, spotify, now)
    silent = PollState(
        answered_at=(now - timedelta(hours=5)).isoformat(), failing_since=(now - timedelta(hours=4)).isoformat(),
        error="Spotify cannot be reached (ConnectionError)", gap="between 10:00 and 12:00 UTC",
        gap_noticed_at=(now - timedelta(days=1)).isoformat(),
    )  # fmt: skip
    save_poll_state(web_settings, "me", silent)
    silence, gap = attention(web_settings)
    assert "has not answered since" in silence
    assert "(Spotify cannot be reached (ConnectionError))" in silence
    assert "plays between 10:00 and 12:00 UTC were likely missed" in gap


def test_of_several_listeners_each_is_told_by_name(
    web_settings: Settings, spotify: SpotifyServer, now: datetime
) -> None:
    log_in(web_settings, spotify, now - timedelta(days=165), "anna")
    [alone] = attention(web_settings)
    assert alone.startswith("attention: the login at Spotify ends in")
    assert "log in with `lakehouse auth --listener anna` before" in alone
    log_in(web_settings, spotify, now)
    assert attention(web_settings) == [alone.replace("attention: ", "attention: anna: ")]
    silent = PollState(answered_at=(now - timedelta(hours=5)).isoformat())
    for listener in ("me", "zoe"):
        save_poll_state(web_settings, listener, silent)
    mine, annas, zoes = attention(web_settings)
    assert mine.startswith("attention: me: Spotify has not answered since")
    assert annas == alone.replace("attention: ", "attention: anna: ")
    command = "`lakehouse auth --listener zoe`"
    assert zoes == f"attention: zoe: nobody is logged in at Spotify any more: log in with {command}"


# What an import says


def told(imported: ImportReport) -> list[str]:
    return printed(print_import, imported).splitlines()


@pytest.mark.parametrize(
    ("imported", "line"),
    [
        (ImportReport(verdicts={"a.json": {"counted": 1_500}}, new_plays=1_500), "1,500 new plays"),
        (ImportReport(verdicts={"a.json": {}}), "nothing new: 0 plays were added"),
        (ImportReport(catalogue_rows=114_000), "catalogue: 114,000 rows"),
        (ImportReport(catalogue_rows=0), "catalogue: unchanged"),
        (ImportReport(new_features=40), "audio features of 40 more tracks"),
        (ImportReport(), "nothing new"),
        (
            ImportReport(verdicts={"a.json": {"counted": 1}}, new_plays=1, removed_demo=True),
            "real data came in: demo data was removed from bronze, and leaves silver and gold as `lakehouse run` "
            "rebuilds them",
        ),
        (
            ImportReport(ignored=["my.zip/Account Data/Userdata.json", "my.zip/[red]x.pdf"]),
            "ignored 2 files that are not a listening history: Userdata.json, [red]x.pdf",
        ),
    ],
)
def test_an_import_ends_with_what_came(imported: ImportReport, line: str) -> None:
    assert told(imported)[-1] == line


def test_a_catalogue_is_told_only_where_one_came() -> None:
    for imported in (ImportReport(new_features=1), ImportReport(verdicts={"a.json": {}}), ImportReport(errors=["x"])):
        assert not [line for line in told(imported) if "catalogue" in line]


def test_an_import_shows_each_file_with_its_records() -> None:
    shown = told(ImportReport(verdicts={"a.zip/b.json": {"counted": 2, "podcast": 1}, "[red]empty.json": {}}))
    files = [cells(line) for line in shown if line.startswith("│")]
    assert files == [["b.json", "2", "1", "3"], ["[red]empty.json", "0", "0", "0"]]


def test_of_very_many_ignored_files_the_first_are_named() -> None:
    [*_, line] = told(ImportReport(ignored=[f"{number}.pdf" for number in range(MOST_NAMED + 5)]))
    assert line.endswith(f"{MOST_NAMED - 1}.pdf and 5 more")
