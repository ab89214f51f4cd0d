"""Whatever came in whatever order: tables that took it step by step are those that a full rebuild makes."""

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from bronze.delivered.inbox import keep_answer, waiting_files
from bronze.web.spotify_polling import ANSWER_KIND
from lakehouse.contract import Table
from lakehouse.contract.ops import OPS_TABLES
from lakehouse.lake.logs import DeltaLogs
from lakehouse.settings import Settings
from pipeline import registry
from pipeline.fingerprint import code_fingerprint
from pipeline.listeners import forget_listener, rename_listener, reported_by_listener
from pipeline.registry import pipeline_nodes, pipeline_tables
from pipeline.runs import plan, upkeep
from pipeline.runs import run as runs
from pipeline.runs.summary import RunSummary
from tests.bronze.catalogues import row, write_csv
from tests.bronze.lakes import small_settings
from tests.bronze.records import account, write_json
from tests.simulation.listener import TRACKS, Heard, listen

pytestmark = pytest.mark.long

START = datetime(2026, 5, 1, tzinfo=UTC)
LISTENERS = ("ann", "ben", "cleo")
DAYS = 12
# The catalogue has every fourth track, and more of its artists.
IN_CATALOGUE = 4
GENRES = ("pop", "rock", "jazz")
ZONES = ("UTC", "America/New_York", "Asia/Kathmandu")
# Fitted models take long and depend on the catalogue alone; what is scored by them is compared elsewhere.
LEFT_OUT = {"predictive"}
# Of `equal` in the contract.
TOLERANCE = 1e-9


