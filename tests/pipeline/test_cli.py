"""The command line as a user meets it: a process with output and an exit code."""

import os
import shutil
import subprocess
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from typer.main import get_group
from typer.testing import CliRunner

from bronze.listening_history import listening_history_bronze
from lakehouse.contract import Table
from lakehouse.contract.ops import IMPORT_AUDIT, REJECTED_ROWS
from lakehouse.lake.logs import DeltaLogs
from pipeline.cli import main
from pipeline.commands.console import app
from tests.bronze.records import extended, write_json
from tests.support.command_line import LAKEHOUSE, lakehouse
from tests.support.ports import free_port
from tests.support.private import open_to_others
from tests.support.readme import README, WEB_API_COMMANDS, ReadmeRun, shell_lines
from tests.support.spotify_server import SpotifyServer, play_item

ROOT = Path(__file__).parents[2]


def test_help_teaches(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "--help")
    assert answer.returncode == 0
    assert "lakehouse import" in answer.stdout


@pytest.mark.parametrize("command", sorted(get_group(app).commands))
def test_every_command_explains_itself(command: str) -> None:
    answer = CliRunner().invoke(app, [command, "--help"])
    assert answer.exit_code == 0
    assert len(answer.stdout.splitlines()) > 5


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["nonsense"], {}, "No such command"),
        (["import"], {}, "Missing argument"),
        (["import", "nowhere.zip"], {}, "nowhere.zip: no such file"),
        (["catalogue", "nowhere.csv"], {}, "nowhere.csv: no such file"),
        (["status"], {"LISTENER_TIME_ZONE": "Mars/Olympus"}, "LISTENER_TIME_ZONE='Mars/Olympus'"),
        (["status"], {"LAKE_URI": "ftp://somewhere"}, "LAKE_URI"),
        (["run", "--select", "nonsense"], {}, "no table is named nonsense"),
        (["demo-data", "/dev/null"], {}, "cannot write the demo data"),
        (["demo-data", "demo", "--listeners", "0"], {}, "the demo data has 1 to 3 listeners, not 0"),
        (["status"], {"LISTENERS_FILE": str(ROOT / "README.md")}, "README.md is not TOML: "),
        (["listeners", "rename", "anna", "Ben"], {}, "'Ben' cannot be a listener's name"),
        (["listeners", "rename", "anna", "ben"], {}, "there is no listener 'anna': `lakehouse listeners` shows who"),
        (["listeners", "forget", "anna", "--yes"], {}, "there is no listener 'anna': `lakehouse listeners` shows who"),
    ],
)
def test_wrong_usage_is_one_clear_line_and_exit_code_2(
    arguments: list[str],
    environment: dict[str, str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in (environment | {"COLUMNS": "120"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["lakehouse", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors


def test_status_of_an_empty_lake_says_what_to_do(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "status")
    assert answer.returncode == 0
    assert "lakehouse import" in answer.stdout
    assert "LISTENER_TIME_ZONE" in answer.stdout


def test_catalogue_without_network_says_how_to_get_it_by_hand(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "catalogue", HTTPS_PROXY="http://127.0.0.1:9", KAGGLEHUB_CACHE=str(tmp_path))
    assert answer.returncode == 1
    assert "By hand: download the dataset" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_bad_files_beside_a_good_one_are_a_line_each(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write_json(folder / "Streaming_History_Audio_1.json", [extended()])
    for name, member in (("cut.zip", "a.json"), ("hostile.zip", "../x.json")):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(member, "[]")
    cut = folder / "cut.zip"
    cut.write_bytes(cut.read_bytes()[:-30])
    answer = lakehouse(tmp_path, "import", "mine")
    assert answer.returncode == 1
    assert [line.split(" (")[0] for line in answer.stderr.splitlines() if line.startswith("error")] == [
        "error mine/cut.zip is no readable zip",
        "error mine/hostile.zip holds a path that leads out of it",
    ]
    assert "Traceback" not in answer.stdout + answer.stderr
    assert "1 new plays" in answer.stdout

    def stored(table: Table, *columns: str) -> list[tuple[Any, ...]]:
        rows = DeltaTable(DeltaLogs(f"file:{tmp_path}/data/lake").location(table)).to_pyarrow_table().to_pylist()
        return sorted(tuple(row[name] for name in columns) for row in rows)

    good, bad = "mine/Streaming_History_Audio_1.json", ("mine/cut.zip", "mine/hostile.zip")
    assert stored(listening_history_bronze, "source_file") == [(good,)]
    assert stored(IMPORT_AUDIT, "source_file", "verdict", "record_count") == [
        (good, "counted", 1), *((name, "malformed", 1) for name in bad),
    ]  # fmt: skip
    assert [name for name, reason in stored(REJECTED_ROWS, "source_file", "reason") if reason] == list(bad)


def test_make_targets_of_the_readme_exist() -> None:
    targets = [line.split()[1] for line in shell_lines(README) if line.startswith("make ")]
    assert targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_a_second_set_up_does_nothing(tmp_path: Path) -> None:
    for name in ("Makefile", "uv.lock", "pyproject.toml", "setup.sh"):
        shutil.copy(ROOT / name, tmp_path)
    again = ["make", "-n", "setup"]
    before = subprocess.run(again, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert "setup.sh" in before
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".set-up").touch()
    assert "setup.sh" not in subprocess.run(again, cwd=tmp_path, check=True, capture_output=True, text=True).stdout


def test_docs_are_written_into_the_repository_only(tmp_path: Path) -> None:
    answer = lakehouse(tmp_path, "docs")
    assert answer.returncode == 2
    assert "is not the project's folder" in answer.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_the_commands_made_is_for_their_user_alone(readme_run: ReadmeRun) -> None:
    readme_run.require_success()
    lake = readme_run.folder / "data" / "lake"
    assert open_to_others(lake) == []
    assert len(list(lake.rglob("*"))) > 100


def test_lakehouse_commands_of_the_readme_work_in_their_order(readme_run: ReadmeRun) -> None:
    """On the demo files in place of the user's; the second import adds nothing."""
    readme_run.require_success()
    made, catalogue, imported, run, status, again, check, second = readme_run.answers()
    assert [each.command[0] for each in (catalogue, imported, run, status)] == ["catalogue", "import", "run", "status"]
    assert "demo_tracks.csv" in made.output
    assert "feature_source_coverage" in run.output
    assert "100.0 %" in status.output
    assert "nothing new: 0 plays were added" in again.output
    assert "every stored table keeps its contract" in check.output
    assert "no news" in second.output


def test_web_api_commands_of_the_readme_work_in_their_order(spotify: SpotifyServer, tmp_path: Path) -> None:
    """Spotify, the browser and the wish to end it are the test's."""
    settings = spotify.settings() | {"SPOTIFY_REDIRECT_URI": f"http://127.0.0.1:{free_port()}/callback"}
    spotify.plays = [play_item(datetime.now(UTC))]
    lines = [line for line in shell_lines(README) if line.split()[1] in (*WEB_API_COMMANDS, "-m")]
    assert lines == ["lakehouse auth", "lakehouse auth --status", "lakehouse poll", "lakehouse features",
                     "python -m scheduler", "python -m scheduler health"]  # fmt: skip
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    environment = kept | {"COLUMNS": "120", "PATH": f"{LAKEHOUSE.parent}:{kept['PATH']}"} | settings

    def start(line: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            line.split(), cwd=tmp_path, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    login = start(f"{lines[0]} --no-browser")
    assert login.stdout
    address = next(line.strip() for line in login.stdout if "/authorize?" in line)
    told, _ = login.communicate(f"{spotify.agree(address)}\n", timeout=60)
    assert "account   A Listener (listener-1)" in told
    (tmp_path / "data" / "import").mkdir(parents=True)
    for line, expected in zip(lines[1:4], ("scopes    user-read", "1 new plays", "0 of 0 tracks have"), strict=True):
        told, _ = (command := start(line)).communicate(timeout=120)
        assert expected in told
        assert command.returncode == 0
    scheduler = start(lines[4])
    while "the scheduler is at work" not in start(lines[5]).communicate(timeout=60)[0]:
        assert scheduler.poll() is None
    scheduler.terminate()
    assert "scheduler started" in scheduler.communicate(timeout=30)[0]
    assert scheduler.returncode == 0
