"""A run without news is told from files alone; whatever could make a table out of date is noticed."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bronze.delivered.inbox import remember, signatures_of
from lakehouse import PACKAGES
from lakehouse.runlog.spool import SPOOL, new_run_log
from lakehouse.settings import Settings
from pipeline.runs import up_to_date
from pipeline.runs.run import run
from pipeline.runs.up_to_date import known_up_to_date, remember_up_to_date

COMMIT = "00000000000000000000.json"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake where everything was found up to date: one table, one model, one imported file."""
    for name in (f"silver/feature_matches/_delta_log/{COMMIT}", "models/mood_model/1/card.json"):
        file = tmp_path / "lake" / name
        file.parent.mkdir(parents=True)
        file.write_text("{}")
    (tmp_path / "import").mkdir()
    (tmp_path / "import" / "taken.zip").touch()
    made = settings_of(tmp_path)
    remember(made, signatures_of([tmp_path / "import" / "taken.zip"]), refused=[])
    remember_up_to_date(made, 34)
    return made


def settings_of(folder: Path, **others: str) -> Settings:
    return Settings(
        lake_uri=f"file:{folder}/lake", kaggle_csv=folder / "none.csv", import_dir=folder / "import", _env_file=None,
        **others,  # type: ignore[arg-type]
    )  # fmt: skip


def test_without_news_the_run_is_recorded_with_the_tables_it_skipped(settings: Settings) -> None:
    assert run(settings, trigger="schedule").up_to_date == 34
    assert run(settings, trigger="schedule").up_to_date == 34
    runs = [json.loads(file.read_text()) for file in settings.lake_path.glob(f"{SPOOL}/*/pipeline_runs.jsonl")]
    assert [(run["status"], run["trigger"], run["tables_skipped"]) for run in runs] == [("no_news", "schedule", 34)] * 2


def add_commit(lake: Path) -> None:
    (lake / "silver/feature_matches/_delta_log" / COMMIT.replace("0.json", "1.json")).write_text("{}")


def break_commit(lake: Path) -> None:
    (lake / "silver/feature_matches/_delta_log" / COMMIT).write_text("")


def lose_table(lake: Path) -> None:
    (lake / "silver/feature_matches/_delta_log" / COMMIT).unlink()


def damage_model(lake: Path) -> None:
    (lake / "models/mood_model/1/card.json").write_text("[]")


def deliver_file(lake: Path) -> None:
    (lake.parent / "import" / "new.zip").touch()


def change_delivered_file(lake: Path) -> None:
    (lake.parent / "import" / "taken.zip").write_text("more")


def keep_answer(lake: Path) -> None:
    (lake / "inbox").mkdir()
    (lake / "inbox" / "recently_played_1.json").touch()


def kill_run(lake: Path) -> None:
    (lake / SPOOL / "20260101T000000Z-abcdef").mkdir(parents=True)


@pytest.mark.parametrize(
    "change",
    [
        add_commit, break_commit, lose_table, damage_model, deliver_file, change_delivered_file, keep_answer, kill_run,
    ],
)  # fmt: skip
def test_any_change_is_left_to_the_full_comparison(settings: Settings, change: Callable[[Path], None]) -> None:
    change(settings.lake_path)
    assert known_up_to_date(settings) == 0
    assert not list(settings.lake_path.glob(f"{SPOOL}/*/pipeline_runs.jsonl"))


def test_another_setting_is_left_to_the_full_comparison(settings: Settings, tmp_path: Path) -> None:
    assert known_up_to_date(settings_of(tmp_path, listener_time_zone="Europe/Berlin")) == 0


def test_changed_code_is_left_to_the_full_comparison(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program"
    for package in PACKAGES:
        (program / package).mkdir(parents=True)
    monkeypatch.setattr(up_to_date, "PROJECT", program)
    remember_up_to_date(settings, 34)
    assert known_up_to_date(settings) == 34
    (program / "gold" / "new_table.py").touch()
    assert known_up_to_date(settings) == 0


def test_a_lake_that_was_never_up_to_date_and_a_damaged_memory_are_left_to_the_full_comparison(
    settings: Settings,
) -> None:
    memory = settings.lake_path / up_to_date.UP_TO_DATE
    memory.write_text("{")
    assert known_up_to_date(settings) == 0
    memory.unlink()
    assert known_up_to_date(settings) == 0


def test_runs_that_waited_to_be_recorded_do_not_hide_that_nothing_changed(settings: Settings) -> None:
    new_run_log(settings, "manual").finish("no_news", datetime.now(UTC))
    assert known_up_to_date(settings) == 34


def test_neither_spark_nor_pandas_is_loaded(settings: Settings) -> None:
    code = (
        "import sys, pipeline.cli; from pipeline.runs.run import dry_run, run;"
        f"from lakehouse.settings import Settings; from pathlib import Path;"
        f"settings = Settings(lake_uri={settings.lake_uri!r}, kaggle_csv=Path({str(settings.kaggle_csv)!r}),"
        f"import_dir=Path({str(settings.import_dir)!r}), _env_file=None);"
        "assert run(settings).up_to_date == dry_run(settings).up_to_date == 34;"
        "print([name for name in ('pyspark', 'pandas', 'numpy', 'pyarrow', 'deltalake') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