def test_every_table_equals_a_full_rebuild(
    spark: SparkSession, tmp_path: Path, seed: int, sampled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = Life(tmp_path, spark, Random(seed), monkeypatch)
    kinds: set[str] = set()
    for number in range(4 if sampled else 14):
        kinds.add(life.step(number))
        assert not life.run(full=False).errors
        stepwise, rebuilt = life.rows(), life.rebuilt_rows()
        assert set(stepwise) == set(rebuilt)
        for name in stepwise:
            assert_equal(name, stepwise[name], rebuilt[name])
    assert len(kinds) > 1
    assert (life.skipped_for_same_rows and life.built_for_some_listeners) or sampled


class Life:
    """A lake, and what can happen to it between two runs."""

    def __init__(self, folder: Path, spark: SparkSession, chance: Random, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.chance, self.patch = folder, chance, patch
        self.settings = small_settings(folder)
        self.spark = spark
        self.heard = {listener: listen(chance, START, DAYS) for listener in LISTENERS}
        self.nodes = dict(pipeline_nodes())
        self.tables = [
            table for table in pipeline_tables().values() if not {table.group, *self._groups(table)} & LEFT_OUT
        ]
        self.codes: dict[str, str] = {}
        self.skipped_for_same_rows = self.built_for_some_listeners = 0
        self.catalogue_tracks = TRACKS
        self.write_catalogue()
        patch.setattr(registry, "all_nodes", lambda: self.nodes | {table.name: table for table in OPS_TABLES})
        # It looks at files alone, and the code changes in memory.
        patch.setattr(runs, "known_up_to_date", lambda settings: 0)
        patch.setattr(plan, "code_fingerprint", lambda node: code_fingerprint(node) + self.codes.get(node.name, ""))

    def _groups(self, table: Table) -> Iterator[str]:
        """Groups of the tables that a table is made from."""
        for name in table.inputs:
            if isinstance(node := self.nodes[name], Table):
                yield node.group

    def step(self, number: int) -> str:
        """Something happens; the first time plays come."""
        happens: list[Callable[[int], None]] = [
            self.export, self.export, self.export, self.account_form, self.polls, self.again, self.features,
            self.other_zone, self.own_zone, self.made_up_features, self.same_code, self.other_code,
            self.more_catalogue, self.rename, self.forget,
        ]  # fmt: skip
        chosen = happens[0] if number == 0 else self.chance.choice(happens)
        chosen(number)
        return chosen.__name__

    def some_plays(self) -> tuple[str, list[Heard]]:
        """A listener and a stretch of their plays, late ones among them, some known already."""
        listener = self.chance.choice(sorted(self.heard))
        first = self.chance.randrange(len(self.heard[listener]))
        return listener, self.heard[listener][first : first + self.chance.choice((1, 10, 80))]

    def export(self, number: int) -> None:
        listener, plays = self.some_plays()
        write_json(self.import_file(f"{listener}/Streaming_History_Audio_{number}"), [play.record for play in plays])

    def account_form(self, number: int) -> None:
        listener, plays = self.some_plays()
        records = [
            account(
                f"{play.ended_at:%Y-%m-%d %H:%M}", artistName=f"Artist {play.number % 20}",
                trackName=f"Song {play.number}", msPlayed=play.ms_played,
            )
            for play in plays
        ]  # fmt: skip
        write_json(self.import_file(f"{listener}/StreamingHistory{number}"), records)

    def polls(self, number: int) -> None:
        """Two listeners are asked for at Spotify."""
        for _ in range(2):
            listener, plays = self.some_plays()
            keep_answer(self.settings, ANSWER_KIND, {"items": [play.item for play in plays[:50]]}, START, listener)

    def again(self, number: int) -> None:
        """A file that was taken before comes under another name, if the listeners of all are not forgotten."""
        files = sorted(self.settings.import_dir.rglob("Streaming*.json"))
        for before in self.chance.sample(files, min(1, len(files))):
            shutil.copy(before, before.with_name(before.name.replace(".json", f"_again_{number}.json")))

    def rename(self, number: int) -> None:
        for old in self.somebody():
            rename_listener(self.settings, old, f"{old}-{number}")
            self.heard[f"{old}-{number}"] = self.heard.pop(old)

    def forget(self, number: int) -> None:
        """All that a listener has is deleted; they may come back later."""
        for listener in self.somebody():
            forget_listener(self.settings, listener)

    def somebody(self) -> list[str]:
        """A listener who has plays, if anybody has."""
        known = sorted(reported_by_listener(self.settings))
        return self.chance.sample(known, min(1, len(known)))

    def features(self, number: int) -> None:
        """Features of some tracks become known."""
        known = [
            {name: self.chance.random() for name in ("energy", "valence", "danceability", "acousticness")}
            | {"href": f"https://open.spotify.com/track/{track:022d}", "tempo": 60 + 100 * self.chance.random()}
            for track in self.chance.sample(range(TRACKS), 5)
        ]
        answer = {
            "provider": "reccobeats", "fetched_at": (START + timedelta(days=number)).isoformat(),
            "answer": {"content": known},
        }  # fmt: skip
        write_json(self.import_file(f"audio_features_reccobeats_{number}"), answer)

    def other_zone(self, number: int) -> None:
        self.settings = self.settings.model_copy(update={"listener_time_zone": self.chance.choice(ZONES)})

    def own_zone(self, number: int) -> None:
        """A listener has a time zone of their own, the others have none."""
        file = self.folder / f"listeners_{number}.toml"
        file.write_text(f"[{self.chance.choice(sorted(self.heard))}]\ntime_zone = '{self.chance.choice(ZONES)}'")
        self.settings = Settings(**self.settings.model_dump() | {"listeners_file": file}, _env_file=None)

    def made_up_features(self, number: int) -> None:
        self.settings = self.settings.model_copy(update={"allow_synthetic": not self.settings.allow_synthetic})

    def same_code(self, number: int) -> None:
        """A table's code is written in other words."""
        self.codes[self.chance.choice(self.tables).name] = str(number)

    def other_code(self, number: int) -> None:
        """Silver's code changes: only long plays count."""
        name = "listening_with_features"
        table = pipeline_tables()[name]
        least = self.chance.choice((0, 60_000, 200_000))

        def longer(*frames: DataFrame, **settings: str) -> DataFrame:
            made: DataFrame = table(*frames, **settings)
            return made.where(f"coalesce(ms_played, 0) >= {least}")

        self.nodes[name] = replace(table, transform=longer)
        self.codes[name] = f"at least {least}"

    def more_catalogue(self, number: int) -> None:
        self.catalogue_tracks += 40
        self.write_catalogue()

    def write_catalogue(self) -> None:
        tracks = range(0, self.catalogue_tracks, IN_CATALOGUE)
        of_track = {number: Random(number) for number in tracks}
        rows = [
            row(
                track_id=f"{number:022d}", artists=f"Artist {number % 20}", track_name=f"Song {number}",
                track_genre=GENRES[number % 3],
                **{name: f"{of_track[number].random():.3f}" for name in ("valence", "energy", "danceability")},
            )
            for number in tracks
        ]  # fmt: skip
        write_csv(self.settings.kaggle_csv, rows)

    def import_file(self, name: str) -> Path:
        return self.settings.import_dir / f"{name}.json"

    def run(self, *, full: bool, settings: Settings | None = None) -> RunSummary:
        names = [table.name for table in self.tables]
        settings = settings or self.settings
        # A run of a selection takes no files.
        taken = runs.run(settings, select=names, full=full) if full else self._with_files(names)
        self.skipped_for_same_rows += sum(
            build.status == "built" and build.state is not None and build.state.provenance.same_as is not None
            for build in taken.builds
        )
        self.built_for_some_listeners += sum(" of " in build.reason for build in taken.builds)
        return taken

    def _with_files(self, names: list[str]) -> RunSummary:
        waiting = waiting_files(self.settings)
        if waiting:
            assert not upkeep.import_files(self.settings, waiting).errors
        return runs.run(self.settings, select=names)

    def rows(self, settings: Settings | None = None) -> dict[str, list[dict[str, Any]]]:
        lake = DeltaLogs((settings or self.settings).lake_uri)
        return {
            table.name: sorted(
                DeltaTable(lake.location(table)).to_pyarrow_table().to_pylist(),
                key=lambda found, key=table.key: tuple(str(found[name]) for name in key),  # type: ignore[misc]
            )
            for table in self.tables
            if table.transform is not None
        }

    def rebuilt_rows(self) -> dict[str, list[dict[str, Any]]]:
        place = self.folder / "rebuilt"
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(self.settings.lake_path / "bronze", place / "bronze")
        settings = self.settings.model_copy(update={"lake_uri": f"file:{place}"})
        assert not self.run(full=True, settings=settings).errors
        return self.rows(settings)


def assert_equal(name: str, stepwise: list[dict[str, Any]], rebuilt: list[dict[str, Any]]) -> None:
    """The contract's `equal`: the same keys, doubles up to rounding, all else identical."""
    assert len(stepwise) == len(rebuilt), name
    for one, other in zip(stepwise, rebuilt, strict=True):
        different = [column for column in one if not _same(one[column], other[column])]
        assert not different, f"{name}, {different}: {one} is {other} in a full rebuild"


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=TOLERANCE) or (math.isnan(one) and math.isnan(other))
    return one == other
